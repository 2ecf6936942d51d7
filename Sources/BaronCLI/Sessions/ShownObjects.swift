import Annotations
import Evaluation
import Geometry
import Training

/// Which of the objects that a detector finds are shown.
struct ShownObjects {
  /// What is shown without a threshold of the user or of an evaluation.
  static let usualThreshold = BestThreshold.usual

  /// The least score of classes that training has boxes of.
  let base: Double
  /// The least score of all other classes.
  let novel: Double
  /// Names, as sentences use them, of classes that training has boxes of.
  var baseNames: Set<String> = []
  /// Names of classes that compete but are not asked for.
  var hidden: Set<String> = []
  /// Whether objects of different classes may lie on one another.
  var keepsOverlapping = false

  /// One threshold for all classes.
  init(from score: Double) {
    base = score
    novel = score
  }

  /// The thresholds of an evaluation.
  init(_ thresholds: RunThresholds) {
    base = thresholds.base
    novel = thresholds.novel
  }

  /// The least score of a class.
  ///
  /// - Parameter name: Its name.
  func threshold(of name: String) -> Double {
    baseNames.contains(ClassName.plain(name)) ? base : novel
  }

  /// The objects of the classes that are asked for.
  ///
  /// - Parameters:
  ///   - found: All objects of a picture, best first.
  ///   - vocabulary: What the detector looks for.
  func wanted(
    _ found: [ObjectDetector.Found], of vocabulary: [String]
  ) -> [ObjectDetector.Found] {
    hidden.isEmpty ? found : found.filter { !hidden.contains(vocabulary[$0.label]) }
  }

  /// One object a place, before any threshold.
  ///
  /// A place where a class that is not asked for is the surest shows nothing.
  ///
  /// - Parameters:
  ///   - found: All objects of a picture, best first.
  ///   - vocabulary: What the detector looks for.
  /// - Returns: Objects of the classes that are asked for, best first.
  func places(
    _ found: [ObjectDetector.Found], of vocabulary: [String]
  ) -> [ObjectDetector.Found] {
    guard keepsOverlapping else {
      let boxes = found.map { ScoredBox($0.box, score: $0.score) }
      return wanted(Suppression.survivors(of: boxes).map { found[$0] }, of: vocabulary)
    }
    let rivals = found.filter { hidden.contains(vocabulary[$0.label]) }
    return wanted(found, of: vocabulary).filter { object in
      !rivals.contains {
        $0.score > object.score && $0.box.iou(with: object.box) > Suppression.sameObject
      }
    }
  }

  /// Whether an object is sure enough.
  ///
  /// - Parameters:
  ///   - object: The object.
  ///   - vocabulary: What the detector looks for.
  func isSure(_ object: ObjectDetector.Found, of vocabulary: [String]) -> Bool {
    Double(object.score) >= threshold(of: vocabulary[object.label])
  }
}
