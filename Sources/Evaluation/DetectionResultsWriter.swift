import Formats
import Masks

/// Writes a COCO results file detection by detection, in constant memory.
///
/// ```swift
/// try DetectionResultsWriter.write(to: path) { writer in
///   for box in found { try writer.append(box) }
/// }
/// ```
package struct DetectionResultsWriter {
  private let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private static let flushSize = 1 << 16

  /// The number of detections written so far.
  package private(set) var count = 0

  private init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
    buffer.reserveCapacity(Self.flushSize + 512)
  }

  /// Writes a file; readers see the old file or the whole new one.
  ///
  /// - Parameters:
  ///   - path: The target's path; its folder must exist.
  ///   - body: Appends the detections.
  /// - Returns: The number of detections written.
  /// - Throws: `FormatError` when the file cannot be written, ``EvaluationError`` for a number
  ///   that is not finite, or what `body` throws; the target is then as it was.
  @discardableResult
  package static func write(
    to path: String, _ body: (inout DetectionResultsWriter) throws -> Void
  ) throws -> Int {
    var count = 0
    try AtomicFile.write(to: path) { descriptor in
      var writer = DetectionResultsWriter(path: path, descriptor: descriptor)
      writer.buffer.append(UInt8(ascii: "["))
      try body(&writer)
      writer.buffer.append(contentsOf: "\n]\n".utf8)
      try writer.flush()
      count = writer.count
    }
    return count
  }

  /// Appends one detection.
  ///
  /// A mask is written as `{"size": [height, width], "counts": text}`. Readers that score masks by
  /// the area of the box where both stand, as pycocotools does, want the boxes left out.
  ///
  /// - Parameters:
  ///   - box: The detection.
  ///   - mask: Its mask in the frame of the original image.
  /// - Throws: ``EvaluationError`` for a number that is not finite, `FormatError` for a full disk.
  package mutating func append(_ box: DetectionResult, mask: RunLengthMask? = nil) throws {
    try DetectionResults.check(box, count, path)
    buffer.append(contentsOf: (count == 0 ? "\n" : ",\n").utf8)
    Self.write(box, mask, to: &buffer)
    count += 1
    if buffer.count >= Self.flushSize { try flush() }
  }

  /// Detections as they stand in a file, wherever they were found.
  package struct Piece: Sendable, Equatable {
    /// The records, between commas.
    package let bytes: [UInt8]
    /// How many there are.
    package let count: Int

    package init(bytes: [UInt8], count: Int) {
      self.bytes = bytes
      self.count = count
    }

    /// Writes down detections.
    ///
    /// - Parameters:
    ///   - found: The detections with their masks.
    ///   - path: The file that they are for, which errors name.
    /// - Throws: ``EvaluationError`` for a number that is not finite.
    package init(_ found: [(box: DetectionResult, mask: RunLengthMask?)], for path: String) throws {
      var bytes: [UInt8] = []
      for (index, (box, mask)) in found.enumerated() {
        try DetectionResults.check(box, index, path)
        if index > 0 { bytes.append(contentsOf: ",\n".utf8) }
        DetectionResultsWriter.write(box, mask, to: &bytes)
      }
      self.init(bytes: bytes, count: found.count)
    }
  }

  /// Appends the detections of a piece.
  ///
  /// - Parameter piece: The piece.
  /// - Throws: `FormatError` for a full disk.
  package mutating func append(_ piece: Piece) throws {
    guard piece.count > 0 else { return }
    buffer.append(contentsOf: (count == 0 ? "\n" : ",\n").utf8)
    buffer.append(contentsOf: piece.bytes)
    count += piece.count
    if buffer.count >= Self.flushSize { try flush() }
  }

  private static func write(
    _ box: DetectionResult, _ mask: RunLengthMask?, to buffer: inout [UInt8]
  ) {
    let place = box.box.numbers.map(digits).joined(separator: ",")
    let text =
      "{\"image_id\":\(box.imageID),\"category_id\":\(box.categoryID),"
      + "\"bbox\":[\(place)],\"score\":\(score(box.score))"
    buffer.append(contentsOf: text.utf8)
    if let mask { write(mask, to: &buffer) }
    buffer.append(UInt8(ascii: "}"))
  }

  /// The digits of a number in pixels that single precision has, in which devices compute.
  private static func digits(_ value: Double) -> String {
    let single = Float(value)
    return single.isNormal || value == 0 ? "\(single)" : "\(value)"
  }

  /// The digits of a score that tell it from every other score.
  private static func score(_ value: Double) -> String {
    let single = Float(value)
    return Double(single) == value ? "\(single)" : "\(value)"
  }

  private static func write(_ mask: RunLengthMask, to buffer: inout [UInt8]) {
    let size = ",\"segmentation\":{\"size\":[\(mask.height),\(mask.width)],\"counts\":\""
    buffer.append(contentsOf: size.utf8)
    for byte in mask.text.utf8 {
      // Of the characters of compressed run lengths only the backslash needs an escape.
      if byte == UInt8(ascii: "\\") { buffer.append(byte) }
      buffer.append(byte)
    }
    buffer.append(contentsOf: "\"}".utf8)
  }

  private mutating func flush() throws {
    try buffer.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }
}
