import Foundation
import OpenCL
import TestSupport

/// Runs `body` with the test device while no other device test runs.
///
/// - Parameter body: The test.
/// - Throws: What `body` throws, or `OpenCLError` without a device.
func exclusively(_ body: (Device) throws -> Void) throws {
  try TestDevice.withStream { _ in
    try body(try Device.choose(ProcessInfo.processInfo.environment["BARON_DEVICE"]))
  }
}

/// Runs `body` with the path of a new folder, which is removed afterwards.
///
/// - Parameter body: The test.
/// - Throws: What `body` throws, or when the folder cannot be made.
func withTemporaryFolder(_ body: (String) throws -> Void) throws {
  let folder = try TemporaryFolder()
  try body(folder.path)
}

extension CommandQueue {
  /// A buffer with the given content.
  ///
  /// - Parameters:
  ///   - values: The content.
  ///   - label: What it holds.
  /// - Returns: The buffer.
  /// - Throws: `OpenCLError` when the device fails.
  func buffer(_ values: [Float], label: String = "test") throws -> Buffer {
    let buffer = try allocate(bytes: values.count * 4, label: label)
    try values.withUnsafeBytes { try write($0, to: buffer) }
    return buffer
  }

  /// The first floats of a buffer.
  ///
  /// - Parameters:
  ///   - buffer: The buffer.
  ///   - count: How many.
  /// - Returns: The values.
  /// - Throws: `OpenCLError` when the device fails.
  func floats(_ buffer: Buffer, count: Int) throws -> [Float] {
    var values = [Float](repeating: 0, count: count)
    try values.withUnsafeMutableBytes { try read(buffer, into: $0) }
    return values
  }
}
