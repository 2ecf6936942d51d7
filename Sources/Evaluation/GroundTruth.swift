import Masks

/// The images, categories and annotated objects that detections are scored against.
///
/// Layout: COCO instances and LVIS v0.5 and v1 (spec 5.4, 5.5). Masks are read when they are scored.
public struct GroundTruth: Sendable {
  /// How many training images an LVIS category appears in.
  public enum Frequency: String, Sendable, CaseIterable {
    case rare = "r"
    case common = "c"
    case frequent = "f"
  }

  /// One image of the set.
  public struct Image: Sendable, Equatable {
    /// The id that annotations and detections name.
    public var id: Int
    /// LVIS: categories verified to be absent.
    public var absentCategories: [Int]
    /// LVIS: categories of which not every object is annotated.
    public var partialCategories: [Int]
    /// The width in pixels, which masks need.
    public var width: Int?
    /// The height in pixels, which masks need.
    public var height: Int?

    /// Creates an image.
    ///
    /// - Parameters:
    ///   - id: The id that annotations and detections name.
    ///   - absentCategories: Ids of categories verified to be absent.
    ///   - partialCategories: Ids of categories of which not every object is annotated.
    ///   - width: The width in pixels.
    ///   - height: The height in pixels.
    public init(
      id: Int, absentCategories: [Int] = [], partialCategories: [Int] = [], width: Int? = nil,
      height: Int? = nil
    ) {
      self.id = id
      self.width = width
      self.height = height
      self.absentCategories = absentCategories
      self.partialCategories = partialCategories
    }
  }

  /// One class of the vocabulary.
  public struct Category: Sendable, Equatable {
    /// The id that annotations and detections name.
    public var id: Int
    /// The class name.
    public var name: String
    /// LVIS: the frequency group.
    public var frequency: Frequency?

    /// Creates a category.
    ///
    /// - Parameters:
    ///   - id: The id that annotations and detections name.
    ///   - name: The class name.
    ///   - frequency: The frequency group, where the data set has them.
    public init(id: Int, name: String, frequency: Frequency? = nil) {
      self.id = id
      self.name = name
      self.frequency = frequency
    }
  }

  /// One annotated object.
  public struct Annotation: Sendable, Equatable {
    /// The annotation's own id; scoring does not use it, so that 0 is an id like any other.
    public var id: Int?
    /// The image it is in.
    public var imageID: Int
    /// The category it is of.
    public var categoryID: Int
    /// The box in pixels.
    public var box: BoxXYWH
    /// The area in square pixels that decides small, medium and large; of the mask where known.
    public var area: Double
    /// COCO: a group of objects drawn as one region.
    public var isCrowd: Bool
    /// LVIS and VOC: neither an object to find nor a false alarm.
    public var isIgnored: Bool

    /// Creates an annotation.
    ///
    /// - Parameters:
    ///   - id: Its own id.
    ///   - imageID: The image it is in.
    ///   - categoryID: The category it is of.
    ///   - box: The box in pixels.
    ///   - area: The area in square pixels; nil takes the box's.
    ///   - isCrowd: Whether it is a group drawn as one region.
    ///   - isIgnored: Whether it is to be left out.
    public init(
      id: Int? = nil, imageID: Int, categoryID: Int, box: BoxXYWH, area: Double? = nil,
      isCrowd: Bool = false, isIgnored: Bool = false
    ) {
      self.id = id
      self.imageID = imageID
      self.categoryID = categoryID
      self.box = box
      self.area = area ?? box.area
      self.isCrowd = isCrowd
      self.isIgnored = isIgnored
    }
  }

  /// What errors call it: the file's path.
  public let source: String
  /// The images by ascending id.
  public let images: [Image]
  /// The categories by ascending id.
  public let categories: [Category]
  /// The annotations in the order of the file.
  public let annotations: [Annotation]
  /// The mask of each annotation.
  let masks: MaskSource
  /// The position in ``images`` of each image id.
  let imagePositions: [Int: Int]
  /// The position in ``categories`` of each category id.
  let categoryPositions: [Int: Int]

  /// Creates a ground truth from its lists.
  ///
  /// - Parameters:
  ///   - source: What errors call it.
  ///   - images: The images in any order; at least one.
  ///   - categories: The categories in any order; at least one.
  ///   - annotations: The annotated objects.
  ///   - masks: The mask of each annotation; empty where only boxes are scored.
  /// - Throws: ``EvaluationError`` for an empty list, an id that stands twice, or an annotation
  ///   of an image or category that is not listed.
  public init(
    source: String, images: [Image], categories: [Category], annotations: [Annotation],
    masks: [RunLengthMask?] = []
  ) throws {
    try self.init(
      source: source, images: images, categories: categories, annotations: annotations,
      masks: MaskSource(masks, source: source, list: "annotations"))
  }

  init(
    source: String, images: [Image], categories: [Category], annotations: [Annotation],
    masks: MaskSource
  ) throws {
    self.source = source
    self.masks = masks
    self.images = images.sorted { $0.id < $1.id }
    self.categories = categories.sorted { $0.id < $1.id }
    self.annotations = annotations
    imagePositions = try Self.positions(self.images.map(\.id), list: "images", source)
    categoryPositions = try Self.positions(self.categories.map(\.id), list: "categories", source)
    var seen = Set<Int>(minimumCapacity: annotations.count)
    for case let id? in annotations.lazy.map(\.id) where !seen.insert(id).inserted {
      throw EvaluationError.duplicate(file: source, list: "annotations", value: "id \(id)")
    }
    try Self.check(
      annotations.lazy.map(\.imageID), "annotations", "image_id", of: source,
      areAmong: imagePositions, "\"images\"")
    try Self.check(
      annotations.lazy.map(\.categoryID), "annotations", "category_id", of: source,
      areAmong: categoryPositions, "\"categories\"")
  }

  /// Checks that every id that records of a list name is known.
  static func check(
    _ ids: some Sequence<Int>, _ list: String, _ field: String, of file: String,
    areAmong known: [Int: Int], _ knownName: String
  ) throws {
    var count = 0
    var first: (id: Int, index: Int)?
    for (index, id) in ids.enumerated() where known[id] == nil {
      count += 1
      first = first ?? (id, index)
    }
    guard let first else { return }
    throw EvaluationError.unknownReference(
      file: file, list: list, field: field, count: count, first: first.id,
      record: "\(list)[\(first.index)]", groundTruth: knownName)
  }

  /// The image of an id; one without a size when it is not listed.
  func image(ofID id: Int) -> Image { imagePositions[id].map { images[$0] } ?? Image(id: id) }

  private static func positions(_ ids: [Int], list: String, _ source: String) throws -> [Int: Int] {
    guard !ids.isEmpty else { throw EvaluationError.emptyList(file: source, list: list) }
    var positions: [Int: Int] = Dictionary(minimumCapacity: ids.count)
    for (position, id) in ids.enumerated() {
      guard positions.updateValue(position, forKey: id) == nil else {
        throw EvaluationError.duplicate(file: source, list: list, value: "id \(id)")
      }
    }
    return positions
  }
}
