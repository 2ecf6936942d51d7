import Formats

/// The images, categories and annotated boxes that detections are scored against.
///
/// Layout: COCO instances and LVIS v0.5 and v1 (spec 5.4, 5.5). Masks are skipped.
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

    /// Creates an image.
    ///
    /// - Parameters:
    ///   - id: The id that annotations and detections name.
    ///   - absentCategories: Ids of categories verified to be absent.
    ///   - partialCategories: Ids of categories of which not every object is annotated.
    public init(id: Int, absentCategories: [Int] = [], partialCategories: [Int] = []) {
      self.id = id
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
    /// LVIS: neither an object to find nor a false alarm.
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
  /// - Throws: ``EvaluationError`` for an empty list, an id that stands twice, or an annotation
  ///   of an image or category that is not listed.
  public init(
    source: String, images: [Image], categories: [Category], annotations: [Annotation]
  ) throws {
    self.source = source
    self.images = images.sorted { $0.id < $1.id }
    self.categories = categories.sorted { $0.id < $1.id }
    self.annotations = annotations
    imagePositions = try Self.positions(self.images.map(\.id), list: "images", source)
    categoryPositions = try Self.positions(self.categories.map(\.id), list: "categories", source)
    var seen = Set<Int>(minimumCapacity: annotations.count)
    for case let id? in annotations.lazy.map(\.id) where !seen.insert(id).inserted {
      throw EvaluationError.duplicate(file: source, list: "annotations", value: "id \(id)")
    }
    let images = imagePositions
    let categories = categoryPositions
    let strayImages = annotations.lazy.map(\.imageID).filter { images[$0] == nil }
    if let first = strayImages.first {
      throw EvaluationError.unknownReference(
        file: source, list: "annotations", field: "image_id", count: strayImages.count,
        first: first, groundTruth: "\"images\"")
    }
    let strayCategories = annotations.lazy.map(\.categoryID).filter { categories[$0] == nil }
    if let first = strayCategories.first {
      throw EvaluationError.unknownReference(
        file: source, list: "annotations", field: "category_id", count: strayCategories.count,
        first: first, groundTruth: "\"categories\"")
    }
  }

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
