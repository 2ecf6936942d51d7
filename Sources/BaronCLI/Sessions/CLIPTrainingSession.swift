import ArgumentParser
import Foundation
import OpenCL
import Reporting
import Training

/// Trains a CLIP model in the terminal: progress line, notes, Ctrl-C.
struct CLIPTrainingSession {
  let configuration: CLIPTrainingConfiguration
  let context: Context
  let run: RunFolder
  /// Whether the run goes on from its newest checkpoint.
  let resumes: Bool
  /// The command that goes on with an interrupted run.
  let continuation: String

  /// Trains and reports; exits with 130 when interrupted.
  ///
  /// - Throws: What training throws.
  func train() throws {
    let first = resumes ? run.checkpoints.latest { _ in }?.iteration ?? 0 : 0
    let line = ProgressLine(
      label: "clip", total: configuration.training.iterations, start: first,
      interval: .steps(configuration.training.logEvery))
    line.note("device: \(context.device.name); run: \(run.path)")
    if let tuning = context.tuning { line.note("tuned kernels: \(tuning.summary)") }
    try TrainingSession.withSignals(on: line, continuation: continuation) { shouldStop in
      let trainer: CLIPTrainer
      do {
        trainer = try CLIPTrainer(
          configuration: configuration, run: run, context: context, resumes: resumes
        ) { Self.show($0, on: line) }
      } catch {
        // Wrong data: the name is free again for the corrected start.
        if !resumes { try? FileManager.default.removeItem(atPath: run.path) }
        throw error
      }
      try trainer.train(shouldStop: shouldStop)
    }
  }

  private static func show(_ event: CLIPTrainer.Event, on line: ProgressLine) {
    switch event {
    case .note(let text): line.note(text)
    case .warning(let text): line.note("warning: \(text)")
    case .step(let record, _):
      line.update(
        step: record.iteration + 1,
        .init(
          losses: [(name: "loss", value: record.totalLoss)],
          imagesPerSecond: record.imagesPerSecond, dataWaitShare: 0))
    case .checkpoint(let path): line.note("checkpoint: \(path)")
    case .scored(let score): line.note(score.summary)
    }
  }
}
