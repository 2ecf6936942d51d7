import Formats
import Reporting
import Training

/// Shows what happens while training, and keeps it in the run's log.
final class TrainingDisplay {
  private let label: String
  private let total: Int
  private let logEvery: Int
  private let log: RunLog
  private var line: ProgressLine
  private var validation: ProgressLine?
  private var evaluations: EvaluationTimes
  private(set) var done = 0

  /// - Parameters:
  ///   - label: What the line is called.
  ///   - total: Steps of the run.
  ///   - logEvery: Steps between lines where a line cannot be rewritten.
  ///   - evaluateEvery: Steps between evaluations; 0 for none.
  ///   - log: Gets notes, warnings and tables.
  init(label: String, total: Int, logEvery: Int, evaluateEvery: Int, log: RunLog) {
    self.label = label
    self.total = total
    self.logEvery = logEvery
    self.log = log
    evaluations = EvaluationTimes(every: evaluateEvery, total: total)
    line = ProgressLine(label: label, total: total, interval: .steps(logEvery))
  }

  func note(_ text: String) {
    log.add(.note, text)
    line.note(text)
  }

  /// Leaves the last state standing.
  func finish() {
    validation?.finish()
    line.finish()
  }

  func show(_ event: TrainingEvent) {
    switch event {
    case .note(let text): note(text)
    case .warning(let text):
      log.add(.warning, text)
      line.warn(text)
    case .starting(let first):
      done = first
      // The time that is left follows from the steps alone.
      line = ProgressLine(
        label: label, total: total, start: first, hasSlowStart: true, interval: .steps(logEvery))
    case .step(let record): show(record)
    case .checkpoint(let path, _): note("checkpoint: \(path)")
    case .validating(let done, let count):
      // A line of its own, below the finished one of the training.
      line.finish()
      if validation == nil {
        evaluations.begin(at: MonotonicClock.seconds)
        validation = ProgressLine(label: "evaluate", total: count)
      }
      validation?.update(step: done)
      guard done == count else { return }
      validation?.finish()
      validation = nil
    case .validated(let score, _):
      evaluations.end(at: MonotonicClock.seconds)
      switch score {
      case .detection(let summary):
        note(EvaluationTable.text(summary, style: .plain))
        let thresholds = EvaluationTable.thresholds(summary, style: .plain)
        if !thresholds.isEmpty { note(thresholds) }
      case .zeroShot(let score): note(score.summary)
      }
      line.resume()
    }
  }

  private func show(_ record: MetricRecord) {
    done = record.iteration + 1
    let losses = record.losses.sorted { $0.key < $1.key }.map {
      (name: $0.key.replacing("loss_", with: ""), value: $0.value)
    }
    line.update(
      step: done,
      .init(
        losses: [(name: "loss", value: record.totalLoss)] + losses,
        imagesPerSecond: record.imagesPerSecond, dataWaitShare: record.dataWaitShare,
        secondsBeside: evaluations.secondsLeft(after: done)))
  }
}

/// What the evaluations of a run take.
struct EvaluationTimes {
  private let every: Int
  private let total: Int
  private var began: Double?
  private var last = 0.0

  init(every: Int, total: Int) { (self.every, self.total) = (every, total) }

  mutating func begin(at time: Double) { began = time }

  mutating func end(at time: Double) {
    if let began { last = time - began }
    began = nil
  }

  /// Seconds of the evaluations that are still to come, each taken to last as long as the last one.
  func secondsLeft(after done: Int) -> Double {
    guard every > 0, done < total else { return 0 }
    let left = total / every - done / every + (total % every == 0 ? 0 : 1)
    return Double(left) * last
  }
}
