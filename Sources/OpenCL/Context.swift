import COpenCL

/// An OpenCL context on one device, with the settings that its queues and programs share.
///
/// Confined to one thread, like everything made from it.
package final class Context {
  /// The device.
  package let device: Device
  /// Which kernels it gets; a test may ask for `generic` kernels on a CPU.
  package let family: DeviceFamily
  /// Whether new buffers are filled with NaN, to catch reads of memory that nothing wrote.
  package let poisonsBuffers: Bool
  /// Whether operators leave out faster algorithms with a larger rounding error.
  package let isExact: Bool
  /// Compiled programs on disk, or nil to compile each time.
  package let cache: ProgramCache?
  /// Kernel parameters that were found to be faster than the shipped ones, or nil.
  package var tuning: TuningTable?
  /// Processes that compile beside this one, or nil.
  package var helpers: ProgramHelpers?
  /// A process that tries what the driver may not survive, or nil to try it here.
  package var trials: TrialHelper?
  /// Local memory of a work-group in bytes.
  package let localMemoryInBytes: Int
  /// Most work-items of a work-group.
  package let largestWorkGroup: Int
  let handle: cl_context
  private var queues: [WeakQueue] = []

  private struct WeakQueue { weak var queue: CommandQueue? }

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - family: Which kernels to use; nil takes `$BARON_KERNEL_FAMILY`, else the device's own.
  ///   - poisonsBuffers: Fill new buffers with NaN.
  ///   - isExact: Leave out faster algorithms with a larger rounding error.
  ///   - cache: Compiled programs on disk, or nil.
  ///   - localMemoryInBytes: Local memory of a work-group; a test may pretend less than the device's.
  ///   - largestWorkGroup: Most work-items of a work-group; a test may pretend less.
  /// - Throws: ``OpenCLError`` when the driver refuses or no such family exists.
  package init(
    device: Device, family: DeviceFamily? = nil, poisonsBuffers: Bool = false,
    isExact: Bool = false, cache: ProgramCache? = ProgramCache.standard,
    localMemoryInBytes: Int? = nil, largestWorkGroup: Int? = nil
  ) throws {
    self.device = device
    self.family = try family ?? DeviceFamily.wanted() ?? device.family
    self.poisonsBuffers = poisonsBuffers
    self.isExact = isExact
    self.cache = cache
    self.localMemoryInBytes = localMemoryInBytes ?? device.localMemoryInBytes
    self.largestWorkGroup = largestWorkGroup ?? device.largestWorkGroup
    var code: cl_int = 0
    var id: cl_device_id? = device.id
    guard let handle = clCreateContext(nil, 1, &id, nil, nil, &code) else {
      throw OpenCLError.call("clCreateContext", code: code, about: device.name)
    }
    self.handle = handle
  }

  deinit { clReleaseContext(handle) }

  /// Bytes that buffers of all queues use.
  var liveBytes: Int { queues.reduce(0) { $0 + ($1.queue?.pool.total.live ?? 0) } }

  /// Bytes that the pools of all queues hold for the next buffers.
  var unusedBytes: Int { queues.reduce(0) { $0 + ($1.queue?.pool.unused ?? 0) } }

  func register(_ queue: CommandQueue) {
    queues.removeAll { $0.queue == nil }
    queues.append(WeakQueue(queue: queue))
  }

  /// Waits for all queues and gives what their pools hold unused back to the driver.
  package func releaseUnused() throws {
    for queue in queues.compactMap(\.queue) {
      try queue.finish()
      queue.pool.release()
    }
  }
}
