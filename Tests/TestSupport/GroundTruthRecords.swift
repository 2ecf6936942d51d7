import Annotations
import Evaluation
import Geometry
import Masks

/// Ground truth from records in memory, and records from ground truth.
extension GroundTruth {
  package typealias Category = COCOAnnotations.Category

  package struct Image {
    package var id: Int
    package var absentCategories: [Int]
    package var partialCategories: [Int]
    package var width: Int
    package var height: Int

    package init(
      id: Int, absentCategories: [Int] = [], partialCategories: [Int] = [], width: Int = 0,
      height: Int = 0
    ) {
      self.id = id
      self.absentCategories = absentCategories
      self.partialCategories = partialCategories
      self.width = width
      self.height = height
    }
  }

  package struct Annotation {
    package var id: Int?
    package var imageID: Int
    package var categoryID: Int
    package var box: FileBox
    package var area: Double
    package var isCrowd: Bool
    package var isIgnored: Bool

    package init(
      id: Int? = nil, imageID: Int, categoryID: Int, box: FileBox, area: Double? = nil,
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

  package init(
    source: String, images: [Image], categories: [Category], annotations: [Annotation],
    masks: [RunLengthMask?] = []
  ) throws {
    var builder = AnnotationIndexBuilder(path: source)
    for category in categories { builder.append(category) }
    for image in images {
      var entry = AnnotationIndexBuilder.ImageEntry()
      entry.id = image.id
      entry.width = Int32(image.width)
      entry.height = Int32(image.height)
      entry.absent = image.absentCategories
      entry.partial = image.partialCategories
      builder.append(entry)
    }
    for annotation in annotations {
      var entry = AnnotationIndexBuilder.AnnotationEntry()
      entry.id = annotation.id
      entry.image = annotation.imageID
      entry.category = annotation.categoryID
      entry.box = annotation.box
      entry.area = annotation.area
      if annotation.isCrowd { entry.flags.insert(.crowd) }
      if annotation.isIgnored { entry.flags.insert(.ignored) }
      builder.append(entry)
    }
    self.init(try builder.index(), masks: masks)
  }

  /// The images in file order.
  package var images: [Image] {
    let columns = index.images
    func ids(_ lists: RaggedLabels, _ image: Int) -> [Int] {
      lists[image].map { categories[Int($0)].id }
    }
    return columns.ids.indices.map { image in
      Image(
        id: columns.ids[image], absentCategories: ids(columns.absent, image),
        partialCategories: ids(columns.partial, image), width: Int(columns.widths[image]),
        height: Int(columns.heights[image]))
    }
  }

  /// The annotations in file order, those of unknown categories left out.
  package var annotations: [Annotation] {
    let columns = index.annotations
    return columns.labels.indices.filter { columns.labels[$0] >= 0 }.map { number in
      let area = columns.areas[number]
      let flags = AnnotationIndex.Flags(rawValue: columns.flags[number])
      return Annotation(
        imageID: index.images.ids[Int(columns.images[number])],
        categoryID: categories[Int(columns.labels[number])].id,
        box: columns.boxes[number],
        area: area.isNaN ? nil : area, isCrowd: flags.contains(.crowd),
        isIgnored: flags.contains(.ignored))
    }
  }
}
