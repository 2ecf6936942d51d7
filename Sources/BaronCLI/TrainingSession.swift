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
  let context: Context
  let run: RunFolder
  /// Whether the run goes on from its newest checkpoint.
  let resumes: Bool
  /// The command that goes on with an interrupted run, when it is not `baron train --resume`.
  var continuation: String?
  var profiler: Profiler?

  /// Set by the signal handler, asked before each step.
  private static let stops = Atomic(false)

  /// Makes Ctrl-C stop at the next step instead of at once.
  static func catchSignals() {
    signal(SIGINT) { _ in TrainingSession.stops.store(true, ordering: .relaxed) }
    signal(SIGTERM) { _ in TrainingSession.stops.store(true, ordering: .relaxed) }
  }

  /// Trains and reports; exits with 130 when interrupted.
  ///
  /// - Parameter afterStep: Runs after each step.
  /// - Throws: What training throws.
  func train(afterStep: (Int) throws -> Void = { _ in }) throws {
    let first = resumes ? run.checkpoints.latest { _ in }?.iteration ?? 0 : 0
    let line = ProgressLine(
      label: "train", total: configuration.training.iterations, start: first,
      interval: .steps(configuration.training.logEvery))
    line.note("device: \(context.device.name); run: \(run.path)")
    let trainer: Trainer
    do {
      trainer = try Trainer(
        configuration: configuration, run: run, context: context, profiler: profiler,
        resumes: resumes
      ) { Self.show($0, on: line) }
    } catch {
      // Wrong data or weights: the name is free again for the corrected start.
      if !resumes { try? FileManager.default.removeItem(atPath: run.path) }
      throw error
    }
    Self.catchSignals()
    do {
      try trainer.train(
        shouldStop: { Self.stops.load(ordering: .relaxed) }, afterStep: afterStep)
    } catch let error as TrainingError {
      line.finish()
      guard case .interrupted(let iteration, _) = error else { throw error }
      let text = continuation.map { "stopped after \(iteration) iterations; '\($0)' goes on" }
      FileHandle.standardError.write(Data("\(text ?? "\(error)")\n".utf8))
      throw ExitCode(130)
    }
    line.finish()
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
