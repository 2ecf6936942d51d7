import Formats

/// The captions of images, by image id.
///
/// Read from a COCO caption file (`annotations` with `image_id` and `caption`) or from a file whose
/// image records carry a list `captions`.
public struct Captions: Sendable, Equatable {
  /// The captions of each captioned image, in file order.
  public let byImage: [Int: [String]]

  /// Creates captions from a table.
  ///
  /// - Parameter byImage: The captions of each image.
  public init(byImage: [Int: [String]]) { self.byImage = byImage }

  /// Reads a caption file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file or one without captions.
  public init(path: String) throws {
    var table: [Int: [String]] = [:]
    _ = try RecordCursor.readLists(["annotations", "images"], of: path) { list, scanner, cursor in
      try Self.record(of: list, &scanner, &cursor, into: &table)
    }
    guard !table.isEmpty else { throw DatasetError.noCaptions(in: path) }
    byImage = table
  }

  private static func record(
    of section: String, _ scanner: inout JSONScanner, _ cursor: inout RecordCursor,
    into table: inout [Int: [String]]
  ) throws {
    let isAnnotation = section == "annotations"
    var image = 0
    var captions: [String] = []
    let required = isAnnotation ? ["image_id", "caption"] : ["id"]
    try cursor.object(&scanner, required: required) { key, scanner, cursor in
      switch key {
      case "id" where !isAnnotation: cursor.id(try scanner.integer(), into: &image)
      case "image_id" where isAnnotation: image = try scanner.integer()
      case "caption" where isAnnotation: captions = [try scanner.string()]
      case "captions" where !isAnnotation:
        try scanner.beginArray()
        while try scanner.nextElement() { captions.append(try scanner.string()) }
      default: return false
      }
      return true
    }
    if !captions.isEmpty { table[image, default: []] += captions }
  }

  /// The captions of the images whose joined lower-case captions contain one of the names: the
  /// filter of the published caption file (spec 4.5), an option because it uses novel names.
  ///
  /// - Parameter names: Class names or synonyms.
  /// - Returns: The captions that pass.
  public func mentioning(anyOf names: [String]) -> Captions {
    let names = names.map { $0.lowercased() }
    return Captions(
      byImage: byImage.filter { _, captions in
        let text = captions.joined(separator: " ").lowercased()
        return names.contains { text.contains($0) }
      })
  }
}

extension DatasetError {
  static func noCaptions(in file: String) -> DatasetError {
    .record(
      file: file, place: "", field: "caption",
      reason: "no record has one; check that this is a caption file")
  }
}
