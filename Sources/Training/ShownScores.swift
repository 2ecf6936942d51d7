import Evaluation

/// From which scores on objects are shown.
package struct ShownScores: Sendable, Equatable {
  /// What counts without a threshold of the user or of an evaluation.
  package static let usual = BestThreshold.usual

  /// The least score of classes that training has boxes of, in 0...1.
  package let base: Double
  /// The least score of all other classes, in 0...1.
  package let novel: Double

  init(base: Double, novel: Double) {
    self.base = base
    self.novel = novel
  }

  /// One least score for all classes.
  package init(all score: Double) { self.init(base: score, novel: score) }

  /// The best thresholds of a checkpoint's last evaluation; ``usual`` before any.
  package init(of location: ModelLocation) {
    let best = location.thresholds
    self.init(base: best?.base ?? Self.usual, novel: best?.novel ?? Self.usual)
  }
}
