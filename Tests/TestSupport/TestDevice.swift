import Foundation
import KernelLibrary
import OpenCL
import Synchronization
import Tensors

/// The device that tests run on, one test at a time.
package enum TestDevice {
  /// The kernel families to test: the device's own and the plain OpenCL C 1.2 one.
  package static let families: [DeviceFamily] = {
    guard let own = try? DeviceFamily.wanted() ?? Device.choose(wanted).family else {
      return [.generic]
    }
    return own == .generic ? [.generic] : [own, .generic]
  }()

  private static var wanted: String? { ProcessInfo.processInfo.environment["BARON_DEVICE"] }

  private struct Streams: @unchecked Sendable {
    // Sendable: only touched while `shared` is locked.
    var byFamily: [DeviceFamily: ComputeStream] = [:]
  }

  private static let shared = Mutex(Streams())

  /// Runs `body` with a stream whose new buffers are full of NaN; other tests wait meanwhile.
  ///
  /// - Parameters:
  ///   - family: Which kernels to use; nil takes the device's own.
  ///   - body: The test.
  /// - Throws: What `body` throws, or `OpenCLError` without a device.
  package static func withStream<Result: Sendable>(
    _ family: DeviceFamily? = nil, _ body: (ComputeStream) throws -> Result
  ) throws -> Result {
    try shared.withLock { streams in
      let device = try Device.choose(wanted)
      let family = try family ?? DeviceFamily.wanted() ?? device.family
      if let stream = streams.byFamily[family] { return try body(stream) }
      let context = try Context(device: device, family: family, poisonsBuffers: true)
      let stream = try ComputeStream(context: context)
      streams.byFamily[family] = stream
      return try body(stream)
    }
  }

  /// Runs `body` with a context of its own, for code that makes its own streams; other tests wait
  /// meanwhile.
  ///
  /// - Parameters:
  ///   - poisoned: Whether new buffers are full of NaN.
  ///   - exact: Whether faster algorithms with a larger rounding error are left out.
  ///   - family: Which kernels to use; nil takes the device's own.
  ///   - localMemoryInBytes: Local memory of a work-group; nil takes the device's.
  ///   - largestWorkGroup: Most work-items of a work-group; nil takes the device's.
  ///   - body: The test.
  /// - Throws: What `body` throws, or `OpenCLError` without a device.
  package static func withContext(
    poisoned: Bool = true, exact: Bool = false, family: DeviceFamily? = nil,
    localMemoryInBytes: Int? = nil, largestWorkGroup: Int? = nil, _ body: (Context) throws -> Void
  ) throws {
    try shared.withLock { _ in
      try body(
        try Context(
          device: try Device.choose(wanted), family: family, poisonsBuffers: poisoned,
          isExact: exact, localMemoryInBytes: localMemoryInBytes,
          largestWorkGroup: largestWorkGroup))
    }
  }
}
