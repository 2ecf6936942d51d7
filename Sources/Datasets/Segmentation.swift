import Formats
import Masks

/// The outline or run lengths of an annotated object.
public enum Segmentation: Sendable, Equatable {
  /// The vertices of each part, `x1, y1, x2, y2, ...` in pixels.
  case polygons([[Double]])
  /// A mask.
  case runs(RunLengthMask)

  /// The object's mask (spec training 4.5).
  ///
  /// A polygon with fewer than six coordinates or an odd number of them is left out.
  ///
  /// - Parameters:
  ///   - width: The picture's width in pixels.
  ///   - height: The picture's height in pixels.
  /// - Returns: The mask, or nil when no polygon is left: the object is then to be ignored.
  /// - Throws: `MaskError` when the mask is of another size or a vertex is far outside.
  public func mask(width: Int, height: Int) throws(MaskError) -> RunLengthMask? {
    switch self {
    case .polygons(let polygons):
      let usable = polygons.filter { $0.count >= 6 && $0.count.isMultiple(of: 2) }
      guard !usable.isEmpty else { return nil }
      return try RunLengthMask(width: width, height: height, polygons: usable)
    case .runs(let mask):
      guard mask.width == width, mask.height == height else {
        throw MaskError.sizesDiffer(first: [mask.width, mask.height], second: [width, height])
      }
      return mask
    }
  }
}

/// Reads the segmentations of an indexed file one by one, from their places in it.
public final class SegmentationReader: Sendable {
  private let index: AnnotationIndex
  private let file: MappedFile

  /// Opens the indexed file.
  ///
  /// - Parameter index: The file's index.
  /// - Throws: ``DatasetError`` when the file is gone.
  public init(_ index: AnnotationIndex) throws {
    self.index = index
    do {
      file = try MappedFile(path: index.path)
    } catch let error as FormatError {
      throw DatasetError.record(file: index.path, place: "", field: "", reason: error.reason)
    }
  }

  /// The segmentation of an annotation.
  ///
  /// - Parameter position: The annotation's position in the index.
  /// - Returns: The segmentation, or nil when the file gives none.
  /// - Throws: ``DatasetError`` with the record when it is malformed.
  public func segmentation(at position: Int) throws -> Segmentation? {
    let offset = index.annotations.segmentations[position]
    guard offset >= 0 else { return nil }
    do {
      guard offset < file.bytes.count else {
        throw error(position, "lies behind the end of the file: it changed while it was in use")
      }
      var scanner = JSONScanner(file, at: offset)
      switch try scanner.peek() {
      case .null: return nil
      case .array: return .polygons(try Self.polygons(&scanner))
      default: return .runs(try runs(&scanner, position))
      }
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
  public func mask(at position: Int) throws -> RunLengthMask? {
    let image = index.image(at: index.annotation(at: position).image)
    do {
      return try segmentation(at: position)?.mask(width: image.width, height: image.height)
    } catch let fault as MaskError {
      throw error(position, "\(fault); the image has \(image.width)x\(image.height) pixels")
    }
  }

  private static func polygons(_ scanner: inout JSONScanner) throws -> [[Double]] {
    var polygons: [[Double]] = []
    try scanner.beginArray()
    while try scanner.nextElement() {
      var polygon: [Double] = []
      try scanner.beginArray()
      while try scanner.nextElement() { polygon.append(try scanner.number()) }
      polygons.append(polygon)
    }
    return polygons
  }

  private func runs(_ scanner: inout JSONScanner, _ position: Int) throws -> RunLengthMask {
    var size: [Int] = []
    var runs: [Int]?
    var text: String?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "size": size = try Self.integers(&scanner)
      case "counts":
        if try scanner.peek() == .string {
          text = try scanner.string()
        } else {
          runs = try Self.integers(&scanner)
        }
      default: try scanner.skipValue()
      }
    }
    guard size.count == 2 else {
      throw error(position, "has no \"size\" of two numbers; run lengths need [height, width]")
    }
    if let text { return try RunLengthMask(width: size[1], height: size[0], text: text) }
    guard let runs else {
      throw error(position, "has no \"counts\"; run lengths are a list of numbers or a text")
    }
    return try RunLengthMask(width: size[1], height: size[0], runs: runs)
  }

  private static func integers(_ scanner: inout JSONScanner) throws -> [Int] {
    var values: [Int] = []
    try scanner.beginArray()
    while try scanner.nextElement() { values.append(try scanner.integer()) }
    return values
  }

  private func error(_ position: Int, _ reason: String) -> DatasetError {
    .record(
      file: index.path, place: "annotations[\(position)] (id \(index.annotations.ids[position]))",
      field: "segmentation", reason: reason)
  }
}
