import Formats
import Foundation

/// The folder of one run, for writing: configuration, checkpoints, metrics and detections.
///
/// A lock that the system releases when the process ends keeps a second trainer out. Reading needs no
/// lock: ``configuration(of:)`` and ``CheckpointFolders`` work on a folder that is being trained in.
public final class RunFolder {
  /// The folder's path.
  public let path: String
  /// The whole checkpoints.
  public let checkpoints: CheckpointFolders
  private let lock: Int32

  /// The file with every value of the configuration.
  public var configurationPath: String { "\(path)/config.yaml" }
  /// The file of ``MetricLog``.
  public var metricsPath: String { "\(path)/metrics.jsonl" }
  /// The folder for detections of evaluations.
  public var detectionsPath: String { "\(path)/detections" }

  private init(path: String, lock: Int32) {
    self.path = path
    self.lock = lock
    checkpoints = CheckpointFolders(path: "\(path)/checkpoints")
  }

  deinit { close(lock) }

  /// The folder that a name stands for.
  ///
  /// - Parameter name: A run's name, which lies below `runs`, or a path with a slash, taken as it is.
  /// - Returns: The path.
  public static func path(for name: String) -> String {
    name.contains("/") ? name : "runs/\(name)"
  }

  /// Makes the folder of a new run and writes its configuration.
  ///
  /// - Parameters:
  ///   - path: The folder, which must not exist; folders above it are made.
  ///   - yaml: What `config.yaml` will hold: a resolved configuration.
  /// - Returns: The folder, locked.
  /// - Throws: ``RunFolderError`` when the run exists or the disk refuses; `FormatError` when
  ///   `config.yaml` cannot be written.
  public static func create(at path: String, yaml: String) throws -> RunFolder {
    let parent = URL(filePath: path).deletingLastPathComponent().path
    try makeFolder(parent)
    // Without intermediate folders the call fails when the folder is there: nothing can slip between.
    guard mkdir(path, 0o755) == 0 else {
      if errno == EEXIST { throw RunFolderError.exists(path: path) }
      throw RunFolderError.system(
        path: path, reason: "cannot be made: \(String(cString: strerror(errno)))")
    }
    let run = RunFolder(path: path, lock: try takeLock(in: path))
    try makeFolder(run.checkpoints.path)
    try makeFolder(run.detectionsPath)
    try AtomicFile.write(Foundation.Data(yaml.utf8), to: run.configurationPath)
    return run
  }

  /// Opens the folder of a run to go on with it; what an interrupted write left is removed.
  ///
  /// - Parameter path: The folder.
  /// - Returns: The folder, locked.
  /// - Throws: ``RunFolderError`` when there is no run, another process trains in it, or the disk
  ///   refuses.
  public static func resume(at path: String) throws -> RunFolder {
    guard FileManager.default.fileExists(atPath: "\(path)/config.yaml") else {
      throw RunFolderError.missing(path: path)
    }
    let run = RunFolder(path: path, lock: try takeLock(in: path))
    try makeFolder(run.checkpoints.path)
    try makeFolder(run.detectionsPath)
    try run.checkpoints.removePartial()
    return run
  }

  /// Reads the configuration that a run was started with.
  ///
  /// - Parameters:
  ///   - path: The run's folder.
  ///   - overrides: Changes, as ``RunConfiguration/load(_:overrides:)`` takes them.
  /// - Returns: The configuration.
  /// - Throws: ``RunFolderError`` when there is no run; ``ConfigurationError`` when its
  ///   `config.yaml` was changed to something invalid.
  public static func configuration(
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
      throw RunFolderError.system(
        path: path, reason: "the folder cannot be made; choose a writable place")
    }
  }

  /// Locks `lock` in the folder for this process and writes down who holds it.
  private static func takeLock(in path: String) throws -> Int32 {
    let file = "\(path)/lock"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw RunFolderError.system(
        path: file, reason: "cannot be made: \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      guard code == EWOULDBLOCK else {
        throw RunFolderError.system(
          path: file, reason: "cannot be locked: \(String(cString: strerror(code)))")
      }
      let holder = FileManager.default.contents(atPath: file) ?? Foundation.Data()
      throw RunFolderError.locked(
        path: path,
        holder: String(decoding: holder, as: UTF8.self).trimmingCharacters(in: .newlines))
    }
    let host = ProcessInfo.processInfo.hostName
    let text = Foundation.Data("process \(getpid()) on \(host)\n".utf8)
    ftruncate(descriptor, 0)
    do {
      try text.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: file) }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }
}
