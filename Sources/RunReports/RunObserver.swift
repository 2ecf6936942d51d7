import Evaluation
import Formats
import Foundation
import Pictures
import Training

/// Keeps what a run tells while it is trained: event files for TensorBoard, and the report.
///
/// Nothing here ends a run: what cannot be written costs a warning, once for each kind.
package final class RunObserver {
  private static let pictures = 6

  private let run: String
  private let logEvery: Int
  private let iterations: Int
  private let writesEvents: Bool
  private var events: EventFile?
  private var warned: Set<String> = []
  private var reported = -1
  private var done = 0

  /// Prepares for a run.
  ///
  /// - Parameters:
  ///   - run: The run's folder.
  ///   - iterations: Iterations of the whole run.
  ///   - logEvery: Iterations between steps that TensorBoard shows.
  ///   - writesEvents: Whether it gets any.
  package init(run: String, iterations: Int, logEvery: Int, writesEvents: Bool) {
    self.run = run
    self.iterations = iterations
    self.logEvery = logEvery
    self.writesEvents = writesEvents
  }

  /// Takes up what happened.
  ///
  /// - Parameters:
  ///   - event: What.
  ///   - warn: Gets one line when something cannot be written.
  package func see(_ event: TrainingEvent, warn: (String) -> Void) {
    switch event {
    case .starting(let first):
      done = first
      attempt("event file", warn) { try open(at: first) }
    case .step(let record):
      done = record.iteration + 1
      guard done % logEvery == 0 || done == iterations else { return }
      attempt("event file", warn) { try events?.add(Self.scalars(record), step: done) }
    case .validated(let score, let iteration):
      attempt("event file", warn) { try events?.add(Self.scalars(score.json), step: iteration) }
      report(warn) { findings in
        try self.addPictures(findings, step: iteration)
      }
    case .note, .warning, .checkpoint, .validating: break
    }
  }

  /// Renews the report at the end of the run, unless the last evaluation has done so.
  ///
  /// - Parameter warn: Gets one line when it cannot be written.
  package func finish(warn: (String) -> Void) {
    guard reported < done else { return }
    report(warn) { _ in }
  }

  private func report(_ warn: (String) -> Void, _ body: (RunFindings?) throws -> Void) {
    reported = done
    attempt("report", warn) {
      var lines: [String] = []
      let report = RunReport(try RunSource(folder: run)) { lines.append($0) }
      try report.write()
      for line in lines where warned.insert(line).inserted { warn(line) }
      try body(report.findings)
    }
  }

  private func open(at first: Int) throws {
    guard writesEvents else { return }
    // A step is called by the iterations that are done after it; the next one is lost, if it was there.
    let file = try EventFile(folder: run, startingAt: first + 1)
    events = file
    let yaml = try RegularFile.text("\(run)/config.yaml", limit: 1 << 20)
    // Markdown shows indented text as it is.
    let text = yaml.split(separator: "\n", omittingEmptySubsequences: false)
      .map { "    " + $0 }.joined(separator: "\n")
    try file.add(text: text, tag: "configuration", step: first)
  }

  private func attempt(_ what: String, _ warn: (String) -> Void, _ body: () throws -> Void) {
    do {
      try body()
    } catch {
      if what == "event file" { events = nil }
      guard warned.insert(what).inserted else { return }
      warn("the \(what) cannot be written: \(error)")
    }
  }

  static func scalars(_ record: MetricRecord) -> [(tag: String, value: Double)] {
    let losses = record.losses.sorted { $0.key < $1.key }.map { name, value in
      (tag: "loss/\(name.replacing("loss_", with: ""))", value: value)
    }
    let measures = record.measures.sorted { $0.key < $1.key }.map { name, value in
      (tag: "measure/\(name)", value: value)
    }
    return [(tag: "loss/sum", value: record.totalLoss)] + losses + measures + [
      (tag: "optimizer/learning_rate", value: record.learningRate),
      (tag: "optimizer/gradient_norm", value: record.gradientNorm),
      (tag: "speed/images_per_second", value: record.imagesPerSecond),
      (tag: "speed/data_wait_share", value: record.dataWaitShare),
      (tag: "speed/seconds", value: record.seconds),
      (tag: "memory/peak_megabytes", value: Double(record.memoryPeak) / 1e6),
    ]
  }

  /// The numbers of an evaluation, in the file's own unit: shares from 0 to 1.
  static func scalars(_ scores: JSONValue) -> [(tag: String, value: Double)] {
    var values: [(tag: String, value: Double)] = []
    func add(_ prefix: String, _ measures: JSONValue?) {
      for (name, value) in (measures?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
        if let number = value.number { values.append((prefix + name, number)) }
      }
    }
    add("score/", scores["measures"])
    for (group, content) in (scores["groups"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      add("score/\(group)/", content["measures"])
    }
    for (group, content) in (scores["thresholds"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      if let score = content["score"]?.number { values.append(("threshold/\(group)", score)) }
    }
    if scores["measures"] == nil { add("score/", scores) }
    return values
  }

  private func addPictures(_ findings: RunFindings?, step: Int) throws {
    guard let events, let findings else { return }
    for (index, picture) in findings.worst.pictures.prefix(Self.pictures).enumerated() {
      let drawn = picture.drawn
      try events.add(
        EventFile.Picture(
          tag: "worst/\(index + 1)", png: try drawn.pngData(), width: drawn.width,
          height: drawn.height), step: step)
    }
  }
}
