import Annotations
import Formats
import Training

/// What a query for objects takes from the model, and what is said of it.
extension ModelLocation {
  /// The scores that count, said where they are not the user's.
  ///
  /// - Parameter given: The user's least score, if any.
  func shownScores(given: Double?) -> ShownScores {
    if let given { return ShownScores(all: given) }
    if let best = thresholds {
      Console.say(
        "shown from score \(ScoreText.of(best.base)) on, names that training has no boxes of from "
          + "\(ScoreText.of(best.novel)) on: the best F1 in \(best.source); --score-threshold changes it"
      )
    }
    return ShownScores(of: self)
  }

  /// The names of the classes that training has boxes of.
  ///
  /// - Parameters:
  ///   - isNeeded: Whether they would compete, so that it matters when they cannot be read.
  ///   - remedy: What the user can do then.
  /// - Returns: The names; nil, with a warning where they are needed, when they cannot be read.
  func trainedNames(isNeeded: Bool, remedy: String) throws -> [String]? {
    do {
      return try baseClasses()
    } catch let error as DatasetError {
      if isNeeded {
        Console.warn(
          "the classes of training cannot be read, so only the given names compete (\(error)); "
            + "give \(remedy)")
      }
      return nil
    }
  }
}
