import ArgumentParser
import Formats
import Foundation
import Training

/// What every command that trains is asked: what, where, or which run to go on with.
struct TrainingOptions: ParsableArguments {
  @Argument(
    help: "A preset or a YAML file; left out with --resume.", completion: Completions.configurations
  )
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp(
      "The run's name below runs, or a path with a slash; default the configuration's name.",
      valueName: "name|folder"), completion: .directory)
  var folder: String?

  @Option(
    help: ArgumentHelp(
      "Go on with a run; --set training.iterations=N prolongs it, other keys as far as they would "
        + "not break it.", valueName: "run"), completion: Completions.models)
  var resume: String?

  func validate() throws {
    guard (config == nil) != (resume == nil) else {
      throw ValidationError("give either a configuration or --resume FOLDER")
    }
    guard resume == nil || folder == nil else {
      throw ValidationError("a resumed run keeps its folder: leave out --run")
    }
  }

  /// The folder of the run to go on with, or nil for a new one.
  var resumed: String? { resume.map { RunFolder.path(for: $0) } }

  /// The configuration of the run to go on with.
  var resumedConfiguration: String { "\(resumed ?? "")/config.yaml" }

  /// Whether a run is to go on with another configuration than it had.
  var changesRun: Bool { resume != nil && !overrides.isEmpty }

  /// The configuration of the new run or of the one to go on with.
  ///
  /// - Parameter load: Loads a preset or a file with overrides.
  /// - Throws: `ConfigurationError`, or `RunFolderError` when there is no run.
  func configuration<Root>(_ load: (String, [String]) throws -> Root) throws -> Root {
    guard let resumed else { return try load(config ?? "", overrides) }
    let file = "\(resumed)/config.yaml"
    guard FileManager.default.fileExists(atPath: file) else {
      throw RunFolderError.missing(path: resumed)
    }
    // A key that does not exist is told first, with the right one.
    let configuration = try load(file, overrides)
    try ResumeOverrides.check(overrides)
    return configuration
  }

  /// The folder that a new run would get.
  private var newFolder: String {
    let name = URL(filePath: config ?? "").deletingPathExtension().lastPathComponent
    return RunFolder.path(for: folder ?? name)
  }

  /// The folder that a new run would get where a run is there already, else nil.
  var existing: String? {
    let path = newFolder
    return FileManager.default.fileExists(atPath: "\(path)/config.yaml") ? path : nil
  }

  /// Makes the new run's folder or opens that of the old one.
  ///
  /// - Parameter yaml: The resolved configuration of a new run.
  /// - Returns: The folder, locked.
  /// - Throws: `RunFolderError` or `FormatError`.
  func open(yaml: String) throws -> RunFolder {
    if let resumed { return try RunFolder.resume(at: resumed, note: Console.say) }
    return try RunFolder.create(at: newFolder, yaml: yaml, note: Console.say)
  }
}
