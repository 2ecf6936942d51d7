import Formats

/// The numbers of one evaluation and what they were measured on (spec evaluation 5.8).
package struct EvaluationSummary: Sendable, Equatable {
  /// One class's result.
  package struct ClassResult: Sendable, Equatable {
    /// The category id.
    package let id: Int
    /// The class name.
    package let name: String
    /// The group of the split, or nil outside of it.
    package let group: ClassGroup?
    /// Annotated objects that are to be found.
    package let objects: Int
    /// AP over all thresholds, or nil without objects and where the protocol has no such mean.
    package let averagePrecision: Double?
    /// AP at IoU 0.50, or nil without objects.
    package let averagePrecision50: Double?
    /// AP at IoU 0.75, or nil without objects.
    package let averagePrecision75: Double?
  }

  /// The measures of one group of classes.
  package struct GroupResult: Sendable, Equatable {
    /// "base", "novel", "all", or an LVIS frequency.
    package let name: String
    /// Classes in the group.
    package let classes: Int
    /// Classes of the group with at least one object; the mean is over these.
    package let classesWithObjects: Int
    /// The same measures as for the whole set.
    package let measures: [Measure]

    /// A measure's value, or nil when it has none.
    package subscript(name: String) -> Double? { measures.first { $0.name == name }?.value }
  }

  /// The numbers by one kind of overlap.
  package struct Scores: Sendable, Equatable {
    /// The numbers over all classes, in the order in which the reference prints them.
    package let measures: [Measure]
    /// Base, novel and all classes together, or the LVIS frequencies; empty without a split.
    package let groups: [GroupResult]
    /// Every class of the vocabulary by ascending category id.
    package let classes: [ClassResult]

    /// A measure's value over all classes, or nil when it has none.
    package subscript(name: String) -> Double? { measures.first { $0.name == name }?.value }

    /// The result of one group, for example "novel", or nil.
    ///
    /// - Parameter name: The group's name.
    /// - Returns: The group's result.
    package func group(_ name: String) -> GroupResult? { groups.first { $0.name == name } }
  }

  /// What was measured, for example "OV-COCO".
  package let protocolName: String
  /// The metric in words, with its thresholds and cuts.
  package let metric: String
  /// The program or rule whose numbers these equal.
  package let metricVersion: String
  /// Images that were scored.
  package let images: Int
  /// Images in the ground truth; more than ``images`` where only those of the split were scored.
  package let imagesInFile: Int
  /// Classes that were scored.
  package let vocabulary: Int
  /// Categories in the ground truth; more than ``vocabulary`` where only the split's were scored.
  package let categoriesInFile: Int
  /// Classes of the vocabulary with at least one object.
  package let classesWithObjects: Int
  /// Detections in the results file.
  package let detections: Int
  /// Detections that the protocol counts: of its images and classes, and verified in LVIS.
  package let detectionsCounted: Int
  /// The most detections the file has for one image.
  package let detectionsPerImage: Int
  /// The lowest score in the file, or nil without detections.
  package let lowestScore: Double?
  /// The score below which the detector kept nothing, where that is known.
  package let scoreThreshold: Double?
  /// From which score on detections are worth showing; empty without boxes.
  package var thresholds: [BestThreshold] = []
  /// Images that the detector could not read; they were scored as if nothing was found on them.
  package var unreadableImages = 0
  /// The numbers by boxes, or nil where only masks were scored.
  package let boxes: Scores?
  /// The numbers by masks, or nil where only boxes were scored.
  package let masks: Scores?

  /// The numbers by boxes where they were scored, else those by masks.
  package var primary: Scores {
    boxes ?? masks ?? Scores(measures: [], groups: [], classes: [])
  }
  /// The numbers of ``primary`` over all classes.
  package var measures: [Measure] { primary.measures }
  /// The groups of ``primary``.
  package var groups: [GroupResult] { primary.groups }
  /// The classes of ``primary``.
  package var classes: [ClassResult] { primary.classes }

  /// A measure's value in ``primary`` over all classes, or nil when it has none.
  package subscript(name: String) -> Double? { primary[name] }

  /// The result of one group in ``primary``, for example "novel", or nil.
  ///
  /// - Parameter name: The group's name.
  /// - Returns: The group's result.
  package func group(_ name: String) -> GroupResult? { primary.group(name) }

  /// The summary as JSON at full precision; a measure without objects is null.
  ///
  /// The numbers by boxes are "measures", "groups" and "classes"; those by masks the same inside
  /// "masks".
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "protocol": .string(protocolName), "metric": .string(metric),
      "metric_version": .string(metricVersion), "images": .number(Double(images)),
      "images_in_file": .number(Double(imagesInFile)),
      "images_unreadable": .number(Double(unreadableImages)),
      "vocabulary": .number(Double(vocabulary)),
      "categories_in_file": .number(Double(categoriesInFile)),
      "classes_with_objects": .number(Double(classesWithObjects)),
      "detections": .number(Double(detections)),
      "detections_counted": .number(Double(detectionsCounted)),
      "detections_per_image": .number(Double(detectionsPerImage)),
      "lowest_score": Self.json(lowestScore), "score_threshold": Self.json(scoreThreshold),
    ]
    if !thresholds.isEmpty {
      members["thresholds"] = .object(
        Dictionary(thresholds.map { ($0.group, $0.json) }) { first, _ in first })
    }
    if let boxes { members.merge(Self.json(boxes)) { $1 } }
    if let masks { members["masks"] = .object(Self.json(masks)) }
    return .object(members)
  }

  private static func json(_ scores: Scores) -> [String: JSONValue] {
    [
      "measures": json(scores.measures),
      "groups": .object(
        Dictionary(uniqueKeysWithValues: scores.groups.map { ($0.name, json($0)) })),
      "classes": .array(scores.classes.map(json)),
    ]
  }

  private static func json(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }

  private static func json(_ measures: [Measure]) -> JSONValue {
    .object(Dictionary(measures.map { ($0.name, json($0.value)) }) { first, _ in first })
  }

  private static func json(_ group: GroupResult) -> JSONValue {
    .object([
      "classes": .number(Double(group.classes)),
      "classes_with_objects": .number(Double(group.classesWithObjects)),
      "measures": json(group.measures),
    ])
  }

  private static func json(_ result: ClassResult) -> JSONValue {
    .object([
      "id": .number(Double(result.id)), "name": .string(result.name),
      "group": result.group.map { .string($0.rawValue) } ?? .null,
      "objects": .number(Double(result.objects)), "AP": json(result.averagePrecision),
      "AP50": json(result.averagePrecision50), "AP75": json(result.averagePrecision75),
    ])
  }
}
