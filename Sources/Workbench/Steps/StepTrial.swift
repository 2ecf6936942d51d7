import Formats
import OpenCL
import Tensors

/// What real training steps of a configuration take: the first compiles and fills, the next ones are
/// measured.
package struct StepTrial {
  /// Seconds of a step.
  package let seconds: Double
  /// The most bytes of device memory that were in use.
  package let memoryInBytes: Int
  /// On what the products of each stream stand.
  package let rungs: [String]
  /// How many steps were measured.
  package let count: Int

  /// Steps before the measurement: the second is the first that finds the queues filled.
  package static let before = 2

  /// Makes steps in a temporary folder.
  ///
  /// - Parameters:
  ///   - training: What is trained.
  ///   - context: The device.
  ///   - before: Steps before the measurement.
  ///   - measured: Steps of the measurement, during which nothing waits for the device but what a
  ///     training waits for too.
  /// - Throws: What data, models or device throw.
  package init(
    _ training: StepRunner, on context: Context, before: Int = Self.before, measured: Int = 2
  ) throws {
    var began = 0.0
    var ended = 0.0
    var peak = 0
    var rungs: [String] = []
    func start(_ parts: StepRunner.Parts) throws {
      try parts.finish()
      began = MonotonicClock.seconds
    }
    try training.run(
      on: context, steps: before + measured, begin: { if before == 0 { try start($0) } }
    ) { parts, done in
      if done == before { try start(parts) }
      guard done == before + measured else { return }
      try parts.finish()
      ended = MonotonicClock.seconds
      peak = parts.queues.reduce(0) { $0 + $1.pool.reserved }
      rungs = parts.streams.map(\.matrix.rung)
      // What was compiled serves the training as well.
      parts.library.storePrograms()
    }
    seconds = (ended - began) / Double(measured)
    memoryInBytes = peak
    count = measured
    self.rungs = rungs
  }

  /// The numbers for programs.
  package var json: JSONValue {
    [
      "steps": .number(Double(count)), "seconds_per_step": .number(seconds),
      "memory_bytes": .number(Double(memoryInBytes)), "products": .array(rungs.map { .string($0) }),
    ]
  }
}
