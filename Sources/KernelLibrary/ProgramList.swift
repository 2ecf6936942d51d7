import Formats
import Foundation
import OpenCL

/// The programs that a configuration needed when it last compiled any, in order of use.
///
/// A hint of what to compile ahead after an update of the driver or of the kernels, which make all
/// entries of the cache useless. What it lacks is compiled when it is needed; what it has too much
/// costs time, never a result.
package struct ProgramList {
  let path: String

  /// The list of a configuration on a kind of device.
  ///
  /// - Parameters:
  ///   - cache: The cache, which keeps the lists below its folder.
  ///   - family: Which kernels the device gets.
  ///   - configuration: What decides which kernels a step needs.
  package init(cache: ProgramCache, family: DeviceFamily, configuration: String) {
    var digest = SHA256()
    digest.update("\(family.rawValue) \(configuration)")
    path = "\(cache.folder)/lists/\(digest.hexadecimal()).txt"
  }

  /// Keys as ``KernelLibrary/store(_:context:)`` takes them; empty when there is no list.
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
