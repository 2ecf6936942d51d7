import Distribution
import Formats
import Foundation

/// What a run's data were when a checkpoint was written: digests of the files that describe them,
/// and the images that could not be used.
struct DataState: Equatable {
  /// Size and CRC-32 of each file by the key of the configuration that names it.
  var files: [String: String] = [:]
  /// File names of the images that are left out, by stream.
  var leftOut: [String: [String]] = [:]

  private static let fileName = "data.json"

  /// The digests of files; a key without a file is left out.
  ///
  /// - Parameter paths: Keys and paths.
  /// - Returns: The digests by key.
  static func digests(of paths: [(key: String, path: String)]) -> [String: String] {
    var digests: [String: String] = [:]
    for (key, path) in paths {
      guard !path.isEmpty, let file = try? MappedFile(path: path) else { continue }
      digests[key] = withExtendedLifetime(file) {
        "\(file.bytes.count, "byte"), CRC-32 \(String(Checksum.crc32(file.bytes), radix: 16))"
      }
    }
    return digests
  }

  /// Adds, on rank 0, the images that other ranks leave out.
  ///
  /// - Parameters:
  ///   - world: The processes.
  ///   - iteration: The next step.
  /// - Throws: `FormatError` or `WorldError`.
  mutating func unite(among world: any World, iteration: Int) throws {
    guard world.size > 1 else { return }
    let own = JSONValue.object(leftOut.mapValues { .array($0.map { .string($0) }) })
    for bytes in try world.gathered(Array(own.text().utf8), Exchange("left out", iteration)) {
      let text = String(decoding: bytes, as: UTF8.self)
      for (stream, files) in try JSONValue(parsing: text, source: "left out").object ?? [:] {
        let known = Set(leftOut[stream] ?? [])
        leftOut[stream, default: []] += (files.array?.compactMap(\.string) ?? [])
          .filter { !known.contains($0) }
      }
    }
  }

  /// Reads what ``write(to:)`` wrote.
  ///
  /// - Parameter folder: The checkpoint's folder.
  /// - Returns: The state, or nil when the checkpoint is of a program that did not write it.
  /// - Throws: `FormatError` when the file is damaged.
  static func read(from folder: String) throws -> DataState? {
    let path = "\(folder)/\(fileName)"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let json = try JSONValue(contentsOf: path)
    guard let files = json["files"]?.object, let leftOut = json["left_out"]?.object else {
      throw FormatError(path, "\"files\" or \"left_out\" is missing; take another checkpoint")
    }
    return DataState(
      files: files.compactMapValues(\.string),
      leftOut: leftOut.mapValues { $0.array?.compactMap(\.string) ?? [] })
  }

  /// Writes a file of a checkpoint.
  ///
  /// - Parameter folder: The checkpoint's folder.
  /// - Throws: `FormatError` when the disk is full.
  func write(to folder: String) throws {
    let json: JSONValue = [
      "files": .object(files.mapValues { .string($0) }),
      "left_out": .object(leftOut.mapValues { .array($0.sorted().map { .string($0) }) }),
    ]
    try AtomicFile.write(
      Data((json.text(pretty: true) + "\n").utf8), to: "\(folder)/\(Self.fileName)")
  }

  /// One line for each file that is another one than that of a run's first part.
  ///
  /// - Parameter old: The state of the first part.
  /// - Returns: The lines, sorted.
  func changes(since old: DataState) -> [String] {
    files.sorted { $0.key < $1.key }.compactMap { key, digest in
      guard let before = old.files[key], before != digest else { return nil }
      return "\(key): the file has changed since the checkpoint (\(before), now \(digest)); the "
        + "run goes on with other data than it began with"
    }
  }
}

extension RunConfiguration.Data {
  /// The files that describe the data of a run, by key.
  var files: [(key: String, path: String)] {
    [
      ("data.train_annotations", trainAnnotations),
      ("data.alignment_annotations", alignmentAnnotations),
      ("data.caption_annotations", captionAnnotations), ("data.caption_classes", captionClasses),
      ("data.validation_annotations", validationAnnotations), ("data.class_split", classSplit),
    ]
  }
}
