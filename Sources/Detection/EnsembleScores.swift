import Foundation

/// How the scores of the main head and the alignment head become one (spec detector 2.8).
public enum EnsembleScores {
  /// Base classes and the background lean on the main head, novel classes on the other.
  ///
  /// `main^f · other^(1-f)` for base classes and the background, `main^(1-f) · other^f` for novel
  /// ones; not renormalised.
  ///
  /// - Parameters:
  ///   - main: The main head's scores `[R, columns]`, row by row.
  ///   - other: The alignment head's scores, of the same size.
  ///   - isBase: For each column whether it is a base class or the background.
  ///   - factor: The share f.
  /// - Returns: The combined scores.
  public static func combined(
    main: [Float], other: [Float], isBase: [Bool], factor: Float
  ) -> [Float] {
    precondition(main.count == other.count, "scores of two heads differ in number")
    precondition(
      isBase.isEmpty ? main.isEmpty : main.count.isMultiple(of: isBase.count),
      "\(main.count) scores for \(isBase.count) columns")
    return main.indices.map { index in
      let share = isBase[index % isBase.count] ? factor : 1 - factor
      return pow(main[index], share) * pow(other[index], 1 - share)
    }
  }
}
