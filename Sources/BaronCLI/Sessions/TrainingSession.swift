import ArgumentParser
import Distribution
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
  /// Where this process is, for the watchdog.
  var progress = RankProgress()
  /// How many processes train; several stop together and not each by itself.
  var processes = 1
  /// The command that goes on with an interrupted run.
  let continuation: String
  let iterations: Int
  let logEvery: Int
  /// Iterations between evaluations; 0 for none.
  let evaluateEvery: Int
  /// Keeps event files and the report.
  let observer: RunObserver
  /// What is said at the end of a run.
  let closing: (RunFolder) -> [String]
  /// Prepares the training.
  let prepare: (@escaping (TrainingEvent) -> Void) throws -> TrainingLoop<Job>

  /// Trains and reports; exits with 130 when interrupted.
  ///
  /// - Parameters:
  ///   - yaml: The configuration, where it is another than the run was started with.
  ///   - findings: What was told before the run had a folder, for its log.
  func train(rewriting yaml: String? = nil, findings: [Finding] = []) throws {
    let log = RunLog(path: run.logPath)
    for finding in findings {
      log.add(finding.severity == .note ? .note : .warning, "\(finding)")
    }
    var record = RunRecord(
      path: run.recordPath, version: BaronProgram.version,
      command: ["baron"] + CommandLine.arguments.dropFirst(), device: context.device)
    let display = TrainingDisplay(
      label: label, total: iterations, logEvery: logEvery, evaluateEvery: evaluateEvery, log: log)
    let device = context.device
    display.note("device: \(device.name); run: \(run.path)")
    log.add(.note, "baron \(BaronProgram.version); driver \(device.driver)")
    if let tuning = context.tuning { display.note("tuned kernels: \(tuning.summary)") }
    do {
      try train(rewriting: yaml, display, &record)
      noteRemarks(in: log)
      record.end(.finished, iterations: display.done)
    } catch let code as ExitCode {
      log.add(.note, stopped(after: display.done))
      record.end(.stopped, iterations: display.done)
      throw code
    } catch {
      // A folder that was given back is not made again.
      if FileManager.default.fileExists(atPath: run.path) {
        log.add(.error, "\(error)")
        record.end(.failed("\(error)"), iterations: display.done)
      }
      throw error
    }
  }

  private func train(
    rewriting yaml: String?, _ display: TrainingDisplay, _ record: inout RunRecord
  ) throws {
    let saved = run.checkpoints.all { _ in }.last?.iteration ?? 0
    try StopSignals.answering(by: .exit(stopped(after: saved))) {
      let loop: TrainingLoop<Job>
      do {
        loop = try prepare { event in
          switch event {
          // Until the next step nothing would be lost.
          case .starting(let done), .checkpoint(_, let done):
            if processes > 1, case .checkpoint = event { break }
            StopSignals.answer(by: .exit(stopped(after: done)))
          default: break
          }
          progress.follow(event)
          display.show(event)
          observer.see(event) { display.show(.warning($0)) }
        }
      } catch {
        // Wrong data or weights: the name is free again for the corrected start.
        if run.isNew { try? FileManager.default.removeItem(atPath: run.path) }
        throw error
      }
      if let yaml { try run.write(configuration: yaml) }
      record.begin(at: loop.firstIteration)
      defer { display.finish() }
      do {
        try loop.train(
          shouldStop: { StopSignals.isAsked }, afterStep: { _ in StopSignals.answer(by: .wait) })
      } catch TrainingError.interrupted(let done, _) {
        display.finish()
        StopSignals.tell(stopped(after: done))
        throw ExitCode(130)
      }
      observer.finish { display.show(.warning($0)) }
      display.finish()
      for line in closing(run) { display.note(line) }
    }
  }

  /// Where the words of the driver's compiler are, if it had any.
  private func noteRemarks(in log: RunLog) {
    let count = ProgramCount.remarked.load(ordering: .relaxed)
    guard count > 0, let folder = BuildLogs.folder else { return }
    log.add(.note, "the driver's compiler had something to say on \(count, "program"): \(folder)")
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
  ///   - changesReplicas: Whether the run may have had another number of replicas.
  ///   - world: The processes that train together; this one is rank 0.
  ///   - talk: What carries the words of the others here.
  init(
    _ configuration: RunConfiguration, context: Context, run: RunFolder,
    continuation: String? = nil, changesReplicas: Bool = false, among world: any World = Alone(),
    talk: RankTalk? = nil
  ) {
    self.init(
      label: "train", context: context, run: run, progress: world.progress, processes: world.size,
      continuation: continuation ?? "baron train --resume \(ShellWord.quoted(run.path))",
      iterations: configuration.training.iterations, logEvery: configuration.training.logEvery,
      evaluateEvery: configuration.training.evaluateEvery,
      observer: RunObserver(
        run: run.path, iterations: configuration.training.iterations,
        logEvery: configuration.training.logEvery,
        writesEvents: configuration.training.tensorboard),
      closing: { Self.closing($0, measure: configuration.training.keepBest) }
    ) {
      try TrainingLoop(
        configuration: configuration, run: run, context: context,
        changesReplicas: changesReplicas, among: world, talk: talk, onEvent: $0)
    }
  }

  /// The best score, and what to do with the run.
  private static func closing(_ run: RunFolder, measure: String) -> [String] {
    var lines: [String] = []
    let measures = measure.isEmpty ? ["novel.AP50", "AP50"] : [measure]
    for name in measures {
      guard let best = run.scores.best(by: name) else { continue }
      lines.append(
        "best \(name): \(String(format: "%.2f", 100 * best.value)) after "
          + "\(best.iteration, "iteration"), in \(run.scoresPath)/iteration-\(best.iteration).json")
      break
    }
    let name = ShellWord.quoted(run.path)
    return lines + [
      "report: \(run.path)/report.html",
      "next: baron evaluate --checkpoint \(name) --per-category",
      "      baron detect PICTURES --checkpoint \(name) --vocabulary \"NAME, NAME\"",
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
      continuation: continuation ?? "baron clip-train --resume \(ShellWord.quoted(run.path))",
      iterations: configuration.training.iterations, logEvery: configuration.training.logEvery,
      evaluateEvery: 0,
      observer: RunObserver(
        run: run.path, iterations: configuration.training.iterations,
        logEvery: configuration.training.logEvery,
        writesEvents: configuration.training.tensorboard),
      closing: {
        let folder = ShellWord.quoted(CLIPTraining.modelFolder(of: $0.path))
        return ["next: baron train CONFIG --set clip.folder=\(folder)"]
      }
    ) { try TrainingLoop(configuration: configuration, run: run, context: context, onEvent: $0) }
  }
}
