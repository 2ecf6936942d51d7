import Formats
import Geometry

/// What an annotation file says about images, boxes and classes, in columns, without the masks.
///
/// COCO instances and LVIS v0.5 and v1 are read in one pass over the mapped file. Of a mask only its
/// place in the file is kept: ``SegmentationReader`` reads it when it is wanted. About 80 bytes an
/// annotation stay in memory.
package struct AnnotationIndex: Sendable {
  /// The images in file order.
  package struct ImageColumns: Sendable, Equatable {
    package var ids: [Int] = []
    /// Empty where the file gives none.
    var fileNames: [String] = []
    /// In pixels; 0 where the file gives none.
    package var widths: [Int32] = []
    package var heights: [Int32] = []
    /// LVIS: labels of classes verified to be absent.
    package var absent = RaggedLabels()
    /// LVIS: labels of classes of which not every object is annotated.
    package var partial = RaggedLabels()
  }

  /// The annotations in file order.
  package struct AnnotationColumns: Sendable {
    /// ``noID`` where the file gives none.
    var ids: [Int] = []
    /// Indices of images.
    package var images: [Int32] = []
    /// Indices of categories, or -1 for an id that the file does not list.
    package var labels: [Int32] = []
    package var boxes: [FileBox] = []
    /// The area, or NaN where the file gives none.
    package var areas: [Double] = []
    /// ``Flags``.
    package var flags: [UInt8] = []
    /// The offset of the segmentation in the file, or -1.
    package var segmentations: [Int] = []
  }

  /// What an annotation is besides an object.
  package struct Flags: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A group of objects drawn as one region (`iscrowd`).
    package static let crowd = Flags(rawValue: 1)
    /// Neither an object to find nor a false alarm (`ignore`).
    package static let ignored = Flags(rawValue: 2)
  }

  /// One annotation.
  struct Annotation: Sendable, Equatable {
    /// The index of its image.
    let image: Int
    /// The index of its class in ``AnnotationIndex/categories``, or nil for an id not listed there.
    let label: Int?
    /// The box in pixels, its size not negative.
    let box: FileBox
    /// The area in square pixels, of the mask where the file gives it, else of the box.
    let area: Double
    /// Whether it is a crowd or to be ignored.
    let isSetAside: Bool
  }

  /// The id of an annotation that has none: no file can give this one.
  static let noID = Int.min

  /// The file's path.
  package let path: String
  /// The classes by ascending id; a label is an index into this list.
  package internal(set) var categories: [COCOAnnotations.Category] = []
  /// What the file gets wrong without being useless, one line each.
  package internal(set) var warnings: [String] = []
  package var images = ImageColumns()
  package var annotations = AnnotationColumns()

  /// An index without records.
  init(emptyFor path: String) { self.path = path }

  /// The number of images.
  package var imageCount: Int { images.ids.count }

  /// The number of annotations.
  package var annotationCount: Int { annotations.ids.count }

  /// Whether the classes have the frequency groups of LVIS.
  package var isLVIS: Bool { categories.contains { $0.frequency != nil } }

  /// One image.
  ///
  /// - Parameter index: The position in file order.
  /// - Returns: The image without boxes.
  package func image(at index: Int) -> COCOAnnotations.ImageRecord {
    COCOAnnotations.ImageRecord(
      id: images.ids[index], fileName: images.fileNames[index], width: Int(images.widths[index]),
      height: Int(images.heights[index]))
  }

  /// One annotation.
  ///
  /// - Parameter index: The position in file order.
  func annotation(at index: Int) -> Annotation {
    let box = annotations.boxes[index]
    let area = annotations.areas[index]
    let label = Int(annotations.labels[index])
    return Annotation(
      image: Int(annotations.images[index]), label: label < 0 ? nil : label, box: box,
      area: area.isNaN ? box.area : area, isSetAside: annotations.flags[index] != 0)
  }

  /// The id of an annotation, or nil when the file gives none.
  func id(ofAnnotation index: Int) -> Int? {
    let id = annotations.ids[index]
    return id == Self.noID ? nil : id
  }

  /// An annotation in errors and warnings.
  func place(ofAnnotation index: Int) -> String {
    "annotations[\(index)]" + (id(ofAnnotation: index).map { " (id \($0))" } ?? "")
  }
}

/// Short lists of labels, one for each image, in one array.
package struct RaggedLabels: Sendable, Equatable {
  package var values: [Int32] = []
  /// Where each list ends.
  var ends: [Int] = []

  package subscript(index: Int) -> ArraySlice<Int32> {
    values[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }
}
