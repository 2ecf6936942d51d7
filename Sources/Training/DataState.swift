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
  /// The same for each replica, where processes have not left out the same.
  ///
  /// A picture may be damaged on one machine alone, and a run that goes on must not leave it out on
  /// the others too.
  var leftOutByReplica: [[String: [String]]] = []

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

  /// Takes, on rank 0, what each rank leaves out.
  ///
  /// - Parameters:
  ///   - world: The processes.
  ///   - share: The replicas of this one; each has as many.
  ///   - iteration: The next step.
  /// - Throws: `FormatError` or `WorldError`.
  mutating func unite(among world: any World, share: ReplicaShare, iteration: Int) throws {
    guard world.size > 1 else { return }
    let own = Array(Self.json(leftOut).text().utf8)
    let all = try world.gathered(own, Exchange("left out", iteration)).map { bytes in
      Self.files(
        of: try JSONValue(parsing: String(decoding: bytes, as: UTF8.self), source: "left out"))
    }
    guard let first = all.first, all.contains(where: { $0 != first }) else { return }
    leftOutByReplica = all.flatMap { Array(repeating: $0, count: share.own.count) }
    leftOut = Self.union(all)
  }

  /// What is left out for some replicas of a run.
  ///
  /// - Parameter replicas: Their numbers; with more replicas than before these take turns.
  func leftOut(of replicas: Range<Int>) -> [String: [String]] {
    guard !leftOutByReplica.isEmpty else { return leftOut }
    return Self.union(replicas.map { leftOutByReplica[$0 % leftOutByReplica.count] })
  }

  private static func union(_ all: [[String: [String]]]) -> [String: [String]] {
    all.reduce(into: [:]) { union, files in
      union.merge(files) { Set($0).union($1).sorted() }
    }
  }

  private static func json(_ files: [String: [String]]) -> JSONValue {
    .object(files.mapValues { .array($0.sorted().map { .string($0) }) })
  }

  private static func files(of json: JSONValue) -> [String: [String]] {
    (json.object ?? [:]).mapValues { $0.array?.compactMap(\.string) ?? [] }
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
    guard let files = json["files"]?.object, let leftOut = json["left_out"],
      leftOut.object != nil
    else {
      throw FormatError(path, "\"files\" or \"left_out\" is missing; take another checkpoint")
    }
    return DataState(
      files: files.compactMapValues(\.string), leftOut: Self.files(of: leftOut),
      leftOutByReplica: (json["left_out_by_replica"]?.array ?? []).map(Self.files))
  }

  /// Writes a file of a checkpoint.
  ///
  /// - Parameter folder: The checkpoint's folder.
  /// - Throws: `FormatError` when the disk is full.
  func write(to folder: String) throws {
    var fields: [String: JSONValue] = [
      "files": .object(files.mapValues { .string($0) }), "left_out": Self.json(leftOut),
    ]
    if !leftOutByReplica.isEmpty {
      fields["left_out_by_replica"] = .array(leftOutByReplica.map(Self.json))
    }
    let text = JSONValue.object(fields).text(pretty: true) + "\n"
    try AtomicFile.write(Data(text.utf8), to: "\(folder)/\(Self.fileName)")
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
