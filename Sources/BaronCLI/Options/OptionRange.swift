import ArgumentParser

/// Whole numbers of options, which are calculated with.
enum OptionRange {
  /// Refuses numbers out of range.
  ///
  /// - Parameter options: Names, values and what is taken.
  /// - Throws: `ValidationError` for the first that is out of range.
  static func check(
    _ options: (name: String, value: Int, range: ClosedRange<Int>)...
  ) throws {
    for (name, value, range) in options where !range.contains(value) {
      throw ValidationError(
        "\(name) \(value): take a number from \(range.lowerBound) to \(range.upperBound).")
    }
  }
}
