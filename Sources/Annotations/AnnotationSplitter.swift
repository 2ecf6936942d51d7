import Formats
import Foundation

/// Divides an annotation file into one file for each part of a split, record by record.
///
/// Every record is copied byte for byte, so ids and fields that this program does not know stay as
/// they are. As in the published files (spec training 4.5) all images and all categories are kept and
/// only the annotations are chosen. A compact file leaves out images without an annotation, and in
/// COCO categories of other parts; images of LVIS name categories that they do not have.
package struct AnnotationSplitter {
  /// One file to write.
  package struct Part: Sendable, Equatable {
    /// The file's path.
    package let path: String
    /// The labels whose annotations it gets.
    package let labels: Set<Int>
    /// The images that it gets with their annotations, by position; nil for all.
    package let images: Set<Int>?

    package init(path: String, labels: Set<Int>, images: Set<Int>? = nil) {
      self.path = path
      self.labels = labels
      self.images = images
    }
  }

  /// What went into a file.
  package struct Summary: Sendable, Equatable {
    /// The number of images.
    package internal(set) var images = 0
    /// The number of annotations.
    package internal(set) var annotations = 0
    /// The number of categories.
    package internal(set) var categories = 0
    /// The number of images with an annotation in the file.
    package internal(set) var imagesWithAnnotations = 0
  }

  private let index: AnnotationIndex
  private let isCompact: Bool

  package init(_ index: AnnotationIndex, isCompact: Bool) {
    self.index = index
    self.isCompact = isCompact
  }

  /// Writes the files, each whole or not at all.
  ///
  /// - Parameter parts: The files; their folder must exist.
  /// - Returns: A summary for each part.
  /// - Throws: ``DatasetError`` or `FormatError` when the file changed or a file cannot be written.
  package func write(_ parts: [Part]) throws -> [Summary] { try parts.map(write) }

  private func write(_ part: Part) throws -> Summary {
    var summary = Summary()
    let annotated = annotatedImages(part.labels)
    summary.imagesWithAnnotations = annotated.count { $0 }
    let labels = Dictionary(
      uniqueKeysWithValues: index.categories.enumerated().map { ($0.element.id, $0.offset) })
    try AtomicFile.write(to: part.path) { descriptor in
      var writer = RawJSONWriter(path: part.path, descriptor: descriptor)
      let file = try MappedFile.text(index.path)
      defer { withExtendedLifetime(file) {} }
      var scanner = JSONScanner(file)
      try scanner.beginObject()
      try writer.append("{")
      var isFirst = true
      while let key = try scanner.nextKey() {
        try writer.append((isFirst ? "" : ",\n") + JSONValue.string(key).text() + ":")
        isFirst = false
        switch key {
        case "images":
          summary.images = try copyList(&scanner, file, &writer, index.imageCount) { number, _ in
            part.images?.contains(number) ?? (!isCompact || annotated[number])
          }
        case "annotations":
          summary.annotations = try copyList(&scanner, file, &writer, index.annotationCount) {
            number, _ in
            part.labels.contains(Int(index.annotations.labels[number]))
              && part.images?.contains(Int(index.annotations.images[number])) ?? true
          }
        case "categories":
          summary.categories = try copyList(&scanner, file, &writer, index.categories.count) {
            _, range in
            guard isCompact, !index.isLVIS else { return true }
            var record = JSONScanner(file, at: range.lowerBound)
            var cursor = RecordCursor(file: index.path)
            let id = try COCOAnnotations.Category(reading: &record, &cursor).id
            return labels[id].map { part.labels.contains($0) } ?? false
          }
        default: try writer.append(file.bytes[try scanner.skippedRange()])
        }
      }
      // Checks as well that the file did not become shorter while its records were copied.
      try scanner.end()
      try writer.append("}\n")
      try writer.flush()
    }
    return summary
  }

  private func annotatedImages(_ labels: Set<Int>) -> [Bool] {
    var annotated = [Bool](repeating: false, count: index.imageCount)
    for (label, image) in zip(index.annotations.labels, index.annotations.images)
    where labels.contains(Int(label)) { annotated[Int(image)] = true }
    return annotated
  }

  /// Copies the records of a list that `isKept` chooses by number and place; gives their number.
  private func copyList(
    _ scanner: inout JSONScanner, _ file: MappedFile, _ writer: inout RawJSONWriter, _ count: Int,
    _ isKept: (Int, Range<Int>) throws -> Bool
  ) throws -> Int {
    var number = 0
    var kept = 0
    try scanner.beginArray()
    try writer.append("[")
    while try scanner.nextElement() {
      let range = try scanner.skippedRange()
      guard number < count else { throw changed }
      if try isKept(number, range) {
        try writer.append(kept == 0 ? "\n" : ",\n")
        try writer.append(file.bytes[range])
        kept += 1
      }
      number += 1
      scanner.releaseBehind()
    }
    guard number == count else { throw changed }
    try writer.append("]")
    return kept
  }

  private var changed: DatasetError {
    .record(
      file: index.path, place: "", field: "", reason: "changed while it was read; run it again")
  }
}

/// Collects bytes and writes them in large pieces.
private struct RawJSONWriter {
  let path: String
  let descriptor: Int32
  private var buffer: [UInt8] = []

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  mutating func append(_ text: String) throws { try append(Array(text.utf8)) }

  mutating func append(_ bytes: some Collection<UInt8>) throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 20 { try flush() }
  }

  mutating func flush() throws {
    try buffer.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }
}
