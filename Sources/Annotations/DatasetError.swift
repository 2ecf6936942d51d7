import Formats

/// Why annotations could not be read; the description is one line with file, place, field and remedy.
package enum DatasetError: Error, CustomStringConvertible, Equatable {
  /// A record of an annotation file is wrong. `place` is for example "annotations[12] (id 831)" and
  /// `field` the key; both may be empty.
  case record(file: String, place: String, field: String, reason: String)
  /// A class name is not in the list that it must come from.
  case unknownClass(name: String, source: String, nearest: String?)

  /// One line: what, where, remedy.
  package var description: String {
    switch self {
    case .record(let file, let place, let field, let reason):
      let parts = [file, place, field.isEmpty ? "" : "\"\(field)\"", reason]
      return parts.filter { !$0.isEmpty }.joined(separator: ": ")
    case .unknownClass(let name, let source, let nearest):
      let hint = nearest.map { "; did you mean \"\($0)\"?" } ?? ""
      return "\(source): there is no class \"\(name)\"\(hint)"
    }
  }
}

extension DatasetError {
  /// The same error with the key of the configuration that brought it about.
  ///
  /// - Parameter key: The key, `data.train_annotations` for example.
  /// - Returns: The error; the key stands at its end.
  package func naming(_ key: String) -> DatasetError {
    switch self {
    case .record(let file, let place, let field, let reason):
      .record(file: file, place: place, field: field, reason: "\(reason) (\(key))")
    case .unknownClass(let name, let source, let nearest):
      .record(
        file: source, place: "", field: "",
        reason: "there is no class \"\(name)\""
          + (nearest.map { "; did you mean \"\($0)\"?" } ?? "")
          + " (\(key) takes a file {\"base\": [names], \"novel\": [names]} of one's own classes)")
    }
  }

  /// Runs what reads a file that a configuration names; its errors name the key.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - body: Reads the file.
  package static func naming<Result>(_ key: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as DatasetError {
      throw error.naming(key)
    }
  }
}

/// Finds the name that a misspelt one was meant to be.
package enum NearestName {
  /// The candidate with the smallest edit distance, when that is near.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - candidates: Names that it may have been meant for.
  ///   - isNear: Gets the distance and the name's length.
  package static func of(
    _ name: String, among candidates: [String], isNear: (_ distance: Int, _ length: Int) -> Bool
  ) -> String? {
    let ranked = candidates.map { ($0, distance(name.lowercased(), $0.lowercased())) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }), isNear(best.1, name.count) else { return nil }
    return best.0
  }

  /// The candidate with the smallest edit distance, when it is close enough to be meant.
  static func of(_ name: String, among candidates: [String]) -> String? {
    of(name, among: candidates) { $0 <= max(2, $1 / 2) }
  }

  /// The number of insertions, deletions and replacements between two words (Levenshtein).
  static func distance(_ first: String, _ second: String) -> Int {
    let second = Array(second)
    var row = Array(0...second.count)
    for (line, character) in first.enumerated() {
      var diagonal = row[0]
      row[0] = line + 1
      for (column, other) in second.enumerated() {
        let replaced = diagonal + (character == other ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[second.count]
  }
}
