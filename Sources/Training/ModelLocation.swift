import Annotations
import Foundation

/// Where a trained model lies: the checkpoint of a run, or a weight file with its configuration.
public struct ModelLocation: Sendable {
  /// The model's configuration.
  public let configuration: RunConfiguration
  /// The checkpoint folder, or the weight file.
  public let checkpoint: String
  /// The file with the detector's weights.
  public let weights: String
  /// The run's folder; for a weight file the place where a run of its name would be.
  public let run: String

  /// Finds a run's newest whole checkpoint, or takes the given one.
  ///
  /// - Parameters:
  ///   - path: A run folder or a checkpoint folder inside one.
  ///   - overrides: Changes of the run's configuration, as ``RunConfiguration/load(_:overrides:)``
  ///     takes them.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: `RunFolderError` when there is no run or no checkpoint; `ConfigurationError` for a bad
  ///   override.
  public init(run path: String, overrides: [String] = [], warn: (String) -> Void) throws {
    let files = FileManager.default
    var isFolder: ObjCBool = false
    if files.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
      throw RunFolderError.system(
        path: path,
        reason:
          "is a file and no run; name the configuration that its weights belong to with --config")
    }
    if files.fileExists(atPath: "\(path)/\(ModelState.modelFile)") {
      // RUN/checkpoints/iteration-…
      run =
        URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
        .deletingLastPathComponent().path
      configuration = try RunFolder.configuration(of: run, overrides: overrides)
      checkpoint = path
      weights = "\(path)/\(ModelState.modelFile)"
      return
    }
    run = files.fileExists(atPath: path) ? path : RunFolder.path(for: path)
    configuration = try RunFolder.configuration(of: run, overrides: overrides)
    guard let latest = CheckpointFolders(path: "\(run)/checkpoints").latest(warn: warn) else {
      throw RunFolderError.noCheckpoint(path: run)
    }
    checkpoint = latest.path
    weights = "\(checkpoint)/\(ModelState.modelFile)"
  }

  /// Takes a weight file, as the authors publish them, with the configuration that it belongs to.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - configuration: The configuration.
  public init(weights path: String, configuration: RunConfiguration) {
    self.configuration = configuration
    checkpoint = path
    weights = path
    run = "runs/\(URL(filePath: path).deletingPathExtension().lastPathComponent)"
  }

  /// How many iterations the checkpoint has seen.
  ///
  /// - Returns: The number, or nil when the checkpoint's folder was renamed.
  public var iteration: Int? {
    URL(filePath: checkpoint).lastPathComponent.split(separator: "-").last.flatMap { Int($0) }
  }

  /// The names of the classes of the run's validation set, or of its training set without one.
  ///
  /// - Returns: The names in the order of their ids.
  /// - Throws: `DatasetError` when the file is gone or malformed.
  public func classNames() throws -> [String] {
    let data = configuration.data
    let path =
      data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
    return try COCOAnnotations(path: path).categories.map(\.name)
  }
}
