import Reporting
import Training

/// Shows what happens while training.
final class TrainingDisplay {
  private let label: String
  private let total: Int
  private let logEvery: Int
  private var line: ProgressLine
  private var validation: ProgressLine?

  init(label: String, total: Int, logEvery: Int) {
    self.label = label
    self.total = total
    self.logEvery = logEvery
    line = ProgressLine(label: label, total: total, interval: .steps(logEvery))
  }

  func note(_ text: String) { line.note(text) }

  /// Leaves the last state standing.
  func finish() {
    validation?.finish()
    line.finish()
  }

  func show(_ event: TrainingEvent) {
    switch event {
    case .note(let text): line.note(text)
    case .warning(let text): line.warn(text)
    case .starting(let first):
      // The time that is left follows from the steps alone.
      line = ProgressLine(label: label, total: total, start: first, interval: .steps(logEvery))
    case .step(let record): show(record)
    case .checkpoint(let path, _): line.note("checkpoint: \(path)")
    case .validating(let done, let count):
      // A line of its own, below the finished one of the training.
      line.finish()
      validation = validation ?? ProgressLine(label: "evaluate", total: count)
      validation?.update(step: done)
      guard done == count else { return }
      validation?.finish()
      validation = nil
    case .validated(.detection(let summary), _):
      line.note(EvaluationTable.text(summary, style: .plain))
      let thresholds = EvaluationTable.thresholds(summary, style: .plain)
      if !thresholds.isEmpty { line.note(thresholds) }
    case .validated(.zeroShot(let score), _): line.note(score.summary)
    }
  }

  private func show(_ record: MetricRecord) {
    let losses = record.losses.sorted { $0.key < $1.key }.map {
      (name: $0.key.replacing("loss_", with: ""), value: $0.value)
    }
    line.update(
      step: record.iteration + 1,
      .init(
        losses: [(name: "loss", value: record.totalLoss)] + losses,
        imagesPerSecond: record.imagesPerSecond, dataWaitShare: record.dataWaitShare))
  }
}
