import Foundation
import Synchronization

/// A folder for temporary files that goes when its last holder does.
///
/// A process that is ended from outside has no last holder: `removeAll` is for one that knows it before,
/// and each new folder removes those of processes of this machine that did not, told by ``OwnerLock``.
package final class TemporaryFolder: Sendable {
  /// The folder's path.
  package let path: String
  private let lock: Int32

  private static let held = Mutex<Set<String>>([])
  private static let prefix = "baron-"
  /// Makes an empty folder.
  ///
  /// - Parameters:
  ///   - purpose: Part of its name.
  ///   - parent: The folder for temporary files.
  ///   - grace: Seconds that pass at most between the making of a folder and its lock.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(
    _ purpose: String, in parent: URL = FileManager.default.temporaryDirectory, grace: Double = 60
  ) throws {
    Self.removeForgotten(in: parent, grace: grace)
    let name = "\(Self.prefix)\(purpose)-\(Machine.namePart)-\(UUID().uuidString)"
    path = parent.appending(path: name).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    lock = OwnerLock.openFolder(path)
    // A file system without locks keeps the folders of killed processes, as it does those of others.
    if lock >= 0 { _ = OwnerLock.claim(lock, path) }
    Self.held.withLock { [path] in _ = $0.insert(path) }
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
    if lock >= 0 { close(lock) }
    Self.held.withLock { [path] in _ = $0.remove(path) }
  }

  /// Removes all folders of this process, which is about to end without letting go of them.
  package static func removeAll() {
    for path in held.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
  }

  private static func removeForgotten(in parent: URL, grace: Double) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    for name in names where isName(name) {
      let path = parent.appending(path: name).path
      if let age = age(path), age > grace { OwnerLock.removeForgotten(path) }
    }
  }

  /// Whether a name is one that `init` gives on this machine.
  private static func isName(_ name: String) -> Bool {
    let ending = "-\(Machine.namePart)-"
    return name.hasPrefix(prefix) && UUID(uuidString: String(name.suffix(36))) != nil
      && name.dropFirst(prefix.count).dropLast(36).hasSuffix(ending)
  }

  /// Seconds since a folder of this user was made or changed; nil for another's.
  private static func age(_ path: String) -> Double? {
    var about = stat()
    guard lstat(path, &about) == 0, about.st_uid == geteuid(), about.st_mode & S_IFMT == S_IFDIR
    else { return nil }
    return Date().timeIntervalSince1970 - Double(about.st_ctim.tv_sec)
  }
}
