import Annotations
import Formats
import Masks

/// The images, categories and annotated objects that detections are scored against: an annotation
/// index seen by ids (spec evaluation 5.4, 5.5).
///
/// Masks are read when they are scored.
package struct GroundTruth: Sendable {
  /// The size of an image, which masks need.
  struct Frame: Sendable, Equatable {
    let id: Int
    /// In pixels; 0 when it is not given.
    var width = 0
    var height = 0
  }

  /// The annotations; an annotation of a category that is not listed is passed over.
  package let index: AnnotationIndex
  /// The mask of each annotation.
  let masks: MaskSource
  /// The images by ascending id, as positions in ``index``.
  let imageOrder: [Int32]
  /// The place in ``imageOrder`` of each image of ``index``.
  let ranks: [Int32]
  /// The place in ``imageOrder`` of each image id.
  let imageRanks: [Int: Int]
  /// The label of each category id.
  let labels: [Int: Int]

  /// What errors call it: the file's path.
  package var source: String { index.path }
  /// The categories by ascending id.
  package var categories: [COCOAnnotations.Category] { index.categories }
  /// What the file gets wrong without being useless, one line each.
  package var warnings: [String] { index.warnings }

  /// Reads a COCO or LVIS file, or takes its index from the cache.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: `DatasetError` with the place for a file that is missing, cut short, of the wrong
  ///   layout, or whose lists contradict one another.
  package init(contentsOf path: String) throws { try self.init(try AnnotationIndex(path: path)) }

  /// Looks at an indexed file.
  ///
  /// - Parameter index: The file's index.
  /// - Throws: `DatasetError` when the file is gone.
  package init(_ index: AnnotationIndex) throws {
    let places = index.annotations.segmentations
    guard places.contains(where: { $0 >= 0 }) else {
      self.init(index, masks: [])
      return
    }
    let file = try RecordCursor.open(index.path)
    self.init(index, masks: MaskSource(file, places: places, list: "annotations"))
  }

  /// Looks at an index whose masks are in memory: none, or one for each annotation.
  package init(_ index: AnnotationIndex, masks: [RunLengthMask?]) {
    self.init(index, masks: MaskSource(masks, source: index.path, list: "annotations"))
  }

  private init(_ index: AnnotationIndex, masks: MaskSource) {
    self.index = index
    self.masks = masks
    let ids = index.images.ids
    imageOrder = ids.indices.map { Int32($0) }.sorted { ids[Int($0)] < ids[Int($1)] }
    var ranks = [Int32](repeating: 0, count: ids.count)
    for (rank, image) in imageOrder.enumerated() { ranks[Int(image)] = Int32(rank) }
    self.ranks = ranks
    imageRanks = Dictionary(
      uniqueKeysWithValues: ids.enumerated().map { ($0.element, Int(ranks[$0.offset])) })
    labels = Dictionary(
      uniqueKeysWithValues: index.categories.enumerated().map { ($0.element.id, $0.offset) })
  }

  /// The frame of an image; without a size when the image is not listed.
  func frame(ofImage id: Int) -> Frame {
    imageRanks[id].map { frame(at: imageOrder[$0]) } ?? Frame(id: id)
  }

  /// The frame of an annotation's image.
  func frame(ofAnnotation number: Int) -> Frame { frame(at: index.annotations.images[number]) }

  private func frame(at image: Int32) -> Frame {
    let columns = index.images
    return Frame(
      id: columns.ids[Int(image)], width: Int(columns.widths[Int(image)]),
      height: Int(columns.heights[Int(image)]))
  }

  /// Checks that every id that detections name is known.
  static func check(
    _ ids: some Sequence<Int>, field: String, of file: String, areAmong known: [Int: Int],
    _ truth: String
  ) throws {
    var count = 0
    var first: (id: Int, number: Int)?
    for (number, id) in ids.enumerated() where known[id] == nil {
      count += 1
      first = first ?? (id, number)
    }
    guard let first else { return }
    throw EvaluationError.unknownReference(
      file: file, list: "results", field: field, count: count, first: first.id,
      record: "results[\(first.number)]", groundTruth: truth)
  }
}
