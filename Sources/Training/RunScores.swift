import Formats
import Foundation

/// The scores of a run's evaluations.
package struct RunScores {
  /// One evaluation.
  private struct Entry {
    let iteration: Int
    let scores: JSONValue
  }

  private let entries: [Entry]

  /// Reads the scores that a run has kept.
  ///
  /// - Parameter folder: The folder of ``RunFolder/scoresPath``.
  package init(folder: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    entries = names.compactMap { name in
      guard name.hasPrefix("iteration-"), name.hasSuffix(".json"),
        let iteration = Int(name.dropFirst("iteration-".count).dropLast(".json".count)),
        let scores = try? JSONValue(contentsOf: "\(folder)/\(name)")
      else { return nil }
      return Entry(iteration: iteration, scores: scores)
    }.sorted { $0.iteration < $1.iteration }
  }

  /// A measure of an evaluation.
  ///
  /// - Parameters:
  ///   - name: `AP50` for all classes, `novel.AP50` for those of a group, or a name of a CLIP model's
  ///     score.
  ///   - scores: All numbers of the evaluation.
  /// - Returns: The number, null where there was nothing to measure, or nil when there is no such
  ///   measure.
  static func measure(_ name: String, in scores: JSONValue) -> JSONValue? {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return scores["measures"]?[name] ?? scores[name] }
    return scores["groups"]?[parts[0]]?["measures"]?[parts[1]]
  }

  /// The names that ``measure(_:in:)`` knows.
  static func names(in scores: JSONValue) -> [String] {
    let groups = scores["groups"]?.object ?? [:]
    return (scores["measures"]?.object ?? [:]).keys.sorted()
      + groups.sorted { $0.key < $1.key }.flatMap { group, content in
        (content["measures"]?.object ?? [:]).keys.sorted().map { "\(group).\($0)" }
      }
  }

  /// The best evaluation by a measure; of equal ones the first.
  ///
  /// - Parameter name: The measure's name.
  /// - Returns: How many iterations were done, and the number; nil without one.
  package func best(by name: String) -> (iteration: Int, value: Double)? {
    var best: (iteration: Int, value: Double)?
    for entry in entries {
      guard let value = Self.measure(name, in: entry.scores)?.number else { continue }
      if value > best?.value ?? -.infinity { best = (entry.iteration, value) }
    }
    return best
  }
}
