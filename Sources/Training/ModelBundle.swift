import Annotations
import Checkpoints
import Formats
import Foundation

/// A trained model in one file: all that detection needs, on a machine that has nothing else.
///
/// The file is a zip archive of plainly stored parts that are read where they stand. Its first part,
/// `baron.json`, lists the others with their SHA-256 digests; ``BundleWriter`` says what they are.
package struct ModelBundle: Sendable {
  /// A class of the run's data set.
  package struct NamedClass: Sendable, Equatable {
    /// The name.
    package let name: String
    /// Whether training had boxes of it; nil when the run's split could not be read.
    package let isBase: Bool?

    package init(name: String, isBase: Bool?) {
      self.name = name
      self.isBase = isBase
    }
  }

  /// A part as the manifest lists it.
  package struct Part: Sendable, Equatable {
    /// The name in the archive.
    package let name: String
    /// The length in bytes.
    package let size: Int
    /// The SHA-256 of the content.
    package let digest: String
  }

  static let manifestName = BundleFile.manifest
  static let configurationName = "config.yaml"
  static let detectorName = BundleFile.detector
  static let clipFolder = "clip"
  static let classSplitName = "classes.json"
  static let thresholdsName = "thresholds.json"
  static let licencesName = "LICENCES.txt"
  static let format = "baron bundle"
  /// Increased when an older program could no longer read the file.
  static let version = 1
  /// The variable that stands for the file in paths of its configuration.
  static let variable = "BUNDLE"

  /// The file's path as it was given.
  package let path: String
  /// The classes of the run's data set by ascending id; empty when they were not known.
  package let classes: [NamedClass]
  /// How many iterations the detector was trained; nil for weights that do not say.
  package let iteration: Int?
  /// All parts but the manifest, in the order of the archive.
  package let parts: [Part]
  /// The manifest as a whole, for people and programs.
  package let manifest: JSONValue

  /// Whether a file is a bundle, whole or not, by its first bytes.
  ///
  /// - Parameter path: The file's path.
  package static func isBundle(_ path: String) -> Bool {
    (try? MappedFile.read(path) { BundleFile.isBundle($0) }) ?? false
  }

  /// Opens a bundle and compares every part with its digest.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: `FormatError` when the file is no bundle, of a newer version, cut short or damaged.
  package init(path: String) throws {
    self.path = path
    guard Self.isBundle(path) else {
      _ = try MappedFile(path: path)
      throw FormatError(
        path, "is no model in one file; 'baron export RUN -o model.baron' writes one")
    }
    let archive = try ZipArchive(path: path)
    guard let entry = archive.entry(named: Self.manifestName) else {
      throw FormatError(path, "has no \(Self.manifestName); copy or export it again")
    }
    let text = try archive.read(entry) { String(decoding: $0, as: UTF8.self) }
    let source = "\(path)/\(Self.manifestName)"
    let manifest = try JSONValue(parsing: text, source: source)
    func refuse(_ reason: String) -> FormatError { FormatError(source, reason) }
    guard manifest["format"]?.string == Self.format, let version = manifest["version"]?.integer
    else { throw refuse("does not describe a model; export it again") }
    guard version == Self.version else {
      throw refuse(
        "is of version \(version) and this program reads \(Self.version): use a newer baron")
    }
    self.manifest = manifest
    iteration = manifest["iteration"]?.integer
    parts = try (manifest["parts"]?.array ?? []).map { part in
      guard let name = part["name"]?.string, let size = part["bytes"]?.integer, size >= 0,
        let digest = part["sha256"]?.string
      else { throw refuse("lists a part without name, bytes or sha256; export it again") }
      return Part(name: name, size: size, digest: digest)
    }
    classes = try (manifest["classes"]?.array ?? []).map { entry in
      guard let name = entry["name"]?.string else {
        throw refuse("lists a class without a name; export it again")
      }
      return NamedClass(name: name, isBase: entry["base"]?.bool)
    }
    for name in [Self.configurationName, Self.detectorName]
    where !parts.contains(where: { $0.name == name }) {
      throw refuse("lists no \(name); export it again")
    }
    try compare(with: archive)
  }

  /// Compares the parts with their digests, side by side.
  private func compare(with archive: ZipArchive) throws {
    let sizes = parts.map(\.size)
    let order = parts.indices.sorted { sizes[$0] > sizes[$1] }
    let threads = Cores.usable
    _ = try Parallel.map(order, threads: threads, state: {}) { (_: inout Void, index: Int) in
      let part = parts[index]
      guard let entry = archive.entry(named: part.name) else {
        throw FormatError("\(path)/\(part.name)", "is missing; copy or download the file again")
      }
      let found = try archive.read(entry) { bytes in
        var digest = SHA256()
        digest.update(bytes)
        return digest.hexadecimal()
      }
      guard entry.size == part.size, found == part.digest else {
        throw FormatError(
          "\(path)/\(part.name)", "is damaged: its digest differs; copy or download the file again")
      }
    }
  }

  /// The path of a part, for readers of files.
  ///
  /// - Parameter part: The part's name.
  func path(of part: String) -> String { "\(path)/\(part)" }

  /// The configuration, with paths that lead into the file.
  ///
  /// - Parameter overrides: Changes, as ``RunConfiguration/load(_:overrides:)`` takes them.
  /// - Throws: `ConfigurationError` for a bad override, or for keys that this program does not know.
  func configuration(overrides: [String]) throws -> RunConfiguration {
    let folder = FileManager.default.currentDirectoryPath
    let absolute = path.hasPrefix("/") ? path : "\(folder)/\(path)"
    return try RunConfiguration.load(
      self.path(of: Self.configurationName), overrides: overrides,
      environment: ProcessInfo.processInfo.environment.merging([Self.variable: absolute]) { $1 },
      directory: folder)
  }

  /// From which scores on objects are worth showing, if the run had been evaluated.
  package var thresholds: RunThresholds? {
    guard parts.contains(where: { $0.name == Self.thresholdsName }) else { return nil }
    let part = self.path(of: Self.thresholdsName)
    return (try? JSONValue(contentsOf: part)).flatMap { RunThresholds($0, source: part) }
  }
}
