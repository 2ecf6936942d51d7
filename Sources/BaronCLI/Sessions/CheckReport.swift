import Formats
import OpenCL
import Reporting
import Training
import Workbench

/// What `baron check` found, for people and for programs.
struct CheckReport {
  /// What the configuration was called.
  let name: String
  let check: RunCheck
  /// The device, or why there is none.
  let device: Result<Device, any Error>
  /// What steps take; nil where none were made.
  let trial: StepTrial?
  /// What was found while steps were made.
  var further: [Finding] = []

  /// All findings, the worst first.
  var findings: [Finding] {
    var all = check.findings + further
    if case .failure(let error) = device { all.append(Finding("--device", error)) }
    return all.enumerated().sorted {
      ($0.element.severity, $0.offset) < ($1.element.severity, $1.offset)
    }.map(\.element)
  }

  /// Whether nothing is worse than a note.
  var isGood: Bool { !findings.contains { $0.severity != .note } }

  /// Lines with their ends.
  func text(style: TerminalStyle) -> String {
    var text = summary + "\n"
    for finding in findings {
      text += PrintedText.line("\(finding.severity.rawValue): \(finding)") + "\n"
    }
    if let classes = check.classes { text += "\n" + table(classes, style) }
    let facts = facts
    if !facts.isEmpty { text += "\n" + facts.map { $0 + "\n" }.joined() }
    return text
  }

  private var summary: String {
    let counts = Finding.Severity.allCases.map { severity in
      findings.count { $0.severity == severity }
    }
    guard counts[0] + counts[1] > 0 else { return "\(name): nothing is wrong" }
    func count(_ number: Int, _ word: String) -> String? {
      number == 0 ? nil : "\(number, word)"
    }
    return "\(name): "
      + [count(counts[0], "error"), count(counts[1], "warning")].compactMap { $0 }
      .joined(separator: ", ")
  }

  private func table(_ classes: ClassCounts, _ style: TerminalStyle) -> String {
    var table = TerminalTable([
      .name("class"), .text("group"), .number("boxes"), .number("small"), .number("medium"),
      .number("large"),
    ])
    for row in classes.rows {
      table.add(
        [row.name, row.group.isEmpty ? "-" : row.group]
          + [row.boxes, row.small, row.medium, row.large].map(String.init))
    }
    return table.text(style: style)
  }

  /// What it will take.
  private var facts: [String] {
    var lines: [String] = []
    if check.pictures.total > 0 {
      lines.append(
        "pictures   \(check.pictures.total), all looked for, \(check.pictures.opened) opened")
    }
    if let disk = check.disk {
      lines.append(
        "disk       about \(Self.size(disk.needed)) for checkpoints, \(Self.size(disk.free)) free")
    }
    guard let trial, case .success(let device) = device else { return lines }
    let training = check.configuration.training
    let replicas = training.replicas > 1 ? " with \(training.replicas) replicas on one process" : ""
    lines.append(
      "memory     \(Self.size(memory(of: trial))) of \(Self.size(device.memoryInBytes)) of "
        + device.name)
    lines.append(
      "time       \(Self.seconds(trial.seconds)) a step\(replicas), \(Self.duration(hours * 3600)) for "
        + "\(training.iterations, "step")"
        + (evaluations > 0
          ? " and \(evaluations, "evaluation") of \(check.validationImages, "picture")" : ""))
    return lines
  }

  /// The steps have filled no queue.
  private func memory(of trial: StepTrial) -> Int { trial.memoryInBytes + check.queueBytes }

  private var evaluations: Int {
    let training = check.configuration.training
    guard training.evaluateEvery > 0, check.validationImages > 0 else { return 0 }
    return training.iterations.dividedUp(by: training.evaluateEvery)
  }

  /// What the whole run takes; a picture that is only looked at costs about half of one that trains.
  private var hours: Double {
    guard let trial else { return 0 }
    let training = check.configuration.training
    let pictures =
      max(1, training.replicas) * (training.detectionBatch + training.alignmentBatch)
    let perPicture = trial.seconds / Double(max(1, pictures))
    return
      (trial.seconds * Double(training.iterations)
      + Double(evaluations * check.validationImages) * perPicture / 2) / 3600
  }

  private static func size(_ bytes: Int) -> String {
    let mebibytes = Double(bytes) / 1_048_576
    return mebibytes < 1024
      ? "\(Int(mebibytes.rounded())) MiB" : "\(Double(Int(mebibytes / 102.4)) / 10) GiB"
  }

  private static func seconds(_ value: Double) -> String { "\(Double(Int(value * 1000)) / 1000) s" }

  private static func duration(_ seconds: Double) -> String {
    let minutes = Int(seconds / 60)
    return minutes < 60
      ? "\(minutes) min \(Int(seconds) % 60) s" : "\(minutes / 60) h \(minutes % 60) min"
  }

  /// The same for programs.
  var json: JSONValue {
    func bytes(_ count: Int?) -> JSONValue { count.map { .number(Double($0)) } ?? .null }
    return .object([
      "config": .string(name), "ok": .bool(isGood),
      "findings": .array(findings.map(\.json)), "classes": check.classes?.json ?? .null,
      "pictures": .number(Double(check.pictures.total)),
      "pictures_opened": .number(Double(check.pictures.opened)),
      "disk_needed_bytes": bytes(check.disk?.needed), "disk_free_bytes": bytes(check.disk?.free),
      "device": (try? device.get()).map { .string($0.name) } ?? .null,
      "memory_bytes": bytes(trial.map(memory)),
      "seconds_per_step": trial.map { .number($0.seconds) } ?? .null,
      "hours": trial == nil ? .null : .number(hours),
    ])
  }
}
