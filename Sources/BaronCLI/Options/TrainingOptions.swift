import ArgumentParser
import Foundation
import Training

/// What every command that trains is asked: what, where, or which run to go on with.
struct TrainingOptions: ParsableArguments {
  @Argument(help: "A preset or a YAML file; left out with --resume.")
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    name: .customLong("run"),
    help: ArgumentHelp("The run's folder; default runs/CONFIG.", valueName: "folder"))
  var folder: String?

  @Option(help: ArgumentHelp("Go on with a run.", valueName: "folder"))
  var resume: String?

  func validate() throws {
    guard (config == nil) != (resume == nil) else {
      throw ValidationError("give either a configuration or --resume FOLDER")
    }
    guard resume == nil || (overrides.isEmpty && folder == nil) else {
      throw ValidationError("a resumed run keeps its configuration: leave out --set and --run")
    }
  }

  /// The folder of the run to go on with, or nil for a new one.
  var resumed: String? { resume.map { RunFolder.path(for: $0) } }

  /// Makes the new run's folder or opens that of the old one.
  ///
  /// - Parameter yaml: The resolved configuration of a new run.
  /// - Returns: The folder, locked.
  /// - Throws: `RunFolderError` or `FormatError`.
  func open(yaml: String) throws -> RunFolder {
    if let resumed { return try RunFolder.resume(at: resumed) }
    let name = URL(filePath: config ?? "").deletingPathExtension().lastPathComponent
    return try RunFolder.create(at: folder ?? "runs/\(name)", yaml: yaml)
  }
}
