import Formats

/// Where the detections of an evaluation are right and where and how they are wrong.
package struct DetectionAnalysis: Sendable {
  /// A group of classes.
  package struct Group: Sendable {
    /// "base", "novel", or "all" without a split.
    package let name: String
    /// Precision and recall of the detections as they are shown, at every threshold.
    package let curve: ThresholdCurve
    /// The threshold of the best F1; nil when nothing is right.
    package let best: BestThreshold?
  }

  /// The groups of classes.
  package let groups: [Group]
  /// The errors of all detections and what they cost.
  package let errors: DetectionErrors
  /// Which classes are taken for which, of the detections shown by the best thresholds.
  package let confusion: ConfusionMatrix
  /// The pictures with an object or a detection.
  package let pictures: [PictureFindings]

  /// Analyses detections by boxes.
  ///
  /// - Parameters:
  ///   - truth: The objects.
  ///   - results: The detections.
  ///   - split: How the classes are divided; also chooses the protocol.
  /// - Throws: ``EvaluationError`` when the two do not belong together, or for masks without boxes.
  package init(
    _ truth: GroundTruth, _ results: DetectionResults, split: ClassSplit
  ) throws {
    let threads = Cores.usable
    try results.checkBoxes()
    let (classes, members) = try EvaluationRun.prepared(truth, results, split: split)
    let shown = try MatchedDetections(shown: classes, results, threads: threads)
    groups = members.map { name, members in
      let curve = shown.curve(of: members)
      return Group(name: name, curve: curve, best: BestThreshold(group: name, curve))
    }
    let everything = (name: "all", members: members.flatMap(\.members))
    errors = try DetectionErrors(
      classes, results, groups: members.count > 1 ? members + [everything] : members,
      threads: threads)
    var thresholds = [Double?](repeating: nil, count: classes.count)
    for (group, member) in zip(groups, members) {
      for label in member.members {
        thresholds[label] = group.best?.score ?? BestThreshold.usual
      }
    }
    let found = ShownPictures(shown, truth, results, thresholds: thresholds)
    confusion = found.confusion
    pictures = found.pictures
  }
}
