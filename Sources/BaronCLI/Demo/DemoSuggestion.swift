import Annotations
import DemoWorld
import Evaluation
import Formats
import Training

/// A scene and words to try a trained detector on: what it shows there is above its thresholds.
struct DemoSuggestion {
  /// The scene's file name.
  let file: String
  /// The words.
  let names: [String]

  /// The scene in which a detector shows most classes, novel ones before base ones.
  ///
  /// - Parameters:
  ///   - variant: The detector, scored.
  ///   - kind: The world.
  /// - Returns: nil when it shows no novel class anywhere, as after a few steps.
  init?(_ variant: DemoVariant, kind: WorldKind) throws {
    guard let thresholds = variant.thresholds else { return nil }
    let truth = try COCOAnnotations(path: variant.configuration.data.validationAnnotations)
    let names = Dictionary(
      truth.categories.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    let novel = Set(kind.novel.map(\.name))
    var shown: [Int: Set<String>] = [:]
    for found in try DetectionResults(contentsOf: variant.detections).boxes {
      guard let name = names[found.categoryID],
        found.score >= (novel.contains(name) ? thresholds.novel : thresholds.base)
      else { continue }
      shown[found.imageID, default: []].insert(name)
    }
    func rank(_ id: Int) -> (Int, Int) {
      let names = shown[id] ?? []
      return (names.intersection(novel).count, names.count)
    }
    guard var best = truth.images.first else { return nil }
    for record in truth.images where rank(record.id) > rank(best.id) { best = record }
    guard rank(best.id).0 > 0 else { return nil }
    file = best.fileName
    self.names = (shown[best.id] ?? []).sorted()
  }
}
