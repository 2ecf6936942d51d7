import Formats
import Foundation

/// The file `metrics.jsonl` of a run: one JSON object a line, in the order of iterations.
///
/// Each record is in the file when ``append(_:)`` returns; a line that a crash cut short is ignored
/// by ``records(in:)`` and removed on resuming. A line with the key `evaluation` holds the scores after
/// `iteration` iterations; every other one is a ``MetricRecord``.
package final class MetricLog {
  /// The file's path.
  package let path: String
  private let descriptor: Int32
  private var evaluated: Set<Int>

  /// Opens the file for writing, making it when it is not there.
  ///
  /// Lines of later iterations are cut, so that the file becomes that of an uninterrupted run; so are
  /// lines that stand twice and such that cannot be read.
  ///
  /// - Parameters:
  ///   - path: The file's path; its folder must exist.
  ///   - iteration: The first iteration that will be run, 0 for a new run.
  ///   - warn: Gets one line for each thing that is wrong with the file.
  /// - Throws: `FormatError` when the file cannot be written.
  package init(
    path: String, startingAt iteration: Int, warn: (String) -> Void = { _ in }
  ) throws {
    self.path = path
    let old = FileManager.default.fileExists(atPath: path) ? try Self.lines(in: path) : []
    let kept = Self.checked(old, before: iteration, path, warn)
    evaluated = Set(kept.filter(\.isEvaluation).map(\.iteration))
    if !old.isEmpty || FileManager.default.fileExists(atPath: path) {
      try AtomicFile.write(Data(kept.map { $0.text + "\n" }.joined().utf8), to: path)
    }
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FormatError(path, "cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// Writes a record.
  ///
  /// - Parameter record: What the iteration measured.
  /// - Throws: `FormatError` when the disk is full.
  package func append(_ record: MetricRecord) throws { try append(record.json) }

  /// Writes the scores of an evaluation, without those of the single classes.
  ///
  /// - Parameters:
  ///   - scores: All of them.
  ///   - iteration: How many iterations were done.
  /// - Throws: `FormatError` when the disk is full.
  func append(evaluation scores: JSONValue, of iteration: Int) throws {
    try append([
      "iteration": .number(Double(iteration)), "evaluation": Self.withoutClasses(scores),
    ])
    evaluated.insert(iteration)
  }

  /// Whether the file has the scores after so many iterations.
  func hasEvaluation(of iteration: Int) -> Bool { evaluated.contains(iteration) }

  /// Puts everything written so far on the disk.
  func sync() { fsync(descriptor) }

  private func append(_ json: JSONValue) throws {
    let line = Data((json.text() + "\n").utf8)
    try line.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
  }

  private static func withoutClasses(_ scores: JSONValue) -> JSONValue {
    guard var members = scores.object else { return scores }
    if members["classes"]?.array != nil { members["classes"] = nil }
    return .object(members.mapValues(withoutClasses))
  }

  /// Reads a file back.
  ///
  /// - Parameter path: The file's path.
  /// - Returns: Its records in the file's order.
  /// - Throws: `FormatError` with the line when one is malformed.
  package static func records(in path: String) throws -> [MetricRecord] {
    try lines(in: path).compactMap { line in
      switch line.content {
      case .step(let record): record
      case .evaluation: nil
      case .malformed(let error): throw error
      }
    }
  }

  /// A line without its end.
  private struct Line {
    enum Content {
      case step(MetricRecord)
      case evaluation(Int)
      case malformed(FormatError)
    }

    let text: String
    let content: Content

    var isEvaluation: Bool {
      if case .evaluation = content { true } else { false }
    }
    var iteration: Int {
      switch content {
      case .step(let record): record.iteration
      case .evaluation(let iteration): iteration
      case .malformed: -1
      }
    }

    init(_ text: String, source: String, place: String) {
      self.text = text
      do {
        let json = try JSONValue(parsing: text, source: source)
        if json["evaluation"]?.object != nil, let iteration = json["iteration"]?.integer {
          content = .evaluation(iteration)
        } else {
          content = .step(try MetricRecord(json, source: source, place: place))
        }
      } catch let error as FormatError {
        content = .malformed(FormatError(source, place: place, error.reason))
      } catch {
        content = .malformed(FormatError(source, place: place, "\(error)"))
      }
    }
  }

  private static func lines(in path: String) throws -> [Line] {
    let content = try RegularFile.contents(path, limit: .max)
    // What follows the last line end was cut short by a crash.
    let whole = content.split(separator: 10, omittingEmptySubsequences: false).dropLast()
    return whole.enumerated().map { index, bytes in
      Line(String(decoding: bytes, as: UTF8.self), source: path, place: "line \(index + 1)")
    }
  }

  /// The lines that an uninterrupted run would have written before an iteration.
  private static func checked(
    _ lines: [Line], before iteration: Int, _ path: String, _ warn: (String) -> Void
  ) -> [Line] {
    var kept: [Line] = []
    var (steps, evaluations): (Set<Int>, Set<Int>) = ([], [])
    var doubled = 0
    for line in lines {
      switch line.content {
      case .malformed(let error): warn("\(error); the line is left out")
      case .step(let record) where record.iteration < iteration:
        if steps.insert(record.iteration).inserted { kept.append(line) } else { doubled += 1 }
      case .evaluation(let done) where done <= iteration:
        if evaluations.insert(done).inserted { kept.append(line) } else { doubled += 1 }
      case .step, .evaluation: break
      }
    }
    if doubled > 0 {
      warn(
        "\(path): \(doubled, "line") \(doubled.verb("stands", "stand")) twice; what comes later "
          + "is left out"
      )
    }
    let missing = (0..<iteration).filter { !steps.contains($0) }
    if let first = missing.first, let last = missing.last {
      warn(
        "\(path): \(missing.count) of the iterations \(first) to \(last) "
          + "\(missing.count.verb("has", "have")) no line; the file "
          + "was changed, or its last lines were not on the disk when the machine stopped")
    }
    return kept
  }
}
