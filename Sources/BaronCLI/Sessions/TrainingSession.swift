import ArgumentParser
import Evaluation
import Formats
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

  /// Makes Ctrl-C stop at the next step instead of at once; a second one stops at once.
  private static func catchSignals() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        TrainingSession.stops.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }

  /// Exits with 130 when a signal has asked to stop, between two parts of a longer job.
  ///
  /// - Parameter continuation: The command that goes on with the job.
  /// - Throws: `ExitCode`.
  static func stopIfAsked(continuation: String) throws {
    guard stops.load(ordering: .relaxed) else { return }
    Console.say("stopped; '\(continuation)' goes on")
    throw ExitCode(130)
  }

  /// Runs a training that Ctrl-C stops at its next step; exits with 130 when that happened.
  ///
  /// - Parameters:
  ///   - line: The progress line, finished in any case.
  ///   - continuation: The command that goes on with the run; nil for that of the error.
  ///   - body: Trains; gets what says whether to stop.
  /// - Throws: What `body` throws.
  static func withSignals(
    on line: ProgressLine, continuation: String?, _ body: (() -> Bool) throws -> Void
  ) throws {
    catchSignals()
    defer { line.finish() }
    do {
      try body { stops.load(ordering: .relaxed) }
    } catch let error as TrainingError {
      guard case .interrupted(let iteration, _) = error else { throw error }
      line.finish()
      let text = continuation.map { "stopped after \(iteration) iterations; '\($0)' goes on" }
      Console.say(text ?? "\(error)")
      throw ExitCode(130)
    }
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
    if let tuning = context.tuning { line.note("tuned kernels: \(tuning.summary)") }
    let trainer: Trainer
    var validation: ProgressLine?
    do {
      trainer = try Trainer(
        configuration: configuration, run: run, context: context, profiler: profiler,
        resumes: resumes
      ) { event in
        guard case .validating(let done, let total) = event else {
          return Self.show(event, on: line)
        }
        // A line of its own, below the finished one of the training.
        line.finish()
        validation = validation ?? ProgressLine(label: "evaluate", total: total)
        validation?.update(step: done)
        guard done == total else { return }
        validation?.finish()
        validation = nil
      }
    } catch {
      // Wrong data or weights: the name is free again for the corrected start.
      if !resumes { try? FileManager.default.removeItem(atPath: run.path) }
      throw error
    }
    try Self.withSignals(on: line, continuation: continuation) { shouldStop in
      try trainer.train(shouldStop: shouldStop, afterStep: afterStep)
    }
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
    case .validating: break
    case .validated(let summary, _):
      line.note(EvaluationTable.text(summary, style: .plain))
    }
  }
}
