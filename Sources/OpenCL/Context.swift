import COpenCL

/// An OpenCL context on one device, with the settings that its queues and programs share.
///
/// Confined to one thread, like everything made from it.
public final class Context {
  /// The device.
  public let device: Device
  /// Which kernels it gets; a test may ask for `generic` kernels on a CPU.
  public let family: DeviceFamily
  /// Whether new buffers are filled with NaN, to catch reads of memory that nothing wrote.
  public let poisonsBuffers: Bool
  /// Whether operators leave out faster algorithms with a larger rounding error.
  public let isExact: Bool
  /// Compiled programs on disk, or nil to compile each time.
  public let cache: ProgramCache?
  /// The driver's context, which programs on their way keep alive too.
  let shared: ContextHandle
  var handle: cl_context { shared.raw }

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - family: Which kernels to use; nil takes the device's own family.
  ///   - poisonsBuffers: Fill new buffers with NaN.
  ///   - isExact: Leave out faster algorithms with a larger rounding error.
  ///   - cache: Compiled programs on disk, or nil.
  /// - Throws: ``OpenCLError`` when the driver refuses.
  public init(
    device: Device, family: DeviceFamily? = nil, poisonsBuffers: Bool = false,
    isExact: Bool = false, cache: ProgramCache? = ProgramCache.standard
  ) throws {
    self.device = device
    self.family = family ?? device.family
    self.poisonsBuffers = poisonsBuffers
    self.isExact = isExact
    self.cache = cache
    var code: cl_int = 0
    var id: cl_device_id? = device.id
    guard let handle = clCreateContext(nil, 1, &id, nil, nil, &code) else {
      throw OpenCLError.call("clCreateContext", code: code, about: device.name)
    }
    shared = ContextHandle(handle)
  }

  /// What programs are compiled for, on any thread.
  var programTarget: ProgramTarget {
    ProgramTarget(context: shared, device: device, cache: cache)
  }
}

/// A driver's context, released with its last owner.
final class ContextHandle: @unchecked Sendable {
  // Sendable: it never changes, and OpenCL lets any thread make programs in a context
  // (OpenCL 1.2, appendix A.2).
  let raw: cl_context

  init(_ raw: cl_context) { self.raw = raw }

  deinit { clReleaseContext(raw) }
}
