import Formats

/// What an annotation file says about images, boxes and classes, in columns, without the masks.
///
/// COCO instances and LVIS v0.5 and v1 are read in one pass over the mapped file. Of a mask only its
/// place in the file is kept: ``SegmentationReader`` reads it when it is wanted. About 80 bytes an
/// annotation stay in memory.
public struct AnnotationIndex: Sendable {
  /// The images in file order.
  struct ImageColumns: Sendable, Equatable {
    var ids: [Int] = []
    var fileNames: [String] = []
    var widths: [Int32] = []
    var heights: [Int32] = []
    /// LVIS: labels of classes verified to be absent.
    var absent = RaggedLabels()
    /// LVIS: labels of classes of which not every object is annotated.
    var partial = RaggedLabels()
  }

  /// The annotations in file order.
  struct AnnotationColumns: Sendable {
    var ids: [Int] = []
    /// Indices of images.
    var images: [Int32] = []
    /// Indices of categories, or -1 for an id that the file does not list.
    var labels: [Int32] = []
    /// x, y, width, height.
    var boxes: [SIMD4<Double>] = []
    /// The area, or NaN where the file gives none.
    var areas: [Double] = []
    /// 1 for a crowd.
    var crowds: [UInt8] = []
    /// The offset of the segmentation in the file, or -1.
    var segmentations: [Int] = []
    /// The positions by ascending id.
    var order: [Int32] = []
  }

  /// One annotation.
  public struct Annotation: Sendable, Equatable {
    /// Its id.
    public let id: Int
    /// The index of its image.
    public let image: Int
    /// The index of its class in ``AnnotationIndex/categories``, or nil for an id not listed there.
    public let label: Int?
    /// The left edge of the box in pixels.
    public let x: Double
    /// The upper edge.
    public let y: Double
    /// The width, not negative.
    public let width: Double
    /// The height, not negative.
    public let height: Double
    /// The area that the file gives, of the mask, or nil.
    public let area: Double?
    /// Whether it is a group of objects drawn as one region.
    public let isCrowd: Bool
  }

  /// The file's path.
  public let path: String
  /// The classes by ascending id; a label is an index into this list.
  public internal(set) var categories: [COCOAnnotations.Category] = []
  var images = ImageColumns()
  var annotations = AnnotationColumns()

  /// An index without records.
  init(emptyFor path: String) { self.path = path }

  /// The number of images.
  public var imageCount: Int { images.ids.count }

  /// The number of annotations.
  public var annotationCount: Int { annotations.ids.count }

  /// Whether the classes have the frequency groups of LVIS.
  public var isLVIS: Bool { categories.contains { $0.frequency != nil } }

  /// One image.
  ///
  /// - Parameter index: The position in file order.
  /// - Returns: The image without boxes.
  public func image(at index: Int) -> COCOAnnotations.ImageRecord {
    COCOAnnotations.ImageRecord(
      id: images.ids[index], fileName: images.fileNames[index], width: Int(images.widths[index]),
      height: Int(images.heights[index]))
  }

  /// One annotation.
  ///
  /// - Parameter index: The position in file order.
  /// - Returns: The annotation.
  public func annotation(at index: Int) -> Annotation {
    let box = annotations.boxes[index]
    let area = annotations.areas[index]
    let label = Int(annotations.labels[index])
    return Annotation(
      id: annotations.ids[index], image: Int(annotations.images[index]),
      label: label < 0 ? nil : label, x: box.x, y: box.y, width: box.z, height: box.w,
      area: area.isNaN ? nil : area, isCrowd: annotations.crowds[index] != 0)
  }

  /// The position of an annotation.
  ///
  /// - Parameter id: The annotation's id.
  /// - Returns: The position in file order, or nil when the file has no such annotation.
  public func position(ofAnnotation id: Int) -> Int? {
    var (low, high) = (0, annotations.order.count)
    while low < high {
      let middle = (low + high) / 2
      if annotations.ids[Int(annotations.order[middle])] < id {
        low = middle + 1
      } else {
        high = middle
      }
    }
    guard low < annotations.order.count else { return nil }
    let position = Int(annotations.order[low])
    return annotations.ids[position] == id ? position : nil
  }

  /// LVIS: the classes that an image was checked for and does not have (`neg_category_ids`).
  ///
  /// - Parameter index: The image's position.
  /// - Returns: Their labels.
  public func absentLabels(ofImage index: Int) -> [Int] { images.absent[index] }

  /// LVIS: the classes of which not every object is annotated (`not_exhaustive_category_ids`).
  ///
  /// - Parameter index: The image's position.
  /// - Returns: Their labels.
  public func partialLabels(ofImage index: Int) -> [Int] { images.partial[index] }
}

/// Short lists of labels, one for each image, in one array.
struct RaggedLabels: Sendable, Equatable {
  var values: [Int32] = []
  /// Where each list ends.
  var ends: [Int32] = []

  subscript(index: Int) -> [Int] {
    let start = index == 0 ? 0 : Int(ends[index - 1])
    return values[start..<Int(ends[index])].map { Int($0) }
  }
}
