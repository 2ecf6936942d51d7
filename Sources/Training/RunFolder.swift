import Formats
import Foundation

/// The folder of one run, for writing: configuration, checkpoints, metrics and detections.
///
/// A ``RunLock`` keeps a second trainer out. Reading needs no lock: ``configuration(of:)`` and
/// ``CheckpointFolders`` work on a folder that is being trained in.
package final class RunFolder {
  /// The folder's path.
  package let path: String
  /// The whole checkpoints.
  package let checkpoints: CheckpointFolders
  /// Whether this process has made the folder.
  package let isNew: Bool
  private let lock: RunLock

  /// The file with every value of the configuration.
  package var configurationPath: String { "\(path)/config.yaml" }
  /// The file of ``MetricLog``.
  package var metricsPath: String { "\(path)/metrics.jsonl" }
  /// The file of ``RunLog``.
  package var logPath: String { "\(path)/log.txt" }
  /// The file of ``RunRecord``.
  package var recordPath: String { "\(path)/run.json" }
  /// The folder for detections of evaluations.
  package var detectionsPath: String { "\(path)/detections" }
  /// The folder for scores of evaluations.
  package var scoresPath: String { "\(path)/scores" }

  private init(path: String, lock: RunLock, isNew: Bool) {
    self.path = path
    self.lock = lock
    self.isNew = isNew
    checkpoints = CheckpointFolders(path: "\(path)/checkpoints")
  }

  /// The folder that a name stands for.
  ///
  /// - Parameter name: A run's name, or a path with a slash, taken as it is.
  /// - Returns: The path: a name's folder lies below `runs`, unless only the current folder has a run
  ///   of that name.
  package static func path(for name: String) -> String {
    guard !name.contains("/"), ![".", ".."].contains(name) else { return name }
    let usual = "runs/\(name)"
    return !WholeFolder.exists(usual) && WholeFolder.exists("\(name)/config.yaml") ? name : usual
  }

  /// Makes the folder of a new run with its configuration, as a whole or not at all.
  ///
  /// A run that ended before its first checkpoint has nothing to lose: it starts anew in its folder.
  ///
  /// - Parameters:
  ///   - path: The folder, in which no run has saved anything; folders above it are made.
  ///   - yaml: What `config.yaml` will hold: a resolved configuration.
  ///   - note: Gets a line when the run's last trainer has to be watched.
  /// - Returns: The folder, locked.
  /// - Throws: ``RunFolderError`` when the run exists or the disk refuses; `FormatError` when
  ///   `config.yaml` cannot be written.
  package static func create(
    at path: String, yaml: String, note: (String) -> Void = { _ in }
  ) throws -> RunFolder {
    let url = URL(filePath: path).standardizedFileURL
    let parent = url.deletingLastPathComponent().path
    try makeFolder(parent)
    if let run = try takeOver(path, yaml: yaml, note: note) { return run }
    let hidden = "\(parent)/.\(url.lastPathComponent)"
    AtomicFile.removeLeftovers(of: hidden)
    guard let partial = try? AtomicFile.makePartialFolder(of: hidden) else {
      throw RunFolderError.unwritable(path)
    }
    defer { close(partial.lock) }
    do {
      let lock = try RunLock(in: partial.path, note: note)
      for name in ["checkpoints", "detections"] { try makeFolder("\(partial.path)/\(name)") }
      try AtomicFile.write(Foundation.Data(yaml.utf8), to: "\(partial.path)/config.yaml")
      // Fails when another process has made the folder meanwhile: nothing can slip between.
      guard rename(partial.path, path) == 0 else {
        let code = errno
        if code == EEXIST || code == ENOTEMPTY || code == ENOTDIR {
          throw taken(path)
        }
        throw RunFolderError.system(
          path: path, reason: "cannot be made: \(String(cString: strerror(code)))")
      }
      return RunFolder(path: path, lock: lock, isNew: true)
    } catch {
      try? FileManager.default.removeItem(atPath: partial.path)
      throw error
    }
  }

  /// Why a path that is there cannot become a new run.
  private static func taken(_ path: String) -> RunFolderError {
    WholeFolder.exists("\(path)/config.yaml") ? .exists(path: path) : .occupied(path: path)
  }

  /// The folder of a run that has saved nothing yet, for a new start; nil when nothing is there.
  private static func takeOver(
    _ path: String, yaml: String, note: (String) -> Void
  ) throws -> RunFolder? {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path), !names.isEmpty
    else { return nil }
    guard names.contains("lock"), names.contains("config.yaml") else { throw taken(path) }
    let run = RunFolder(path: path, lock: try RunLock(in: path, note: note), isNew: true)
    try run.checkpoints.recover { _ in }
    guard run.checkpoints.isEmpty else { throw RunFolderError.exists(path: path) }
    try AtomicFile.write(Foundation.Data(yaml.utf8), to: run.configurationPath)
    return run
  }

  /// Opens the folder of a run to go on with it; of what an interrupted write left, a whole
  /// checkpoint gets its place and the rest is removed.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - note: Gets one line for each checkpoint that got its place, and one when the run's last
  ///     trainer has to be watched.
  /// - Returns: The folder, locked.
  /// - Throws: ``RunFolderError`` when there is no run, another process trains in it, or the disk
  ///   refuses.
  package static func resume(
    at path: String, note: (String) -> Void = { _ in }
  ) throws -> RunFolder {
    guard FileManager.default.fileExists(atPath: "\(path)/config.yaml") else {
      throw RunFolderError.missing(path: path)
    }
    let run = RunFolder(path: path, lock: try RunLock(in: path, note: note), isNew: false)
    try makeFolder(run.checkpoints.path)
    try makeFolder(run.detectionsPath)
    try run.checkpoints.recover(note: note)
    return run
  }

  /// Where the run goes on.
  ///
  /// - Parameter warn: Gets one line for each damaged checkpoint that is newer.
  /// - Returns: The newest whole checkpoint; nil when the run has saved none yet.
  /// - Throws: ``RunFolderError`` when there are some, but all of them damaged.
  package func newestCheckpoint(
    warn: (String) -> Void
  ) throws -> CheckpointFolders.Checkpoint? {
    if let newest = checkpoints.latest(warn: warn) { return newest }
    guard checkpoints.isEmpty else { throw RunFolderError.damaged(path: checkpoints.path) }
    return nil
  }

  /// Replaces the configuration of a run that goes on in another way.
  ///
  /// - Parameter yaml: What `config.yaml` will hold.
  /// - Throws: `FormatError` when it cannot be written.
  package func write(configuration yaml: String) throws {
    try AtomicFile.write(Foundation.Data(yaml.utf8), to: configurationPath)
  }

  /// The file with the scores after so many iterations.
  private func scorePath(of iteration: Int) -> String {
    "\(scoresPath)/iteration-\(iteration).json"
  }

  /// Writes down the scores after so many iterations.
  func keep(_ scores: JSONValue, of iteration: Int) throws {
    try Self.makeFolder(scoresPath)
    try AtomicFile.write(
      Foundation.Data((scores.text(pretty: true) + "\n").utf8), to: scorePath(of: iteration))
  }

  /// The scores of all evaluations so far.
  package var scores: RunScores { RunScores(folder: scoresPath) }

  /// The scores after so many iterations, or nil when they were not written down.
  func scores(of iteration: Int) -> JSONValue? {
    try? JSONValue(contentsOf: scorePath(of: iteration))
  }

  /// Reads the configuration that a run was started with.
  ///
  /// - Parameters:
  ///   - path: The run's folder.
  ///   - overrides: Changes, as ``RunConfiguration/load(_:overrides:)`` takes them.
  /// - Throws: ``RunFolderError`` when there is no run; ``ConfigurationError`` when its
  ///   `config.yaml` was changed to something invalid.
  package static func configuration(
    of path: String, overrides: [String] = []
  ) throws -> RunConfiguration {
    let file = "\(path)/config.yaml"
    guard FileManager.default.fileExists(atPath: file) else {
      throw RunFolderError.missing(path: path)
    }
    return try RunConfiguration.load(file, overrides: overrides)
  }

  static func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw RunFolderError.unwritable(path)
    }
  }
}
