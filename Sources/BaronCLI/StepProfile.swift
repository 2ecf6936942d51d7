import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Tensors
import Training

/// What was measured of some training steps.
struct StepProfile {
  /// Bytes that a queue's pool had in use at most.
  struct Memory {
    let queue: String
    let peak, reserved: Int
    let byLabel: [String: Int]
  }

  let device: Device
  let steps: Int
  /// From the end of the warm-up to the end of the last step, on the device too.
  let wallSeconds: Double
  let records: [Profiler.Record]
  let hostSpans: [Profiler.HostSpan]
  let clockOffset: Int64
  /// Host reads by queue, over all steps.
  let reads: [(queue: String, count: Int)]
  let memory: [Memory]

  /// Trains a detector in a temporary folder and stops before anything is saved.
  ///
  /// - Parameters:
  ///   - configuration: What is trained; its number of iterations does not matter.
  ///   - context: The device.
  ///   - warmup: Steps before the measurement.
  ///   - steps: Measured steps.
  /// - Returns: The measurement.
  /// - Throws: What training throws.
  static func measure(
    _ configuration: RunConfiguration, on context: Context, warmup: Int, steps: Int
  ) throws -> StepProfile {
    var configuration = configuration
    // One iteration more than is run: the last one saves.
    configuration.training.iterations = warmup + steps + 1
    configuration.training.checkpointEvery = warmup + steps + 1
    configuration.training.evaluateEvery = 0
    return try inTemporaryRun(yaml: configuration.yaml()) { run, profiler in
      let trainer = try Trainer(
        configuration: configuration, run: run, context: context, profiler: profiler
      ) { event in
        if case .warning(let text) = event { DetectCommand.warn(text) }
      }
      return try measure(
        [trainer.step.student.queue, trainer.step.teacher.queue], trainer.step.student.library,
        profiler, context.device, warmup: warmup, steps: steps
      ) { try trainer.train(afterStep: $0) }
    }
  }

  /// Trains a CLIP model in a temporary folder and stops before anything is saved.
  ///
  /// - Parameters:
  ///   - configuration: What is trained; its number of iterations does not matter.
  ///   - context: The device.
  ///   - warmup: Steps before the measurement.
  ///   - steps: Measured steps.
  /// - Returns: The measurement.
  /// - Throws: What training throws.
  static func measure(
    _ configuration: CLIPTrainingConfiguration, on context: Context, warmup: Int, steps: Int
  ) throws -> StepProfile {
    var configuration = configuration
    configuration.training.iterations = warmup + steps + 1
    configuration.training.checkpointEvery = warmup + steps + 1
    return try inTemporaryRun(yaml: configuration.yaml()) { run, profiler in
      let trainer = try CLIPTrainer(
        configuration: configuration, run: run, context: context, profiler: profiler
      ) { _ in }
      return try measure(
        [trainer.stream.queue], trainer.stream.library, profiler, context.device, warmup: warmup,
        steps: steps
      ) { try trainer.train(afterStep: $0) }
    }
  }

  private static func inTemporaryRun(
    yaml: String, _ body: (RunFolder, Profiler) throws -> StepProfile
  ) throws -> StepProfile {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "baron-profile-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(try RunFolder.create(at: folder, yaml: yaml), Profiler())
  }

  /// Measures the steps after the warm-up of a training that calls back after each step.
  private static func measure(
    _ queues: [CommandQueue], _ library: KernelLibrary, _ profiler: Profiler, _ device: Device,
    warmup: Int, steps: Int,
    train: (_ afterStep: (Int) throws -> Void) throws -> Void
  ) throws -> StepProfile {
    var begin = ContinuousClock.now
    var readsBefore = queues.map { _ in 0 }
    func start() throws {
      for queue in queues {
        try queue.finish()
        queue.pool.resetPeaks()
      }
      // A profile leaves its kernels to the next start.
      library.storePrograms()
      try profiler.reset()
      readsBefore = queues.map(\.readCount)
      begin = .now
    }
    var result: StepProfile?
    if warmup == 0 { try start() }
    do {
      try train { iteration in
        if iteration + 1 == warmup { try start() }
        guard iteration + 1 == warmup + steps else { return }
        for queue in queues { try queue.finish() }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        try profiler.resolve()
        result = StepProfile(
          device: device, steps: steps, wallSeconds: seconds, records: profiler.records,
          hostSpans: profiler.hostSpans, clockOffset: profiler.clockOffset,
          reads: zip(queues, readsBefore).map { ($0.name, $0.readCount - $1) },
          memory: queues.map {
            Memory(
              queue: $0.name, peak: $0.pool.total.peak, reserved: $0.pool.reserved,
              byLabel: $0.pool.byLabel.mapValues(\.peak))
          })
        throw Done()
      }
    } catch is Done {}
    guard let result else { throw TrainingError.interrupted(iteration: 0, run: "profile") }
    return result
  }

  /// Ends a training run whose measurement is complete.
  private struct Done: Error {}
}
