import ArgumentParser
import Evaluation
import Formats
import Foundation
import OpenCL
import Reporting
import RunReports
import Training

/// Trains in the terminal: progress line, notes, Ctrl-C.
struct TrainingSession<Job: TrainingJob> {
  /// What the progress line is called.
  let label: String
  let context: Context
  let run: RunFolder
  /// The command that goes on with an interrupted run.
  let continuation: String
  let iterations: Int
  let logEvery: Int
  /// Keeps event files and the report.
  let observer: RunObserver
  /// What is said at the end of a run.
  let closing: (RunFolder) -> [String]
  /// Prepares the training.
  let prepare: (@escaping (TrainingEvent) -> Void) throws -> TrainingLoop<Job>

  /// Trains and reports; exits with 130 when interrupted.
  ///
  /// - Parameter yaml: The configuration, where it is another than the run was started with.
  func train(rewriting yaml: String? = nil) throws {
    let display = TrainingDisplay(label: label, total: iterations, logEvery: logEvery)
    display.note("device: \(context.device.name); run: \(run.path)")
    if let tuning = context.tuning { display.note("tuned kernels: \(tuning.summary)") }
    let saved = run.checkpoints.all { _ in }.last?.iteration ?? 0
    try StopSignals.answering(by: .exit(stopped(after: saved))) {
      let loop: TrainingLoop<Job>
      do {
        loop = try prepare { event in
          switch event {
          // Until the next step nothing would be lost.
          case .starting(let done), .checkpoint(_, let done):
            StopSignals.answer(by: .exit(stopped(after: done)))
          default: break
          }
          display.show(event)
          observer.see(event) { display.show(.warning($0)) }
        }
      } catch {
        // Wrong data or weights: the name is free again for the corrected start.
        if run.isNew { try? FileManager.default.removeItem(atPath: run.path) }
        throw error
      }
      if let yaml { try run.write(configuration: yaml) }
      defer { display.finish() }
      do {
        try loop.train(
          shouldStop: { StopSignals.isAsked }, afterStep: { _ in StopSignals.answer(by: .wait) })
      } catch TrainingError.interrupted(let done, _) {
        display.finish()
        Console.say(stopped(after: done))
        throw ExitCode(130)
      }
      observer.finish { display.show(.warning($0)) }
      display.finish()
      for line in closing(run) { Console.say(line) }
    }
  }

  private func stopped(after iterations: Int) -> String {
    "\(TrainingError.interrupted(iteration: iterations, continuation: continuation))"
  }
}

extension TrainingSession where Job == DetectorTraining {
  /// Creates the session of a detector.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - context: The device.
  ///   - run: The run's folder.
  ///   - continuation: The command that goes on with an interrupted run; nil for `train --resume`.
  init(
    _ configuration: RunConfiguration, context: Context, run: RunFolder,
    continuation: String? = nil
  ) {
    self.init(
      label: "train", context: context, run: run,
      continuation: continuation ?? "baron train --resume \(run.path)",
      iterations: configuration.training.iterations, logEvery: configuration.training.logEvery,
      observer: RunObserver(
        run: run.path, iterations: configuration.training.iterations,
        logEvery: configuration.training.logEvery,
        writesEvents: configuration.training.tensorboard),
      closing: { Self.closing($0, measure: configuration.training.keepBest) }
    ) { try TrainingLoop(configuration: configuration, run: run, context: context, onEvent: $0) }
  }

  /// The best score, and what to do with the run.
  private static func closing(_ run: RunFolder, measure: String) -> [String] {
    var lines: [String] = []
    let measures = measure.isEmpty ? ["novel.AP50", "AP50"] : [measure]
    for name in measures {
      guard let best = run.scores.best(by: name) else { continue }
      lines.append(
        "best \(name): \(String(format: "%.2f", 100 * best.value)) after \(best.iteration) "
          + "iterations, in \(run.scoresPath)/iteration-\(best.iteration).json")
      break
    }
    return lines + [
      "report: \(run.path)/report.html",
      "next: baron evaluate --checkpoint \(run.path) --per-category",
      "      baron detect PICTURES --checkpoint \(run.path) --vocabulary \"NAME, NAME\"",
    ]
  }
}

extension TrainingSession where Job == CLIPTraining {
  /// Creates the session of a CLIP model.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - context: The device.
  ///   - run: The run's folder.
  ///   - continuation: The command that goes on with an interrupted run; nil for
  ///     `clip-train --resume`.
  init(
    _ configuration: CLIPTrainingConfiguration, context: Context, run: RunFolder,
    continuation: String? = nil
  ) {
    self.init(
      label: "clip", context: context, run: run,
      continuation: continuation ?? "baron clip-train --resume \(run.path)",
      iterations: configuration.training.iterations, logEvery: configuration.training.logEvery,
      observer: RunObserver(
        run: run.path, iterations: configuration.training.iterations,
        logEvery: configuration.training.logEvery,
        writesEvents: configuration.training.tensorboard),
      closing: {
        ["next: baron train CONFIG --set clip.folder=\(CLIPTraining.modelFolder(of: $0.path))"]
      }
    ) { try TrainingLoop(configuration: configuration, run: run, context: context, onEvent: $0) }
  }
}
