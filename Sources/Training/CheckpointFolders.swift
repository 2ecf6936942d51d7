import Formats
import Foundation

/// The checkpoints of a run: one folder for each, whole or not there at all.
///
/// A checkpoint is written under a temporary name, gets a list of its files with their sizes, is
/// synced and then renamed. Folders that do not fit their list are skipped when reading.
public struct CheckpointFolders: Sendable {
  /// One whole checkpoint.
  public struct Checkpoint: Sendable, Equatable {
    /// How many iterations were done: the next one to run, counted from 0.
    public let iteration: Int
    /// The folder's path.
    public let path: String
  }

  private static let prefix = "iteration-"
  private static let partialPrefix = ".partial-"
  private static let listName = "files.json"

  /// The folder that they lie in.
  public let path: String

  /// Creates a view of a folder.
  ///
  /// - Parameter path: The `checkpoints` folder of a run.
  public init(path: String) {
    self.path = path
  }

  /// The whole checkpoints.
  ///
  /// - Parameter warn: Gets one line for each broken one.
  /// - Returns: By rising iteration; none when the folder is not there.
  public func all(warn: (String) -> Void) -> [Checkpoint] {
    candidates().filter { checkpoint in
      guard let reason = damage(of: checkpoint) else { return true }
      warn("\(checkpoint.path): skipped, because \(reason)")
      return false
    }
  }

  /// The newest whole checkpoint.
  ///
  /// - Parameter warn: Gets one line for each broken one that is newer.
  /// - Returns: The checkpoint, or nil when there is none.
  public func latest(warn: (String) -> Void) -> Checkpoint? {
    for checkpoint in candidates().reversed() {
      guard let reason = damage(of: checkpoint) else { return checkpoint }
      warn("\(checkpoint.path): skipped, because \(reason)")
    }
    return nil
  }

  /// Writes a checkpoint so that it is there as a whole or not at all; an older one of the same
  /// iteration is replaced.
  ///
  /// - Parameters:
  ///   - iteration: How many iterations are done.
  ///   - body: Writes the files, which must not lie in further folders, into the folder it is given.
  /// - Returns: The checkpoint.
  /// - Throws: ``RunFolderError`` or `FormatError` when the disk refuses, or what `body` throws; no
  ///   checkpoint is lost or left half-written then.
  @discardableResult
  public func write(
    iteration: Int, _ body: (_ folder: String) throws -> Void
  ) throws -> Checkpoint {
    let name = Self.name(iteration)
    let partial = "\(path)/\(Self.partialPrefix)\(name)"
    let whole = "\(path)/\(name)"
    try remove(partial)
    do {
      try RunFolder.makeFolder(partial)
      try body(partial)
      try writeList(of: partial)
      try remove(whole)
      guard rename(partial, whole) == 0 else {
        throw RunFolderError.system(
          path: whole, reason: "cannot be renamed: \(String(cString: strerror(errno)))")
      }
      sync(path)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
    return Checkpoint(iteration: iteration, path: whole)
  }

  /// Removes all but the newest whole checkpoints; broken ones stay where they are.
  ///
  /// - Parameter count: How many are kept, at least 1.
  /// - Throws: ``RunFolderError`` when one cannot be removed.
  public func prune(keeping count: Int) throws {
    precondition(count >= 1, "a run keeps at least one checkpoint, not \(count)")
    for checkpoint in all(warn: { _ in }).dropLast(count) { try remove(checkpoint.path) }
  }

  /// Removes what interrupted writes left.
  func removePartial() throws {
    for name in names() where name.hasPrefix(Self.partialPrefix) {
      try remove("\(path)/\(name)")
    }
  }

  private static func name(_ iteration: Int) -> String {
    let digits = String(iteration)
    return prefix + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  private func names() -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  /// Everything that is called like a checkpoint, by rising iteration.
  private func candidates() -> [Checkpoint] {
    names().compactMap { name in
      guard name.hasPrefix(Self.prefix), let iteration = Int(name.dropFirst(Self.prefix.count)),
        name == Self.name(iteration)
      else { return nil }
      return Checkpoint(iteration: iteration, path: "\(path)/\(name)")
    }.sorted { $0.iteration < $1.iteration }
  }

  /// Why a checkpoint is not whole, or nil.
  private func damage(of checkpoint: Checkpoint) -> String? {
    guard let files = (try? JSONValue(contentsOf: "\(checkpoint.path)/\(Self.listName)"))?.object
    else { return "its list of files is missing or damaged" }
    for (name, size) in files.sorted(by: { $0.key < $1.key }) {
      guard let found = try? Self.size(of: "\(checkpoint.path)/\(name)") else {
        return "\(name) is missing"
      }
      if found != size.integer {
        return "\(name) has \(found) bytes instead of \(size.integer ?? -1)"
      }
    }
    return nil
  }

  private static func size(of path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw RunFolderError.system(path: path, reason: "is not a file")
    }
    return Int(status.st_size)
  }

  /// Syncs each file and writes down its size.
  private func writeList(of folder: String) throws {
    var files: [String: JSONValue] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      files[name] = .number(Double(try Self.size(of: "\(folder)/\(name)")))
      sync("\(folder)/\(name)")
    }
    let text = JSONValue.object(files).text(pretty: true) + "\n"
    try AtomicFile.write(Data(text.utf8), to: "\(folder)/\(Self.listName)")
    sync(folder)
  }

  /// Asks the system to put a file or a folder's names on the disk; a file system without that, as
  /// some network ones, is no reason to lose the checkpoint.
  private func sync(_ path: String) {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private func remove(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw RunFolderError.system(path: path, reason: "cannot be removed; check its permissions")
    }
  }
}
