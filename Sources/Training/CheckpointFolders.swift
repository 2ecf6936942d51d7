import Formats
import Foundation

/// The checkpoints of a run: one folder for each, whole or not there at all.
///
/// A checkpoint is written under a temporary name, gets a list of its files with their sizes and
/// CRC-32, is synced and then renamed. Folders that do not fit their list are skipped when reading.
/// What is whole goes only after what replaces it is there.
package struct CheckpointFolders: Sendable {
  /// One whole checkpoint.
  package struct Checkpoint: Sendable, Equatable {
    /// How many iterations were done: the next one to run, counted from 0.
    package let iteration: Int
    /// The folder's path.
    package let path: String
  }

  private static let prefix = "iteration-"
  /// Before a checkpoint's name while it is written.
  private static let partialPrefix = ".partial-"
  /// Before the name of one that makes way for another or is being removed.
  private static let oldPrefix = ".old-"
  static let listName = "files.json"

  /// The folder that they lie in.
  package let path: String

  package init(path: String) {
    self.path = path
  }

  /// The whole checkpoints.
  ///
  /// - Parameter warn: Gets one line for each broken one.
  /// - Returns: By rising iteration; none when the folder is not there.
  package func all(warn: (String) -> Void) -> [Checkpoint] {
    candidates().filter { checkpoint in
      guard let reason = Self.damage(of: checkpoint.path, comparing: []) else { return true }
      warn("\(checkpoint.path): skipped, because \(reason)")
      return false
    }
  }

  /// Whether there is nothing that is called like a checkpoint, damaged or not.
  var isEmpty: Bool { candidates().isEmpty }

  /// The whole checkpoint after so many iterations, its files compared with their checksums, or nil.
  func checkpoint(of iteration: Int) -> Checkpoint? {
    candidates().first {
      $0.iteration == iteration && Self.damage(of: $0.path, comparing: nil) == nil
    }
  }

  /// The newest whole checkpoint, its files read and compared with their checksums.
  ///
  /// - Parameters:
  ///   - names: The files that are compared; nil takes all of them.
  ///   - warn: Gets one line for each broken one that is newer.
  /// - Returns: The checkpoint, or nil when there is none.
  package func latest(comparing names: [String]? = nil, warn: (String) -> Void) -> Checkpoint? {
    var warned: Set<String> = []
    var seen: [Checkpoint] = []
    while true {
      let candidates = candidates()
      for checkpoint in candidates.reversed() {
        guard let reason = Self.damage(of: checkpoint.path, comparing: names) else {
          return checkpoint
        }
        // A training beside this one removes older checkpoints while they are looked at.
        guard WholeFolder.exists(checkpoint.path), warned.insert(checkpoint.path).inserted else {
          continue
        }
        warn("\(checkpoint.path): skipped, because \(reason)")
      }
      if candidates == seen { return nil }
      seen = candidates
    }
  }

  /// Writes a checkpoint so that it is there as a whole or not at all; an older one of the same
  /// iteration is replaced.
  ///
  /// - Parameters:
  ///   - iteration: How many iterations are done.
  ///   - body: Writes the files, which must not lie in further folders, into the folder it is given.
  /// - Throws: ``RunFolderError`` or `FormatError` when the disk refuses, or what `body` throws; no
  ///   checkpoint is lost or left half-written then.
  @discardableResult
  package func write(
    iteration: Int, _ body: (_ folder: String) throws -> Void
  ) throws -> Checkpoint {
    let name = Self.name(iteration)
    let partial = "\(path)/\(Self.partialPrefix)\(name)"
    try WholeFolder.remove(partial)
    do {
      try RunFolder.makeFolder(partial)
      try body(partial)
      try writeList(of: partial)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw error
    }
    return try put(partial, at: iteration)
  }

  /// Moves a whole folder to its place.
  private func put(_ folder: String, at iteration: Int) throws -> Checkpoint {
    let name = Self.name(iteration)
    let checkpoint = Checkpoint(iteration: iteration, path: "\(path)/\(name)")
    try WholeFolder.replace(checkpoint.path, by: folder, aside: "\(path)/\(Self.oldPrefix)\(name)")
    WholeFolder.sync(path)
    return checkpoint
  }

  /// Removes all but the newest whole checkpoints; broken ones stay where they are.
  ///
  /// - Parameters:
  ///   - count: How many are kept, at least 1.
  ///   - best: The iteration of one that is kept besides, or nil.
  /// - Throws: ``RunFolderError`` when one cannot be removed.
  package func prune(keeping count: Int, and best: Int? = nil) throws {
    precondition(count >= 1, "a run keeps at least one checkpoint, not \(count)")
    for checkpoint in all(warn: { _ in }).dropLast(count) where checkpoint.iteration != best {
      // Gone at once for whoever reads: no folder without some of its files.
      let old = "\(path)/\(Self.oldPrefix)\(Self.name(checkpoint.iteration))"
      try WholeFolder.remove(old)
      try WholeFolder.move(checkpoint.path, to: old)
      try WholeFolder.remove(old)
    }
  }

  /// Puts whole checkpoints into their places whose last renaming was interrupted, and removes what
  /// else interrupted writes left.
  ///
  /// - Parameter note: Gets one line for each that was put into its place.
  /// - Throws: ``RunFolderError`` when the disk refuses.
  func recover(note: (String) -> Void) throws {
    for prefix in [Self.partialPrefix, Self.oldPrefix] {
      for name in names() where name.hasPrefix(prefix) {
        let folder = "\(path)/\(name)"
        let newest = latest { _ in }?.iteration ?? -1
        if let iteration = Self.iteration(of: String(name.dropFirst(prefix.count))),
          iteration > newest, Self.damage(of: folder, comparing: nil) == nil
        {
          note("\(try put(folder, at: iteration).path): had been written, but not renamed")
        } else {
          try WholeFolder.remove(folder)
        }
      }
    }
  }

  private static func name(_ iteration: Int) -> String {
    prefix + iteration.digits(6)
  }

  /// The iteration that a folder's name tells, or nil when it is none of a checkpoint.
  private static func iteration(of folder: String) -> Int? {
    guard folder.hasPrefix(prefix), let iteration = Int(folder.dropFirst(prefix.count)),
      folder == name(iteration)
    else { return nil }
    return iteration
  }

  private func names() -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  /// Everything that is called like a checkpoint, by rising iteration.
  private func candidates() -> [Checkpoint] {
    names().compactMap { name in
      Self.iteration(of: name).map { Checkpoint(iteration: $0, path: "\(path)/\(name)") }
    }.sorted { $0.iteration < $1.iteration }
  }

  /// Why a checkpoint is not whole, or nil.
  ///
  /// The bytes of the named files are read, nil for all; of the others the sizes count.
  static func damage(of folder: String, comparing names: [String]?) -> String? {
    guard let files = (try? JSONValue(contentsOf: "\(folder)/\(listName)"))?.object, !files.isEmpty
    else { return "its list of files is missing or damaged" }
    for (name, facts) in files.sorted(by: { $0.key < $1.key }) {
      guard let file = try? MappedFile(path: "\(folder)/\(name)") else {
        return "\(name) is missing"
      }
      // Programs before this one wrote down the size alone.
      let size = facts["bytes"]?.integer ?? facts.integer
      if file.bytes.count != size {
        return "\(name) has \(file.bytes.count, "byte") instead of \(size ?? -1)"
      }
      guard names?.contains(name) ?? true, let wanted = facts["crc32"]?.string else { continue }
      if checksum(of: file) != wanted { return "\(name) is damaged: its checksum is another" }
    }
    return nil
  }

  private static func checksum(of file: MappedFile) -> String {
    withExtendedLifetime(file) {
      let digits = String(Checksum.crc32(file.bytes), radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
  }

  /// Syncs each file and writes down its size and checksum.
  private func writeList(of folder: String) throws {
    var files: [String: JSONValue] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
      WholeFolder.sync("\(folder)/\(name)")
      let file = try MappedFile(path: "\(folder)/\(name)")
      files[name] = [
        "bytes": .number(Double(file.bytes.count)), "crc32": .string(Self.checksum(of: file)),
      ]
    }
    let text = JSONValue.object(files).text(pretty: true) + "\n"
    try AtomicFile.write(Data(text.utf8), to: "\(folder)/\(Self.listName)")
    WholeFolder.sync(folder)
  }
}
