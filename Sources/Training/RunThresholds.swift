import Formats
import Foundation

/// From which scores on the detections of a run are worth showing, as an evaluation has found it.
package struct RunThresholds: Sendable, Equatable {
  /// For the classes that training has boxes of.
  package let base: Double
  /// For all others.
  package let novel: Double
  /// The file that says so.
  package let source: String

  /// Reads the thresholds of a file of scores; without those of one group, the other's count.
  package init?(_ scores: JSONValue, source: String) {
    func score(_ group: String) -> Double? { scores["thresholds"]?[group]?["score"]?.number }
    guard let any = score("novel") ?? score("base") ?? score("all") else { return nil }
    base = score("base") ?? any
    novel = any
    self.source = source
  }

  /// The thresholds as a file of scores has them, for a bundle.
  package var json: JSONValue {
    [
      "thresholds": ["base": ["score": .number(base)], "novel": ["score": .number(novel)]],
      "source": .string(source),
    ]
  }

  /// Looks for the thresholds of a checkpoint.
  ///
  /// - Parameters:
  ///   - checkpoint: What the files of its evaluations are called, `iteration-300` for example.
  ///   - folder: The folder with the scores.
  /// - Returns: Those of its last evaluation, else those of the newest one of the run, if any.
  static func find(for checkpoint: String, in folder: String) -> RunThresholds? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    // An evaluation that was repeated is called `iteration-300-2.json`.
    let files = names.filter { $0.hasSuffix(".json") }
      .map { (name: $0, numbers: numbers(in: $0)) }
      .sorted { $0.numbers.lexicographicallyPrecedes($1.numbers) }
    let own = files.filter {
      $0.name == "\(checkpoint).json" || $0.name.hasPrefix("\(checkpoint)-")
    }
    for file in own.reversed() + files.reversed() {
      let path = "\(folder)/\(file.name)"
      if let scores = try? JSONValue(contentsOf: path),
        let found = RunThresholds(scores, source: path)
      {
        return found
      }
    }
    return nil
  }

  private static func numbers(in name: String) -> [Int] {
    name.split { !$0.isASCII || !$0.isNumber }.compactMap { Int($0) }
  }
}

extension ModelLocation {
  /// What files of evaluations of the checkpoint are called, without their ending.
  package var evaluationName: String {
    iteration.map { "iteration-\($0)" }
      ?? URL(filePath: checkpoint).deletingPathExtension().lastPathComponent
  }

  /// From which scores on what the checkpoint finds is worth showing; nil before any evaluation.
  package var thresholds: RunThresholds? {
    if let bundle { return bundle.thresholds }
    return RunThresholds.find(for: evaluationName, in: "\(run)/scores")
  }
}
