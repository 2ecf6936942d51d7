import Formats
import Foundation
import Geometry

/// The layout of a kept index: "BARONIX4", the length and CRC-32 of the rest as 64-bit numbers, then
/// the file's mark and every column, each with the number of its elements before it.
private let magic = Array("BARONIX4".utf8)
private let headerSize = 24

/// Writes an index.
struct ColumnWriter {
  private var data = Data()

  static func write(_ index: AnnotationIndex, _ mark: FileMark, to path: String) throws {
    var writer = ColumnWriter()
    // Growing by doubling would take twice the memory.
    writer.data.reserveCapacity(index.annotationCount * 76 + index.imageCount * 128 + (1 << 20))
    writer.append(mark.location)
    writer.append([mark.size, mark.seconds, mark.nanoseconds])
    writer.append(mark.digest)
    writer.append(index.categories.map(\.id))
    writer.append(index.categories.map(\.name))
    writer.append(index.categories.map { $0.frequency?.rawValue ?? "" })
    writer.append(index.warnings)
    let images = index.images
    writer.append(images.ids)
    writer.append(images.fileNames)
    writer.append(images.widths)
    writer.append(images.heights)
    for lists in [images.absent, images.partial] {
      writer.append(lists.values)
      writer.append(lists.ends)
    }
    let annotations = index.annotations
    writer.append(annotations.ids)
    writer.append(annotations.images)
    writer.append(annotations.labels)
    writer.append(annotations.boxes)
    writer.append(annotations.areas)
    writer.append(annotations.flags)
    writer.append(annotations.segmentations)
    let body = writer.data
    var header = Data(magic)
    let checksum = body.withUnsafeBytes { Checksum.crc32($0) }
    for number in [UInt64(body.count), UInt64(checksum)] {
      withUnsafeBytes(of: number.littleEndian) { header.append(contentsOf: $0) }
    }
    try AtomicFile.write(to: path) { descriptor in
      for piece in [header, body] {
        try piece.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
      }
    }
  }

  private mutating func append<Element: BitwiseCopyable>(_ column: [Element]) {
    withUnsafeBytes(of: UInt64(column.count).littleEndian) { data.append(contentsOf: $0) }
    column.withUnsafeBytes { data.append(contentsOf: $0) }
  }

  private mutating func append(_ text: String) { append(Array(text.utf8)) }

  private mutating func append(_ texts: [String]) {
    append(texts.map { Int32($0.utf8.count) })
    append(texts.joined())
  }
}

/// Reads an index; every length is checked before it is used.
struct ColumnReader {
  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var position = headerSize

  init(_ file: MappedFile) throws {
    bytes = file.bytes
    path = file.path
    guard bytes.count >= headerSize, bytes.prefix(magic.count).elementsEqual(magic) else {
      throw FormatError(path, "is no index of this version")
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes[headerSize...])
    guard try number(at: 8) == body.count, try number(at: 16) == Int(Checksum.crc32(body)) else {
      throw damaged
    }
  }

  private var damaged: FormatError { FormatError(path, "is damaged") }

  private func number(at offset: Int) throws -> Int {
    guard offset + 8 <= bytes.count else { throw damaged }
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    guard let number = Int(exactly: UInt64(littleEndian: value)) else { throw damaged }
    return number
  }

  private mutating func column<Element: BitwiseCopyable>(_ type: Element.Type) throws -> [Element] {
    let count = try number(at: position)
    position += 8
    let stride = MemoryLayout<Element>.stride
    guard count <= (bytes.count - position) / stride else { throw damaged }
    let piece = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count * stride])
    position += piece.count
    return [Element](unsafeUninitializedCapacity: count) { target, filled in
      UnsafeMutableRawBufferPointer(target).copyMemory(from: piece)
      filled = count
    }
  }

  private mutating func texts() throws -> [String] {
    let lengths = try column(Int32.self)
    let joined = try column(UInt8.self)
    var start = 0
    return try lengths.map { length in
      let end = start + Int(length)
      guard length >= 0, end <= joined.count else { throw damaged }
      defer { start = end }
      return String(decoding: joined[start..<end], as: UTF8.self)
    }
  }

  /// The state of the file that was indexed.
  mutating func mark() throws -> FileMark {
    let stored = String(decoding: try column(UInt8.self), as: UTF8.self)
    let numbers = try column(Int.self)
    guard numbers.count == 3 else { throw damaged }
    return FileMark(
      location: stored, size: numbers[0], seconds: numbers[1], nanoseconds: numbers[2],
      digest: try column(UInt8.self))
  }

  /// The columns after the mark.
  mutating func index(path source: String) throws -> AnnotationIndex {
    var index = AnnotationIndex(emptyFor: source)
    let ids = try column(Int.self)
    let names = try texts()
    let frequencies = try texts()
    guard ids.count == names.count, ids.count == frequencies.count else { throw damaged }
    index.categories = ids.indices.map {
      COCOAnnotations.Category(
        id: ids[$0], name: names[$0], frequency: .init(rawValue: frequencies[$0]))
    }
    index.warnings = try texts()
    index.images.ids = try column(Int.self)
    index.images.fileNames = try texts()
    index.images.widths = try column(Int32.self)
    index.images.heights = try column(Int32.self)
    index.images.absent = RaggedLabels(
      values: try column(Int32.self), ends: try column(Int.self))
    index.images.partial = RaggedLabels(
      values: try column(Int32.self), ends: try column(Int.self))
    index.annotations.ids = try column(Int.self)
    index.annotations.images = try column(Int32.self)
    index.annotations.labels = try column(Int32.self)
    index.annotations.boxes = try column(FileBox.self)
    index.annotations.areas = try column(Double.self)
    index.annotations.flags = try column(UInt8.self)
    index.annotations.segmentations = try column(Int.self)
    guard position == bytes.count, Self.fits(index) else { throw damaged }
    return index
  }

  /// Whether the columns belong together and no number in them points outside of its list.
  private static func fits(_ index: AnnotationIndex) -> Bool {
    let images = index.images
    let annotations = index.annotations
    let labels = Int32(index.categories.count)
    func fits(_ lists: RaggedLabels) -> Bool {
      lists.ends.count == images.ids.count && (lists.ends.last ?? 0) == lists.values.count
        && lists.ends.indices.dropFirst().allSatisfy { lists.ends[$0 - 1] <= lists.ends[$0] }
        && lists.ends.first.map { $0 >= 0 } ?? true
        && lists.values.allSatisfy { 0 <= $0 && $0 < labels }
    }
    let imageCounts = [images.fileNames.count, images.widths.count, images.heights.count]
    let counts = [
      annotations.images.count, annotations.labels.count, annotations.boxes.count,
      annotations.areas.count, annotations.flags.count, annotations.segmentations.count,
    ]
    let imageCount = Int32(clamping: images.ids.count)
    return imageCounts.allSatisfy { $0 == images.ids.count }
      && counts.allSatisfy { $0 == annotations.ids.count } && fits(images.absent)
      && fits(images.partial)
      && annotations.images.allSatisfy { 0 <= $0 && $0 < imageCount }
      && annotations.labels.allSatisfy { -1 <= $0 && $0 < labels }
  }
}
