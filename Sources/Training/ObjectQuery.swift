import Annotations
import Geometry

/// What is looked for in pictures, what else competes, and which of the finds are shown: one rule for
/// the command line, the server and the library.
package struct ObjectQuery: Sendable {
  /// The names that are asked for, in the order given.
  package let names: [String]
  /// What takes part, in the order of labels.
  package let vocabulary: Vocabulary
  /// The names of ``vocabulary``.
  package let labels: [String]
  /// Names of ``vocabulary`` that compete but are not asked for.
  package let rivals: Set<String>
  /// From which scores on objects are shown.
  package var scores: ShownScores
  /// Whether objects of different names may lie on one another.
  package var keepsOverlapping = false
  /// What sentences call the classes that training has boxes of.
  private let trained: Set<String>

  /// Makes a query.
  ///
  /// - Parameters:
  ///   - asked: The classes that are asked for, each once; nil takes the model's own, which then are all
  ///     that takes part.
  ///   - own: The names of the model's own classes by ascending id.
  ///   - trained: The names of the classes that training has boxes of; those that are not asked for
  ///     compete, hidden.
  ///   - onlyAsked: Whether nothing else competes.
  ///   - scores: From which scores on objects are shown.
  package init(
    _ asked: [ClassName]?, own: [String], trained: [String], onlyAsked: Bool = false,
    scores: ShownScores
  ) {
    let given = Set((asked ?? []).flatMap(\.all).map(ClassName.plain))
    let rivals =
      asked == nil || onlyAsked ? [] : trained.filter { !given.contains(ClassName.plain($0)) }
    names = asked?.map(\.name) ?? own
    // In the order of the alphabet: the order in which names are given must not move a last bit.
    vocabulary =
      asked.map { asked in
        .classes((asked + rivals.map { ClassName($0) }).sorted { $0.name < $1.name })
      } ?? .dataSet(own)
    labels = vocabulary.names
    self.rivals = Set(rivals)
    self.scores = scores
    self.trained = Set(trained.map(ClassName.plain))
  }

  /// The labels of ``rivals``.
  var rivalLabels: Set<Int> {
    rivals.isEmpty ? [] : Set(labels.indices.filter { rivals.contains(labels[$0]) })
  }

  /// The least score of a class.
  ///
  /// - Parameter name: Its name.
  package func leastScore(of name: String) -> Double {
    trained.contains(ClassName.plain(name)) ? scores.base : scores.novel
  }

  /// A score that everything which is shown exceeds; less than that need not be looked for.
  package var bound: Float { max(0, Float(min(scores.base, scores.novel)).nextDown) }

  /// The objects of the names that are asked for.
  ///
  /// - Parameter found: All objects of a picture, best first.
  package func wanted(_ found: [ObjectDetector.Found]) -> [ObjectDetector.Found] {
    rivals.isEmpty ? found : found.filter { !rivals.contains(labels[$0.label]) }
  }

  /// One object a place, before any threshold.
  ///
  /// A place where a class that is not asked for is the surest shows nothing.
  ///
  /// - Parameters:
  ///   - objects: All objects of a picture, best first.
  ///   - found: What was found of one.
  /// - Returns: Objects of the names that are asked for, best first.
  package func places<Object>(
    _ objects: [Object], _ found: (Object) -> ObjectDetector.Found
  ) -> [Object] {
    let boxes = objects.map { ScoredBox(found($0).box, score: found($0).score) }
    let isRival = objects.map { rivals.contains(labels[found($0).label]) }
    guard keepsOverlapping else {
      return Suppression.survivors(of: boxes).filter { !isRival[$0] }.map { objects[$0] }
    }
    let surer = boxes.indices.filter { isRival[$0] }
    return boxes.indices.filter { index in
      !isRival[index]
        && !surer.contains {
          boxes[$0].score > boxes[index].score
            && boxes[$0].box.iou(with: boxes[index].box) > Suppression.sameObject
        }
    }.map { objects[$0] }
  }

  /// Whether an object is sure enough.
  ///
  /// Compared in single precision, in which scores are computed: a threshold that an evaluation took from
  /// a written score is that score again.
  package func isSure(_ object: ObjectDetector.Found) -> Bool {
    object.score >= Float(leastScore(of: labels[object.label]))
  }

  /// What is shown of a picture.
  ///
  /// - Parameters:
  ///   - objects: All objects of the picture, best first; those below ``bound`` may be missing.
  ///   - limit: The most places that are looked at.
  ///   - found: What was found of one.
  /// - Returns: Sure objects of the names that are asked for, one a place, best first.
  package func shown<Object>(
    _ objects: [Object], limit: Int, _ found: (Object) -> ObjectDetector.Found
  ) -> [Object] {
    places(objects, found).prefix(limit).filter { isSure(found($0)) }
  }
}
