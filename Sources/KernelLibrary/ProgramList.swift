import Formats
import Foundation
import OpenCL

/// The programs that a configuration needed when it last compiled any, in order of use; before, those
/// that a similar one is known to need.
///
/// A hint of what to compile ahead at a first start and after an update of the driver or of the
/// kernels, which make all entries of the cache useless. What it lacks is compiled when it is needed;
/// what it has too much costs time, never a result.
package struct ProgramList {
  /// A program without what depends on the device.
  package struct Entry: Hashable, Sendable {
    /// The kernel file's stem.
    package let file: String
    /// Its parameters that differ from their defaults.
    package let parameters: [String: Int]

    /// Reads a line, for example `Pointwise STORAGE=1`.
    ///
    /// - Parameter line: The file and its parameters with spaces between.
    package init?(_ line: some StringProtocol) {
      let words = line.split(separator: " ")
      guard let first = words.first else { return nil }
      var parameters: [String: Int] = [:]
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let value = Int(parts[1]) else { return nil }
        parameters[String(parts[0])] = value
      }
      file = String(first)
      self.parameters = parameters
    }
  }

  let path: String
  /// What is taken while nothing is known of the configuration itself.
  let likely: [Entry]

  /// The list of a configuration on a kind of device.
  ///
  /// - Parameters:
  ///   - cache: The cache, which keeps the lists below its folder.
  ///   - family: Which kernels the device gets.
  ///   - configuration: What decides which kernels a step needs.
  ///   - likely: What it is likely to need before it was run here.
  package init(
    cache: ProgramCache, family: DeviceFamily, configuration: String, likely: [Entry] = []
  ) {
    var digest = SHA256()
    digest.update("\(family.rawValue) \(configuration)")
    path = "\(cache.folder)/lists/\(digest.hexadecimal()).txt"
    self.likely = likely
  }

  /// Keys as ``KernelLibrary/store(_:context:)`` takes them; empty when the configuration has not
  /// compiled anything here.
  func load() -> [String] {
    let text = (try? RegularFile.text(path)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  /// Keeps a list; one that cannot be written costs time at another start.
  func store(_ keys: [String]) {
    guard keys != load() else { return }
    try? FileManager.default.createDirectory(
      at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
    try? AtomicFile.write(Data((keys.joined(separator: "\n") + "\n").utf8), to: path)
  }
}
