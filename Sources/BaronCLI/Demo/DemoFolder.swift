import DemoWorld
import Formats
import Foundation
import Reporting
import Training

/// The folder of a demo: its plan, the world, the teacher's run and one run for each detector.
struct DemoFolder {
  /// What a demo consists of; nothing else is ever removed.
  private static let contents = [
    "demo.yaml", "world", "teacher", "students", "report.html", "result.json",
  ]
  /// Seeds of worlds that no training uses; those of training start at ``firstTrainingSeed``.
  private static let evaluationSeeds: [DemoConfiguration.World.Part: UInt64] = [
    .validation: 2, .test: 3,
  ]
  private static let firstTrainingSeed: UInt64 = 1000

  let path: String

  var plan: String { "\(path)/demo.yaml" }
  var teacher: String { "\(path)/teacher" }
  var report: String { "\(path)/report.html" }
  var result: String { "\(path)/result.json" }
  var isNew: Bool { !FileManager.default.fileExists(atPath: plan) }

  private var root: String { URL(filePath: path).standardizedFileURL.path }
  private var trainingWorld: String { "\(root)/world/train" }

  func student(_ name: String) -> String { "\(path)/students/\(name)" }

  func evaluationWorld(_ configuration: DemoConfiguration) -> String {
    "\(root)/world/\(configuration.world.evaluation.rawValue)"
  }

  /// Opens the folder of a demo, or makes it.
  ///
  /// - Parameter wanted: The configuration of a new demo.
  /// - Returns: The configuration to go on with: that of the demo in the folder, if there is one,
  ///   with the detectors of `wanted` that it does not have yet.
  /// - Throws: `DemoError` when something else is in the way; `ConfigurationError`, `FormatError`.
  func open(_ wanted: DemoConfiguration) throws -> DemoConfiguration {
    let files = FileManager.default
    var configuration = wanted
    if isNew {
      let found = (try? files.contentsOfDirectory(atPath: path)) ?? []
      guard found.isEmpty, !isFile else { throw DemoError.occupied(path) }
      do {
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw DemoError.unwritable(path)
      }
    } else {
      configuration = try DemoConfiguration.load(plan)
      configuration.students.configs += wanted.students.configs.filter {
        !configuration.students.configs.contains($0)
      }
    }
    try AtomicFile.write(Data(configuration.yaml().utf8), to: plan)
    return configuration
  }

  /// The kind of the world of the demo in the folder, if there is one.
  var kind: WorldKind? {
    isNew ? nil : (try? DemoConfiguration.load(plan))?.world.drawnKind
  }

  private var isFile: Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  /// Draws the scenes that are not there yet; equal seeds, equal bytes.
  func drawWorlds(_ configuration: DemoConfiguration) throws {
    let world = configuration.world
    let worlds: [(folder: String, images: Int, seed: UInt64, regions: Int)] = [
      (
        trainingWorld, world.trainingImages, Self.firstTrainingSeed + UInt64(configuration.seed),
        world.regionsPerImage
      ),
      (
        evaluationWorld(configuration), world.evaluationImages,
        Self.evaluationSeeds[world.evaluation] ?? 0, 0
      ),
    ]
    // The class list is what a world writes last.
    for (folder, images, seed, regions) in worlds
    where !FileManager.default.fileExists(atPath: "\(folder)/annotations/classes.json") {
      let name = URL(filePath: folder).lastPathComponent
      let line = ProgressLine(label: "world/\(name)", total: images)
      try DemoWorld.write(
        world.drawnKind, to: folder, images: images, seed: seed, regionsPerImage: regions
      ) { line.update(step: $0) }
      line.finish()
    }
  }

  /// The configuration of the teacher's run.
  func teacherConfiguration(_ demo: DemoConfiguration) throws -> CLIPTrainingConfiguration {
    var configuration = try CLIPTrainingConfiguration.load(
      demo.teacher.config, overrides: demo.teacher.overrides)
    configuration.data.trainCaptions = "\(trainingWorld)/annotations/region_captions.json"
    configuration.data.trainImages = "\(trainingWorld)/images"
    configuration.data.validationAnnotations =
      "\(evaluationWorld(demo))/annotations/instances.json"
    configuration.data.validationImages = "\(evaluationWorld(demo))/images"
    configuration.data.classSplit = "\(trainingWorld)/annotations/classes.json"
    configuration.training.seed = demo.seed
    return configuration
  }

  /// The configuration of a detector's run.
  func studentConfiguration(
    _ config: String, _ demo: DemoConfiguration, overrides: [String]
  ) throws -> RunConfiguration {
    var configuration = try RunConfiguration.load(
      config, overrides: demo.students.overrides + overrides)
    configuration.clip.folder = CLIPTraining.modelFolder(of: "\(root)/teacher")
    configuration.data.trainAnnotations = "\(trainingWorld)/annotations/instances_base.json"
    configuration.data.trainImages = "\(trainingWorld)/images"
    configuration.data.alignmentAnnotations = configuration.data.trainAnnotations
    configuration.data.alignmentImages = configuration.data.trainImages
    configuration.data.validationAnnotations =
      "\(evaluationWorld(demo))/annotations/instances.json"
    configuration.data.validationImages = "\(evaluationWorld(demo))/images"
    configuration.data.classSplit = "\(trainingWorld)/annotations/classes.json"
    configuration.training.seed = demo.seed
    // The comparison needs the score at the end and no other.
    configuration.training.evaluateEvery = configuration.training.iterations
    return configuration
  }

  /// Removes an earlier demo.
  ///
  /// - Throws: `DemoError` when the folder is no demo or holds other files too.
  func removeDemo() throws {
    let files = FileManager.default
    guard files.fileExists(atPath: path) else { return }
    let found = (try? files.contentsOfDirectory(atPath: path)) ?? []
    guard !isFile, found.allSatisfy({ Self.contents.contains($0) }), found.isEmpty || !isNew
    else { throw DemoError.foreign(path) }
    try files.removeItem(atPath: path)
  }
}

extension DemoConfiguration.World {
  /// What is drawn, as the world calls it.
  var drawnKind: WorldKind {
    switch kind {
    case .shapes: .shapes
    case .scenery: .scenery
    }
  }
}

/// Why a demo cannot start; the description is one line with the remedy.
enum DemoError: Error, CustomStringConvertible {
  case occupied(String)
  case unwritable(String)
  case foreign(String)
  case otherWorld(String, WorldKind)

  var description: String {
    switch self {
    case .occupied(let path):
      "\(path): this is there already and holds no demo; name another folder"
    case .unwritable(let path):
      "\(path): the folder cannot be made; name a writable place"
    case .foreign(let path):
      "\(path): holds files that no demo made, so it is not removed; name another folder"
    case .otherWorld(let path, let kind):
      "\(path): holds a demo of the world of \(kind.rawValue); name another folder or give --overwrite"
    }
  }
}
