import Formats
import Foundation
import Testing

/// One file of peer numbers: named tensors and the parameters they were computed with.
///
/// Read by code of its own, so that the product's safetensors reader does not test itself.
package struct Fixture: Sendable {
  /// The folder of the fixture set: `$BARON_FIXTURES`, else `fixtures` in ``sharedFolder``.
  package static let folder: String = {
    let environment = ProcessInfo.processInfo.environment
    if let chosen = environment["BARON_FIXTURES"], !chosen.isEmpty { return chosen }
    return sharedFolder + "/fixtures"
  }()

  /// The folder of shared test data: `$BARON_SHARED`, else `../shared`.
  package static let sharedFolder: String = {
    let chosen = ProcessInfo.processInfo.environment["BARON_SHARED"] ?? ""
    // Whole, as commands run in folders of their own.
    return URL(filePath: chosen.isEmpty ? "../shared" : chosen).standardizedFileURL.path
  }()

  /// Whether the fixture set is there; suites are enabled by it and otherwise show as skipped.
  package static let available = FileManager.default.fileExists(atPath: folder + "/README.md")

  /// Whether the shared test data is there.
  package static let dataAvailable = FileManager.default.fileExists(
    atPath: sharedFolder + "/data/README.md")

  /// All fixture files of a folder whose name starts with a prefix, sorted; paths below the set.
  ///
  /// - Parameters:
  ///   - directory: The folder below the set, for example `conv`.
  ///   - prefix: What the name starts with.
  /// - Returns: Paths for ``init(_:)``; empty when the set is not there.
  package static func files(_ directory: String, prefix: String = "") -> [String] {
    let names =
      (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(directory)")) ?? []
    return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".safetensors") }.sorted()
      .map { "\(directory)/\($0)" }
  }

  /// The path below the set, for messages.
  package let name: String
  /// Every hyperparameter.
  package let params: JSONValue
  /// Relative tolerance that the file asks for.
  package let relative: Double
  /// Absolute tolerance, times max(1, largest wanted value).
  package let absolute: Double
  private let shapes: [String: [Int]]
  private let values: [String: [Float]]
  private let integerValues: [String: [Int32]]

  /// Reads a fixture.
  ///
  /// - Parameter name: The path below the set, for example `conv/conv2d_1x1.safetensors`.
  /// - Throws: `FormatError` when the file is missing or broken.
  package init(_ name: String) throws {
    try self.init(path: "\(Self.folder)/\(name)", name: name)
  }

  /// Reads a file of the same form that lies elsewhere.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - name: What messages call it.
  /// - Throws: `FormatError` when the file is missing or broken.
  package init(path: String, name: String) throws {
    self.name = name
    let file = try MappedFile(path: path)
    let length = Int(file.bytes.loadUnaligned(as: UInt64.self).littleEndian)
    let text = String(decoding: file.bytes[8..<8 + length], as: UTF8.self)
    let header = try JSONValue(parsing: text, source: path)
    let metadata = try JSONValue(
      parsing: header["__metadata__"]?["json"]?.string ?? "{}", source: path)
    params = metadata["params"] ?? .object([:])
    relative = metadata["tolerance"]?["rtol"]?.number ?? 1e-4
    absolute = metadata["tolerance"]?["atol"]?.number ?? 1e-5
    var shapes: [String: [Int]] = [:]
    var floats: [String: [Float]] = [:]
    var integers: [String: [Int32]] = [:]
    for (key, entry) in header.object ?? [:] where key != "__metadata__" {
      let range = (entry["data_offsets"]?.array ?? []).compactMap(\.integer)
      guard range.count == 2, let type = entry["dtype"]?.string else {
        throw FormatError(path, "tensor \(key) has no offsets or type")
      }
      let bytes = UnsafeRawBufferPointer(
        rebasing: file.bytes[(8 + length + range[0])..<(8 + length + range[1])])
      shapes[key] = (entry["shape"]?.array ?? []).compactMap(\.integer)
      switch type {
      case "F32":
        floats[key] = (0..<bytes.count / 4).map {
          bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
        }
      case "I32":
        integers[key] = (0..<bytes.count / 4).map {
          bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)
        }
      case "U8": integers[key] = bytes.map { Int32($0) }
      default: throw FormatError(path, "tensor \(key) has the unexpected type \(type)")
      }
    }
    self.shapes = shapes
    values = floats
    integerValues = integers
  }

  /// Reads a fixture that lies in the repository, in `Tests/Fixtures`.
  ///
  /// - Parameter name: The file's name without its ending; `Tests/Peers` has the script of that name.
  /// - Throws: `FormatError` when the file is missing or broken.
  package init(ofRepository name: String) throws {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    try self.init(path: tests.appending(path: "Fixtures/\(name).safetensors").path, name: name)
  }

  /// All tensor names, sorted.
  package var names: [String] { shapes.keys.sorted() }

  /// Whether a tensor is there.
  ///
  /// - Parameter key: Its name.
  /// - Returns: True if so.
  package func has(_ key: String) -> Bool { shapes[key] != nil }

  /// A tensor's sizes.
  ///
  /// - Parameter key: Its name.
  /// - Returns: The sizes as stored.
  /// - Throws: `FormatError` when the fixture has no such tensor.
  package func shape(_ key: String) throws -> [Int] {
    guard let shape = shapes[key] else { throw FormatError(name, "no tensor \(key)") }
    return shape
  }

  /// A float tensor's elements.
  ///
  /// - Parameter key: Its name.
  /// - Returns: Row-major elements.
  /// - Throws: `FormatError` when the fixture has no such tensor.
  package func floats(_ key: String) throws -> [Float] {
    guard let found = values[key] else { throw FormatError(name, "no float tensor \(key)") }
    return found
  }

  /// An integer tensor's elements.
  ///
  /// - Parameter key: Its name.
  /// - Returns: Row-major elements.
  /// - Throws: `FormatError` when the fixture has no such tensor.
  package func integers(_ key: String) throws -> [Int32] {
    guard let found = integerValues[key] else { throw FormatError(name, "no int tensor \(key)") }
    return found
  }

  /// A numeric parameter.
  ///
  /// - Parameter key: Its name in `params`.
  /// - Throws: `FormatError` when there is none.
  package func number(_ key: String) throws -> Double {
    guard let value = params[key]?.number else { throw FormatError(name, "no parameter \(key)") }
    return value
  }

  /// A whole parameter.
  ///
  /// - Parameter key: Its name in `params`.
  /// - Throws: `FormatError` when there is none.
  package func integer(_ key: String) throws -> Int {
    guard let value = params[key]?.integer else { throw FormatError(name, "no parameter \(key)") }
    return value
  }
}
