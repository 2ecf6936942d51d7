import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// What was measured of some training steps.
package struct StepProfile {
  /// Bytes that a queue's pool had in use at most.
  struct Memory {
    let queue: String
    let peak, reserved: Int
    let byLabel: [String: Int]
  }

  let device: Device
  let steps: Int
  /// From the end of the warm-up to the end of the last step, on the device too.
  package let wallSeconds: Double
  package let records: [Profiler.Record]
  package let hostSpans: [Profiler.HostSpan]
  package let clockOffset: Int64
  /// Host reads by queue, over all steps.
  let reads: [(queue: String, count: Int)]
  let memory: [Memory]

  /// The tuned parameters that were used, or nil.
  let tuning: TuningTable?

  /// Trains in a temporary folder and stops before anything is saved.
  ///
  /// - Parameters:
  ///   - training: What is trained.
  ///   - context: The device.
  ///   - warmup: Steps before the measurement.
  ///   - steps: Measured steps.
  package static func measure(
    _ training: StepRunner, on context: Context, warmup: Int, steps: Int
  ) throws -> StepProfile {
    let profiler = Profiler()
    var begin = MonotonicClock.seconds
    var readsBefore: [Int] = []
    func start(_ parts: StepRunner.Parts) throws {
      try parts.finish()
      for queue in parts.queues { queue.pool.resetPeaks() }
      // A profile leaves its kernels to the next start.
      parts.library.storePrograms()
      try profiler.reset()
      readsBefore = parts.queues.map(\.readCount)
      begin = MonotonicClock.seconds
    }
    var result: StepProfile?
    try training.run(
      on: context, steps: warmup + steps, profiler: profiler,
      begin: { if warmup == 0 { try start($0) } }
    ) { parts, done in
      if done == warmup { try start(parts) }
      guard done == warmup + steps else { return }
      try parts.finish()
      let seconds = MonotonicClock.seconds - begin
      try profiler.resolve()
      result = StepProfile(
        device: context.device, steps: steps, wallSeconds: seconds, records: profiler.records,
        hostSpans: profiler.hostSpans, clockOffset: profiler.clockOffset,
        reads: zip(parts.queues, readsBefore).map { ($0.name, $0.readCount - $1) },
        memory: parts.queues.map {
          Memory(
            queue: $0.name, peak: $0.pool.total.peak, reserved: $0.pool.reserved,
            byLabel: $0.pool.byLabel.mapValues(\.peak))
        }, tuning: context.tuning)
    }
    guard let result else {
      throw TrainingError.interrupted(iteration: 0, continuation: "baron profile")
    }
    return result
  }
}
