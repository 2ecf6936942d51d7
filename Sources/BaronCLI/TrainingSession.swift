import ArgumentParser
import Evaluation
import Foundation
import OpenCL
import Reporting
import Synchronization
import Training

/// Trains in the terminal: progress line, notes, Ctrl-C.
struct TrainingSession {
  let configuration: RunConfiguration
  let resume: String?
  let folder: String
  let device: DeviceOption
  var profiler: Profiler?

  /// Set by the signal handler, asked before each step.
  private static let stops = Atomic(false)

  /// Trains and reports; exits with 130 when interrupted.
  ///
  /// - Parameter afterStep: Runs after each step.
  /// - Returns: The run's folder.
  /// - Throws: What training throws.
  @discardableResult
  func train(afterStep: (Int) throws -> Void = { _ in }) throws -> RunFolder {
    // The device and the data are looked at before a folder is made.
    let context = try device.makeContext()
    let run =
      try resume.map(RunFolder.resume(at:))
      ?? RunFolder.create(at: folder, configuration: configuration)
    let first = resume.flatMap { _ in run.checkpoints.latest { _ in }?.iteration } ?? 0
    let line = ProgressLine(
      label: "train", total: configuration.training.iterations, start: first,
      interval: .steps(configuration.training.logEvery))
    line.note("device: \(context.device.name); run: \(run.path)")
    do {
      let trainer = try Trainer(
        configuration: configuration, run: run, context: context, profiler: profiler,
        resumes: resume != nil
      ) { Self.show($0, on: line) }
      signal(SIGINT) { _ in TrainingSession.stops.store(true, ordering: .relaxed) }
      signal(SIGTERM) { _ in TrainingSession.stops.store(true, ordering: .relaxed) }
      try trainer.train(
        shouldStop: { Self.stops.load(ordering: .relaxed) }, afterStep: afterStep)
    } catch let error as TrainingError {
      line.finish()
      guard case .interrupted = error else { throw error }
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      throw ExitCode(130)
    }
    line.finish()
    return run
  }

  private static func show(_ event: Trainer.Event, on line: ProgressLine) {
    switch event {
    case .note(let text): line.note(text)
    case .warning(let text): line.note("warning: \(text)")
    case .step(let record, _):
      let losses = record.losses.sorted { $0.key < $1.key }.map {
        (name: $0.key.replacing("loss_", with: ""), value: $0.value)
      }
      line.update(
        step: record.iteration + 1,
        .init(
          losses: [(name: "loss", value: record.totalLoss)] + losses,
          imagesPerSecond: record.imagesPerSecond, dataWaitShare: record.dataWaitShare))
    case .checkpoint(let path): line.note("checkpoint: \(path)")
    case .validating(let done, let total):
      if done == total { line.note("validated \(total) images") }
    case .validated(let summary, _):
      line.note(EvaluationTable.text(summary, style: .plain))
    }
  }
}
