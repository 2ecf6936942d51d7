import Annotations
import CLIP
import Checkpoints
import Foundation
import Layers

/// Where a trained model lies: the checkpoint of a run, one file with everything, or a weight file
/// with its configuration.
package struct ModelLocation: Sendable {
  /// The model's configuration.
  package let configuration: RunConfiguration
  /// The checkpoint folder, the bundle or the weight file.
  package let checkpoint: String
  /// The bundle that holds everything; nil for a run and for a weight file.
  package let bundle: ModelBundle?
  /// The detector's weights, held open: a training that goes on may remove their file.
  let weights: StartWeights
  /// The run's folder; for a single file the place where a run of its name would be.
  package let run: String

  /// Finds a run's newest whole checkpoint, or takes the given one.
  ///
  /// - Parameters:
  ///   - path: A run folder, a checkpoint folder inside one, or a file that ``BundleWriter`` wrote.
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
      if ModelBundle.isBundle(path) {
        let bundle = try ModelBundle(path: path)
        self.bundle = bundle
        configuration = try bundle.configuration(overrides: overrides)
        checkpoint = path
        weights = try StartWeights(path: bundle.path(of: ModelBundle.detectorName))
        run = Self.run(named: path)
        return
      }
      if path.hasSuffix(Self.bundleEnding) {
        throw CheckpointError.file(
          path: path,
          reason: "does not begin as 'baron export' writes it; copy it again, or export it anew")
      }
      throw RunFolderError.system(
        path: path,
        reason:
          "is a file and no run; name the configuration that its weights belong to with --config")
    }
    if path.hasSuffix(Self.bundleEnding), !isFolder.boolValue {
      throw CheckpointError.file(
        path: path, reason: "no such file; 'baron export RUN -o \(path)' writes one")
    }
    bundle = nil
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
    guard !ModelBundle.isBundle(path) else {
      throw CheckpointError.file(
        path: path, reason: "brings its configuration with it: leave out --config")
    }
    self.configuration = configuration
    bundle = nil
    checkpoint = path
    weights = try StartWeights(path: path)
    run = Self.run(named: path)
  }

  /// How the names of files of `baron export` end.
  private static let bundleEnding = ".baron"

  /// Where a run called like a file would be.
  private static func run(named path: String) -> String {
    "runs/\(URL(filePath: path).deletingPathExtension().lastPathComponent)"
  }

  /// What people call the model: the run's name, or the file's.
  package var name: String { URL(filePath: run).lastPathComponent }

  /// The file of the detector's weights.
  var weightsPath: String { weights.path }

  /// How many iterations the checkpoint has seen.
  ///
  /// - Returns: The number, or nil when the checkpoint's folder was renamed.
  package var iteration: Int? {
    if let bundle { return bundle.iteration }
    return URL(filePath: checkpoint).lastPathComponent.split(separator: "-").last.flatMap {
      Int($0)
    }
  }

  /// The names of the classes of the run's validation set, or of its training set without one.
  ///
  /// - Returns: The names in the order of their ids.
  /// - Throws: `DatasetError` when the file is gone or malformed.
  package func classNames() throws -> [String] {
    if let bundle {
      guard !bundle.classes.isEmpty else {
        throw DatasetError.record(
          file: bundle.path, place: "", field: "classes",
          reason: "is empty: the run's class names could not be read when it was exported")
      }
      return bundle.classes.map(\.name)
    }
    return try categories().map(\.name)
  }

  /// The classes with the group that each belongs to in the run's split.
  ///
  /// - Returns: The classes in the order of their ids; without groups when the split cannot be read.
  /// - Throws: `DatasetError` when the annotations are gone or malformed.
  package func classes() throws -> [ModelBundle.NamedClass] {
    if let bundle { return bundle.classes }
    let categories = try categories()
    let split = try? TrainingData.split(
      classSplit: configuration.data.classSplit, of: categories, in: "")
    let base = Set((split?.base ?? []).map(ClassName.plain))
    let novel = Set((split?.novel ?? []).map(ClassName.plain))
    return categories.map { category in
      let name = ClassName.plain(category.name)
      let isBase = base.contains(name) ? true : novel.contains(name) ? false : nil
      return .init(name: category.name, isBase: isBase)
    }
  }

  private func categories() throws -> [COCOAnnotations.Category] {
    let data = configuration.data
    let path =
      data.validationAnnotations.isEmpty ? data.trainAnnotations : data.validationAnnotations
    return try COCOAnnotations.Category.list(ofFile: path)
  }

  /// For each name whether the combined scores of two heads lean on the main one.
  ///
  /// - Parameter names: Class names.
  /// - Returns: One flag a name.
  /// - Throws: `DatasetError` when base classes are needed and cannot be read.
  package func leansOnMainHead(_ names: [String]) throws -> [Bool] {
    guard bundle != nil, configuration.data.classSplit == RunConfiguration.Data.openVocabularyLVIS
    else { return try configuration.leansOnMainHead(names) }
    return try configuration.leansOnMainHead(names, base: baseClasses())
  }

  /// The names of the classes that training has boxes of.
  ///
  /// - Throws: `DatasetError` when the split's files cannot be read.
  package func baseClasses() throws -> [String] {
    // The frequencies of LVIS stand in its annotations, which a bundle lacks.
    guard let bundle, configuration.data.classSplit == RunConfiguration.Data.openVocabularyLVIS
    else { return try configuration.baseClasses() }
    let known = bundle.classes.filter { $0.isBase ?? false }.map(\.name)
    return known.isEmpty ? try configuration.baseClasses() : known
  }
}
