import Datasets
import DemoWorld
import Foundation
import Training

/// The folder of a demo: a run with the world it learns and the teacher it learns from.
struct DemoFolder {
  static let sceneCount = trainingScenes + validationScenes
  private static let trainingScenes = 600
  private static let validationScenes = 60
  private static let seeds: (training: UInt64, validation: UInt64, teacher: UInt64) = (1, 2, 3)
  /// What a demo consists of; nothing else is ever removed.
  private static let contents = [
    "world", "clip", "pictures", "detections.json", "detections", "checkpoints", "metrics.jsonl",
    "config.yaml", "lock",
  ]

  /// How the demo in the folder goes on.
  struct Start {
    let run: RunFolder
    let configuration: RunConfiguration
    let isNew: Bool
    let resumes: Bool
    let isTrained: Bool
  }

  let path: String

  private var world: String { "\(path)/world" }
  private var results: String { "\(path)/detections.json" }

  /// Sets the paths of data and teacher.
  func complete(_ configuration: inout RunConfiguration) {
    let root = URL(filePath: path).standardizedFileURL.path
    configuration.clip.folder = "\(root)/clip"
    configuration.data.trainAnnotations = "\(root)/world/train/annotations/instances_base.json"
    configuration.data.trainImages = "\(root)/world/train/images"
    configuration.data.alignmentAnnotations = configuration.data.trainAnnotations
    configuration.data.alignmentImages = configuration.data.trainImages
    configuration.data.validationAnnotations = "\(root)/world/val/annotations/instances.json"
    configuration.data.validationImages = "\(root)/world/val/images"
    configuration.data.classSplit = "\(root)/world/train/annotations/classes.json"
  }

  /// Makes the folder, or opens that of an interrupted demo.
  ///
  /// - Parameter configuration: The configuration of a new demo.
  /// - Returns: How to go on.
  /// - Throws: `DemoError` when a finished demo or something else is in the way; `RunFolderError`.
  func open(_ configuration: RunConfiguration) throws -> Start {
    let files = FileManager.default
    guard files.fileExists(atPath: path) else {
      return Start(
        run: try RunFolder.create(at: path, configuration: configuration),
        configuration: configuration, isNew: true, resumes: false, isTrained: false)
    }
    guard files.fileExists(atPath: "\(path)/config.yaml") else { throw DemoError.occupied(path) }
    guard !files.fileExists(atPath: results) else { throw DemoError.finished(path) }
    let stored = try RunFolder.configuration(of: path)
    var own = stored
    complete(&own)
    guard own.clip.folder == stored.clip.folder, own.data == stored.data else {
      throw DemoError.occupied(path)
    }
    let run = try RunFolder.resume(at: path)
    let done = run.checkpoints.latest { _ in }?.iteration
    return Start(
      run: run, configuration: stored, isNew: false, resumes: done != nil,
      isTrained: done == stored.training.iterations)
  }

  /// Writes the scenes and the teacher where they are not there yet; equal seeds, equal bytes.
  func fill() throws {
    for (name, count, seed) in [
      ("train", Self.trainingScenes, Self.seeds.training),
      ("val", Self.validationScenes, Self.seeds.validation),
    ] {
      // The class list is what a world writes last.
      let marker = "\(world)/\(name)/annotations/classes.json"
      guard !FileManager.default.fileExists(atPath: marker) else { continue }
      try DemoWorld.write(to: "\(world)/\(name)", images: count, seed: seed)
    }
    guard !FileManager.default.fileExists(atPath: "\(path)/clip/config.json") else { return }
    try TinyCLIP.write(
      to: "\(path)/clip", classNames: Glyph.allCases.map(\.rawValue), seed: Self.seeds.teacher)
  }

  /// Removes an earlier demo.
  ///
  /// - Throws: `DemoError` when the folder is no demo or holds other files too.
  func removeDemo() throws {
    let files = FileManager.default
    guard files.fileExists(atPath: path) else { return }
    let found = (try? files.contentsOfDirectory(atPath: path)) ?? []
    guard found.allSatisfy({ Self.contents.contains($0) }), found.isEmpty || found.contains("world")
    else { throw DemoError.foreign(path) }
    try files.removeItem(atPath: path)
  }

  /// Draws validation scenes, left with their true boxes, right with what the detector finds.
  func draw(_ count: Int, detector: ObjectDetector, configuration: RunConfiguration) throws {
    let annotations = try COCOAnnotations(path: configuration.data.validationAnnotations)
    try FileManager.default.createDirectory(
      atPath: "\(path)/pictures", withIntermediateDirectories: true)
    for record in annotations.images.prefix(count) {
      let image = try ImageDecoder.decode(
        path: "\(configuration.data.validationImages)/\(record.fileName)")
      let truth = record.objects.map {
        LabeledBox(box: $0.box, label: annotations.categories[$0.label].name)
      }
      let found = try detector.detect(image).filter { $0.score >= DetectCommand.usualThreshold }
        .map {
          LabeledBox(box: $0.box, label: detector.vocabulary[$0.label], score: Double($0.score))
        }
      try PictureSheet.besides(
        [truth, found].map { PictureSheet.annotated(image, $0, enlarging: 5) }
      ).writePNG("\(path)/pictures/\(record.fileName)")
    }
  }

  /// Copies the detections of the validation to where a newcomer looks for them.
  func copyDetections(from file: String) throws {
    try? FileManager.default.removeItem(atPath: results)
    try FileManager.default.copyItem(atPath: file, toPath: results)
  }
}

/// Why a demo cannot start; the description is one line with the remedy.
enum DemoError: Error, CustomStringConvertible {
  case finished(String)
  case occupied(String)
  case foreign(String)

  var description: String {
    switch self {
    case .finished(let path):
      "\(path): a finished demo is here; name another folder or give --overwrite"
    case .occupied(let path):
      "\(path): this folder is there already and holds no demo; name another folder"
    case .foreign(let path):
      "\(path): holds files that no demo made, so it is not removed; name another folder"
    }
  }
}
