import Formats
import Foundation

/// The text of an annotation file, cut so that its images and annotations can be written again and
/// again with other ids.
struct RepeatedAnnotations {
  /// A text with numbers between its pieces.
  private struct Record {
    /// One piece more than numbers.
    var pieces: [Data] = []
    var numbers: [Int] = []

    func append(to out: inout Data, adding offset: Int) {
      for (index, piece) in pieces.enumerated() {
        out.append(piece)
        if index < numbers.count { out.append(contentsOf: "\(numbers[index] + offset)".utf8) }
      }
    }
  }

  private var images: [Record] = []
  private var annotations: [Record] = []
  /// The other members of the file, as they stand there.
  private var rest: [(key: String, value: Data)] = []
  private var largestID = 0

  init(path: String) throws {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    var scanner = JSONScanner(file)
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "images": images = try records(&scanner, file)
      case "annotations": annotations = try records(&scanner, file)
      default: rest.append((key, Data(file.bytes[try scanner.skippedRange()])))
      }
    }
  }

  private mutating func records(
    _ scanner: inout JSONScanner, _ file: MappedFile
  ) throws -> [Record] {
    var records: [Record] = []
    try scanner.beginArray()
    while try scanner.nextElement() {
      var record = Record()
      var start = try scanner.offset()
      try scanner.beginObject()
      while let key = try scanner.nextKey() {
        guard key == "id" || key == "image_id" else {
          try scanner.skipValue()
          continue
        }
        let first = try scanner.offset()
        record.pieces.append(Data(file.bytes[start..<first]))
        let number = try scanner.integer()
        record.numbers.append(number)
        largestID = max(largestID, number)
        start = first + "\(number)".utf8.count
      }
      record.pieces.append(Data(file.bytes[start..<scanner.position]))
      records.append(record)
    }
    return records
  }

  /// Writes copies until a size is reached; gives the number of copies.
  func write(to path: String, bytes: Int) throws -> Int {
    let restSize = rest.reduce(0) { $0 + $1.value.count }
    var one = Data()
    for record in images + annotations { record.append(to: &one, adding: largestID) }
    let copies = max(1, (bytes - restSize) / max(1, one.count + images.count + annotations.count))
    try AtomicFile.write(to: path) { descriptor in
      var out = Data("{".utf8)
      func flush(over limit: Int) throws {
        guard out.count > limit else { return }
        try out.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
        out.removeAll(keepingCapacity: true)
      }
      for (key, value) in rest {
        out.append(contentsOf: "\"\(key)\":".utf8)
        out.append(value)
        out.append(0x2C)
      }
      for (key, records) in [("images", images), ("annotations", annotations)] {
        out.append(contentsOf: "\"\(key)\":[".utf8)
        for copy in 0..<copies {
          for (index, record) in records.enumerated() {
            if copy + index > 0 { out.append(0x2C) }
            record.append(to: &out, adding: copy * (largestID + 1))
          }
          try flush(over: 1 << 20)
        }
        out.append(contentsOf: (key == "images" ? "]," : "]}").utf8)
      }
      try flush(over: 0)
    }
    return copies
  }
}
