import Annotations
import Formats
import Foundation
import Training

/// The detector of `baron demo` with scenes to try.
struct ServedDemo {
  private static let sceneCount = 12

  /// The run of the detector with the whole method.
  let run: String
  /// Scenes that no training has seen.
  let scenes: [String]

  /// Looks for a demo.
  ///
  /// - Parameter path: The demo's folder.
  /// - Throws: `FormatError` that says how to make one when there is none.
  init(folder path: String) throws {
    let folder = DemoFolder(path: path)
    guard !folder.isNew else {
      throw FormatError(
        path,
        "there is no demo here; 'baron demo --quick' makes one in about two minutes, 'baron demo' "
          + "a better one in ten, or name the folder of another")
    }
    let configuration = try DemoConfiguration.load(folder.plan)
    // The last one has the whole method.
    let runs = try configuration.students.configs.map {
      try DemoVariant($0, demo: configuration, folder: folder).run
    }
    let trained = runs.last { (try? ModelLocation(run: $0, warn: { _ in })) != nil }
    guard let trained else {
      throw FormatError(
        path, "this demo has no trained detector yet; go on with it: baron demo \(path)")
    }
    run = trained
    scenes = Self.scenes(in: folder.evaluationWorld(configuration))
  }

  /// The first scenes with a novel object.
  private static func scenes(in world: String) -> [String] {
    guard
      let annotations = try? COCOAnnotations(path: "\(world)/annotations/instances.json"),
      let split = try? OpenVocabularySplit(path: "\(world)/annotations/classes.json")
    else { return [] }
    let novel = Set(split.novel)
    return annotations.images.lazy.filter { record in
      record.objects.contains { novel.contains(annotations.categories[$0.label].name) }
    }.prefix(sceneCount).map { "\(world)/images/\($0.fileName)" }
  }
}
