import Formats
import Masks

extension SegmentationRecord {
  /// The object's mask as training takes it: a polygon with fewer than six coordinates or an odd number
  /// of them is left out (spec training 4.5).
  ///
  /// - Parameters:
  ///   - width: The picture's width in pixels.
  ///   - height: The picture's height in pixels.
  /// - Returns: The mask, or nil when no polygon is left: the object is then to be ignored.
  /// - Throws: `MaskError` when the mask is of another size or a vertex is far outside.
  package func usableMask(width: Int, height: Int) throws(MaskError) -> RunLengthMask? {
    guard case .polygons(let polygons) = self else { return try mask(width: width, height: height) }
    let usable = polygons.filter(Self.isUsable)
    return usable.isEmpty
      ? nil : try RunLengthMask(width: width, height: height, polygons: usable)
  }
}

extension SegmentationRecord {
  /// Whether a polygon has three corners and no half one.
  static func isUsable(_ polygon: [Double]) -> Bool {
    polygon.count >= 6 && polygon.count.isMultiple(of: 2)
  }
}

/// Reads the segmentations of an indexed file one by one, from their places in it.
package final class SegmentationReader: Sendable {
  private let index: AnnotationIndex
  private let file: MappedFile

  /// Opens the indexed file.
  ///
  /// - Parameter index: The file's index.
  /// - Throws: ``DatasetError`` when the file is gone.
  package init(_ index: AnnotationIndex) throws {
    self.index = index
    file = try RecordCursor.open(index.path)
  }

  /// The segmentation of an annotation.
  ///
  /// - Parameter position: The annotation's position in the index.
  /// - Returns: The segmentation, or nil when the file gives none.
  /// - Throws: ``DatasetError`` with the record when it is malformed.
  package func segmentation(at position: Int) throws -> SegmentationRecord? {
    let offset = index.annotations.segmentations[position]
    guard offset >= 0 else { return nil }
    do {
      guard offset < file.bytes.count else {
        throw error(position, "lies behind the end of the file: it changed while it was in use")
      }
      var scanner = JSONScanner(file, at: offset)
      return try scanner.peek() == .null ? nil : SegmentationRecord(reading: &scanner)
    } catch let fault as MaskError {
      throw error(position, "\(fault)")
    } catch let fault as FormatError {
      throw error(position, "\(fault.reason) (\(fault.place))")
    }
  }

  /// The mask of an annotation in the frame of its image.
  ///
  /// - Parameter position: The annotation's position in the index.
  /// - Returns: The mask, or nil when there is none or its polygons are too short.
  /// - Throws: ``DatasetError`` with the record when it is malformed or does not fit its image.
  package func mask(at position: Int) throws -> RunLengthMask? {
    let image = index.image(at: index.annotation(at: position).image)
    do {
      return try segmentation(at: position)?.usableMask(
        width: image.width, height: image.height)
    } catch let fault as MaskError {
      throw error(position, "\(fault); the image has \(image.width)x\(image.height) pixels")
    }
  }

  /// Whether an annotation has a mask that trains: run lengths, or a polygon of three corners.
  ///
  /// - Parameter position: The annotation's position in the index.
  /// - Returns: False as well for a mask that is malformed.
  package func hasMask(at position: Int) -> Bool {
    guard let record = try? segmentation(at: position) else { return false }
    guard case .polygons(let polygons) = record else { return true }
    return polygons.contains { SegmentationRecord.isUsable($0) }
  }

  private func error(_ position: Int, _ reason: String) -> DatasetError {
    .record(
      file: index.path, place: index.place(ofAnnotation: position), field: "segmentation",
      reason: reason)
  }
}
