import Formats
import OpenCL
import Training

/// What real training steps of a configuration take: the first compiles and fills, the next ones are
/// measured.
package struct StepTrial {
  /// Seconds of a step.
  package let seconds: Double
  /// The most bytes of device memory that were in use.
  package let memoryInBytes: Int

  /// Steps before the measurement: the second is the first that finds the queues filled.
  private static let before = 2
  private static let measured = 2

  /// Makes steps in a temporary folder.
  ///
  /// - Parameters:
  ///   - configuration: What is trained, on its own data.
  ///   - context: The device.
  /// - Throws: What data, models or device throw.
  package init(_ configuration: RunConfiguration, on context: Context) throws {
    var began = 0.0
    var ended = 0.0
    var peak = 0
    try StepRunner.detector(configuration).run(on: context, steps: Self.before + Self.measured) {
      parts, done in
      try parts.finish()
      if done == Self.before { began = MonotonicClock.seconds }
      guard done == Self.before + Self.measured else { return }
      ended = MonotonicClock.seconds
      peak = parts.queues.reduce(0) { $0 + $1.pool.reserved }
      // What was compiled serves the training as well.
      parts.library.storePrograms()
    }
    seconds = (ended - began) / Double(Self.measured)
    memoryInBytes = peak
  }
}
