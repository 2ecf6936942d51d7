import Foundation
import Synchronization

/// A folder for temporary files that goes when its last holder does.
///
/// A process that is ended from outside has no last holder: `removeAll` is for one that knows it before,
/// and each new folder removes those of processes that did not. A lock, which the system opens when its
/// process ends, tells them from the others; the number of a process would not, as containers that share
/// the folder for temporary files count by themselves.
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
    let name = "\(Self.prefix)\(purpose)-\(UUID().uuidString)"
    path = parent.appending(path: name).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    // A file system without locks keeps the folders of killed processes, as it does those of others.
    lock = Self.lock(path) ?? -1
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

  private static func lock(_ path: String) -> Int32? {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return nil }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  private static func removeForgotten(in parent: URL, grace: Double) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
    for name in names where isName(name) {
      let path = parent.appending(path: name).path
      guard let age = age(path), age > grace, let descriptor = lock(path) else { continue }
      try? FileManager.default.removeItem(atPath: path)
      close(descriptor)
    }
  }

  /// Whether a name is one that `init` gives.
  private static func isName(_ name: String) -> Bool {
    name.hasPrefix(prefix) && UUID(uuidString: String(name.suffix(36))) != nil
      && name.dropLast(36).last == "-"
  }

  /// Seconds since a folder of this user was made or changed; nil for another's.
  private static func age(_ path: String) -> Double? {
    var about = stat()
    guard lstat(path, &about) == 0, about.st_uid == geteuid(), about.st_mode & S_IFMT == S_IFDIR
    else { return nil }
    return Date().timeIntervalSince1970 - Double(about.st_ctim.tv_sec)
  }
}
