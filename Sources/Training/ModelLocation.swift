import Annotations
import Foundation
import Layers

/// Where a trained model lies: the checkpoint of a run, or a weight file with its configuration.
package struct ModelLocation {
  /// The model's configuration.
  package let configuration: RunConfiguration
  /// The checkpoint folder, or the weight file.
  package let checkpoint: String
  /// The detector's weights, held open: a training that goes on may remove their file.
  let weights: StartWeights
  /// The run's folder; for a weight file the place where a run of its name would be.
  package let run: String

  /// Finds a run's newest whole checkpoint, or takes the given one.
  ///
  /// - Parameters:
  ///   - path: A run folder or a checkpoint folder inside one.
  ///   - overrides: Changes of the run's configuration, as ``RunConfiguration/load(_:overrides:)``
  ///     takes them.
  ///   - warn: Gets one line per damaged checkpoint that was skipped.
  /// - Throws: `RunFolderError` when there is no run or no whole checkpoint; `CheckpointError` when
  ///   the file holds no detector; `ConfigurationError` for a bad override.
  package init(run path: String, overrides: [String] = [], warn: (String) -> Void) throws {
    let files = FileManager.default
    var path = path
    let folder = URL(filePath: path).standardizedFileURL.deletingLastPathComponent()
    // The weights of a run's checkpoint stand for the checkpoint.
    if URL(filePath: path).lastPathComponent == ModelState.modelFile,
      files.fileExists(atPath: "\(folder.path)/../../config.yaml")
    {
      path = folder.path
    }
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
      // What was taken out of a run on its own has no list.
      if files.fileExists(atPath: "\(path)/\(CheckpointFolders.listName)"),
        let reason = CheckpointFolders.damage(of: path, comparing: [ModelState.modelFile])
      {
        throw RunFolderError.system(path: path, reason: "\(reason); take another checkpoint")
      }
      weights = try StartWeights(path: "\(path)/\(ModelState.modelFile)")
      return
    }
    run = RunFolder.path(for: path)
    configuration = try RunFolder.configuration(of: run, overrides: overrides)
    (checkpoint, weights) = try Self.newest(of: run, warn: warn)
  }

  /// The newest whole checkpoint of a run that may be in training.
  private static func newest(
    of run: String, warn: (String) -> Void
  ) throws -> (checkpoint: String, weights: StartWeights) {
    let checkpoints = CheckpointFolders(path: "\(run)/checkpoints")
    while true {
      guard let latest = checkpoints.latest(comparing: [ModelState.modelFile], warn: warn) else {
        throw RunFolderError.noCheckpoint(path: run)
      }
      do {
        return (latest.path, try StartWeights(path: "\(latest.path)/\(ModelState.modelFile)"))
      } catch {
        // Removed since it was looked at: there is a newer one.
        guard !WholeFolder.exists(latest.path) else { throw error }
      }
    }
  }

  /// Takes a weight file, as the authors publish them, with the configuration that it belongs to.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - configuration: The configuration.
  /// - Throws: `CheckpointError` when the file is missing, damaged or holds no detector.
  package init(weights path: String, configuration: RunConfiguration) throws {
    self.configuration = configuration
    checkpoint = path
    weights = try StartWeights(path: path)
    run = "runs/\(URL(filePath: path).deletingPathExtension().lastPathComponent)"
  }

  /// How many iterations the checkpoint has seen.
  ///
  /// - Returns: The number, or nil when the checkpoint's folder was renamed.
  package var iteration: Int? {
    URL(filePath: checkpoint).lastPathComponent.split(separator: "-").last.flatMap { Int($0) }
  }

  /// The names of the classes of the run's validation set, or of its training set without one.
  ///
  /// - Returns: The names in the order of their ids.
  /// - Throws: `DatasetError` when the file is gone or malformed.
  package func classNames() throws -> [String] {
    let data = configuration.data
    let path =
      data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
    return try COCOAnnotations.Category.list(ofFile: path).map(\.name)
  }
}
