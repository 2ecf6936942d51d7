import Formats

/// The numbers of one evaluation and what they were measured on (spec 5.8).
public struct EvaluationSummary: Sendable, Equatable {
  /// One class's result.
  public struct ClassResult: Sendable, Equatable {
    /// The category id.
    public let id: Int
    /// The class name.
    public let name: String
    /// The group of the split, or nil outside of it.
    public let group: ClassGroup?
    /// Annotated objects that are to be found.
    public let objects: Int
    /// AP over all thresholds, or nil without objects.
    public let averagePrecision: Double?
    /// AP at IoU 0.50, or nil without objects.
    public let averagePrecision50: Double?
  }

  /// The measures of one group of classes.
  public struct GroupResult: Sendable, Equatable {
    /// "base", "novel", "all", or an LVIS frequency.
    public let name: String
    /// Classes in the group.
    public let classes: Int
    /// Classes of the group with at least one object; the mean is over these.
    public let classesWithObjects: Int
    /// The same measures as for the whole set.
    public let measures: [Measure]

    /// A measure's value, or nil when it has none.
    public subscript(name: String) -> Double? { measures.first { $0.name == name }?.value }
  }

  /// What was measured, for example "OV-COCO".
  public let protocolName: String
  /// The metric in words, with its thresholds and cuts.
  public let metric: String
  /// Images that were scored.
  public let images: Int
  /// Categories in the ground truth.
  public let vocabulary: Int
  /// Categories with at least one object.
  public let classesWithObjects: Int
  /// Detections in the results file.
  public let detections: Int
  /// The most detections the file has for one image.
  public let detectionsPerImage: Int
  /// The lowest score in the file, or nil without detections.
  public let lowestScore: Double?
  /// The numbers over all classes, in the order in which the reference prints them.
  public let measures: [Measure]
  /// Base, novel and all classes together, or the LVIS frequencies; empty without a split.
  public let groups: [GroupResult]
  /// Every class by ascending category id.
  public let classes: [ClassResult]

  /// A measure's value over all classes, or nil when it has none.
  public subscript(name: String) -> Double? { measures.first { $0.name == name }?.value }

  /// The result of one group, for example "novel", or nil.
  ///
  /// - Parameter name: The group's name.
  /// - Returns: The group's result.
  public func group(_ name: String) -> GroupResult? { groups.first { $0.name == name } }

  /// The summary as JSON at full precision; a measure without objects is null.
  public var json: JSONValue {
    .object([
      "protocol": .string(protocolName), "metric": .string(metric),
      "images": .number(Double(images)), "vocabulary": .number(Double(vocabulary)),
      "classes_with_objects": .number(Double(classesWithObjects)),
      "detections": .number(Double(detections)),
      "detections_per_image": .number(Double(detectionsPerImage)),
      "lowest_score": Self.json(lowestScore), "measures": Self.json(measures),
      "groups": .object(
        Dictionary(uniqueKeysWithValues: groups.map { ($0.name, Self.json($0)) })),
      "classes": .array(classes.map(Self.json)),
    ])
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
      "AP50": json(result.averagePrecision50),
    ])
  }
}
