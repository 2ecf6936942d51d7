import Formats
import Geometry

/// The classes, images and boxes of a COCO-format detection file, filtered for training (spec training 4.5).
///
/// LVIS files are read as well: an image without `file_name` takes the last folder and the name of
/// `coco_url`, and a missing `iscrowd` means no crowd. Masks stay in the file: ``SegmentationReader`` gets them with
/// ``index``. The index of a large file is kept in the user's cache (``AnnotationIndexCache``).
package struct COCOAnnotations: Sendable {
  /// How many training images an LVIS category appears in: fewer than 10, up to 99, or more.
  package enum Frequency: String, Sendable, CaseIterable {
    case rare = "r"
    case common = "c"
    case frequent = "f"
  }

  /// One class of the file.
  package struct Category: Sendable, Equatable {
    /// The id that the file uses, sparse in COCO.
    package let id: Int
    /// The name.
    package let name: String
    /// LVIS: the frequency group; nil elsewhere.
    package let frequency: Frequency?

    package init(id: Int, name: String, frequency: Frequency? = nil) {
      self.id = id
      self.name = name
      self.frequency = frequency
    }
  }

  /// One box of an image.
  package struct Object: Sendable, Equatable {
    /// The annotation's id; nil when the file gives none.
    package let id: Int?
    /// The box in pixels of the original image, not clipped to it.
    package let box: Box
    /// The index of the class in ``COCOAnnotations/categories``.
    package let label: Int
    /// The area that the file gives (of the mask), or width times height, in square pixels.
    package let area: Double
    /// The annotation's position in the file's index; nil when it is of no file.
    package let position: Int?

    package init(id: Int?, box: Box, label: Int, area: Double, position: Int? = nil) {
      self.position = position
      self.id = id
      self.box = box
      self.label = label
      self.area = area
    }

    /// Whether two objects say the same, wherever they stand in their files.
    package static func == (one: Object, other: Object) -> Bool {
      one.id == other.id && one.box == other.box && one.label == other.label
        && one.area == other.area
    }
  }

  /// One image with its boxes or captions.
  package struct ImageRecord: Sendable, Equatable {
    /// The image's id.
    package let id: Int
    /// The file's name below the image folder; empty when the file gives none.
    package let fileName: String
    /// The width in pixels; 0 when the file gives none.
    package let width: Int
    /// The height in pixels; 0 when the file gives none.
    package let height: Int
    /// The boxes that train, in file order.
    package internal(set) var objects: [Object]
    /// Crowds and objects to be ignored: never positive, never in the distillation list, no protection from being
    /// background.
    package internal(set) var crowds: [Object]
    /// The classes of all annotations that the file has for the image, those of crowd and dropped
    /// boxes included: the image filter of the reference counts them.
    package internal(set) var annotatedLabels: Set<Int>
    /// The sentences that describe it, when the file is one of captions.
    package internal(set) var captions: [String] = []

    /// Creates an image.
    ///
    /// - Parameters:
    ///   - id: The image's id.
    ///   - fileName: The file's name below the image folder.
    ///   - width: The width in pixels.
    ///   - height: The height in pixels.
    ///   - objects: The boxes.
    ///   - crowds: The crowd boxes.
    package init(
      id: Int, fileName: String, width: Int, height: Int, objects: [Object] = [],
      crowds: [Object] = []
    ) {
      self.id = id
      self.fileName = fileName
      self.width = width
      self.height = height
      self.objects = objects
      self.crowds = crowds
      annotatedLabels = Set((objects + crowds).map(\.label))
    }
  }

  /// The file's path.
  package let path: String
  /// All that the file says, in columns, nothing filtered: the way to masks and LVIS fields.
  package let index: AnnotationIndex
  /// The classes by ascending id; a label is an index into this list.
  package let categories: [Category]
  /// The images in file order, those without boxes included.
  package let images: [ImageRecord]
  /// What was kept and dropped.
  package let report: LoadReport

  /// Loads and filters a file.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - names: The classes whose boxes are kept, nil for all; labels keep their numbers.
  /// - Throws: ``DatasetError`` as ``AnnotationIndex/init(reading:)``, or for an unknown name.
  package init(path: String, keeping names: [String]? = nil) throws {
    try self.init(try AnnotationIndex(path: path), keeping: names)
  }

  /// Filters an indexed file.
  ///
  /// - Parameters:
  ///   - index: The file's index.
  ///   - names: The classes whose boxes are kept, nil for all; labels keep their numbers.
  /// - Throws: ``DatasetError`` for an unknown name.
  package init(_ index: AnnotationIndex, keeping names: [String]? = nil) throws {
    let path = index.path
    let categories = index.categories
    let wanted = try names.map { Set(try categories.labels(of: $0, source: path)) }
    var images = (0..<index.imageCount).map { index.image(at: $0) }
    var report = LoadReport()
    for number in 0..<index.annotationCount {
      let entry = index.annotation(at: number)
      let position = entry.image
      guard let label = entry.label else { continue }
      if let wanted, !wanted.contains(label) {
        report.otherClasses += 1
        continue
      }
      images[position].annotatedLabels.insert(label)
      if let fault = Self.fault(of: entry, in: images[position]) {
        report.drop(fault, index.place(ofAnnotation: number))
        continue
      }
      let object = Object(
        id: index.id(ofAnnotation: number), box: Box(entry.box), label: label, area: entry.area,
        position: number)
      if entry.isSetAside {
        images[position].crowds.append(object)
        report.crowdBoxes += 1
      } else {
        if entry.box.reaches(beyond: images[position]) {
          report.beyond.count(index.place(ofAnnotation: number))
        }
        images[position].objects.append(object)
        report.boxes += 1
      }
    }
    report.images = images.count
    report.imagesWithoutBoxes = images.count { $0.objects.isEmpty }
    self.path = path
    self.index = index
    self.categories = categories
    self.images = images
    self.report = report
  }

  /// Why a box cannot train, or nil; emptiness first, so that its message is the helpful one.
  private static func fault(
    of entry: AnnotationIndex.Annotation, in image: ImageRecord
  ) -> LoadReport.Drop? {
    let box = entry.box
    if entry.area <= 0 || box.width <= 0 || box.height <= 0 { return .emptyArea }
    // Of an image without a size no box is known to lie outside.
    let frame = FileBox(
      x: 0, y: 0, width: image.width > 0 ? Double(image.width) : .infinity,
      height: image.height > 0 ? Double(image.height) : .infinity)
    if box.overlap(with: frame) <= 0 { return .outsideImage }
    if box.width < 1 { return .tooNarrow }
    return box.height < 1 ? .tooLow : nil
  }

  /// The images of a stream (spec training 4.5, image filter); those without a size are none of them.
  ///
  /// - Parameters:
  ///   - labels: Keep images with an annotation of one of these classes; nil keeps all images.
  ///   - minimumSide: The smallest width and height kept, in pixels.
  /// - Returns: Indices into ``images``, ascending.
  package func imageIndices(annotatedWith labels: Set<Int>?, minimumSide: Int) -> [Int] {
    images.indices.filter { index in
      let image = images[index]
      // Without a size there is no picture that could be read.
      guard min(image.width, image.height) >= max(1, minimumSide) else { return false }
      return labels.map { !image.annotatedLabels.isDisjoint(with: $0) } ?? true
    }
  }
}

extension FileBox {
  /// Whether a box ends more than a pixel right of or below an image whose size is known.
  fileprivate func reaches(beyond image: COCOAnnotations.ImageRecord) -> Bool {
    image.width > 0 && x2 > Double(image.width) + 1
      || image.height > 0 && y2 > Double(image.height) + 1
  }
}

extension [COCOAnnotations.Category] {
  /// The labels of class names.
  ///
  /// - Parameters:
  ///   - names: The names, spelt as in the file.
  ///   - source: The file, for the error.
  /// - Returns: One label for each name.
  /// - Throws: ``DatasetError`` with the nearest name when one is not in the list.
  package func labels(of names: [String], source: String) throws -> [Int] {
    let table = Dictionary(enumerated().map { ($0.element.name, $0.offset) }) { first, _ in first }
    return try names.map { name in
      guard let label = table[name] else {
        throw DatasetError.unknownClass(
          name: name, source: source, nearest: NearestName.of(name, among: map(\.name)))
      }
      return label
    }
  }
}
