import Foundation

/// How the scores of the main head and the alignment head become one (spec detector 2.8).
package struct EnsembleScores: Sendable, Equatable {
  /// Exponent of the head that a class leans on; the other head has the rest to 1.
  package var factor: Float
  /// Whether every class leans on the main head, as on data sets without base classes; otherwise
  /// only base classes and the background do.
  package var isUniform: Bool

  package init(factor: Float, isUniform: Bool = false) {
    self.factor = factor
    self.isUniform = isUniform
  }

  /// Combines scores: `main^f · other^(1-f)` for base classes and the background,
  /// `main^(1-f) · other^f` for novel ones; not renormalised.
  ///
  /// - Parameters:
  ///   - main: The main head's scores `[R, columns]`, row by row.
  ///   - other: The alignment head's scores, of the same size.
  ///   - isBase: For each column whether it is a base class or the background.
  package func combined(main: [Float], other: [Float], isBase: [Bool]) -> [Float] {
    precondition(main.count == other.count, "scores of two heads differ in number")
    precondition(
      isBase.isEmpty ? main.isEmpty : main.count.isMultiple(of: isBase.count),
      "\(main.count) scores for \(isBase.count) columns")
    return main.indices.map { index in
      let share = isUniform || isBase[index % isBase.count] ? factor : 1 - factor
      return pow(main[index], share) * pow(other[index], 1 - share)
    }
  }
}
