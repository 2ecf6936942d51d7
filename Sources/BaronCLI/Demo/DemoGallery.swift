import Annotations
import DemoWorld
import Detection
import Evaluation
import Foundation
import Geometry
import Pictures
import Training

/// Pictures of scenes: what is there and what each detector finds.
struct DemoGallery {
  private static let enlargement = 2

  let count: Int
  let rows: [DemoResult.Row]
  /// The world that the detectors are scored on.
  let folder: String
  let kind: WorldKind

  /// The first scenes with a novel object, a picture for the truth and one for each detector.
  func pictures() throws -> [(png: Data, alt: String, caption: String)] {
    let annotations = try COCOAnnotations(path: "\(folder)/annotations/instances.json")
    let novel = Set(kind.novel.map(\.name))
    let scenes = annotations.images.filter { record in
      record.objects.contains { novel.contains(annotations.categories[$0.label].name) }
    }.prefix(count)
    let names = Dictionary(
      annotations.categories.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    let found = try rows.map { row in
      Dictionary(
        grouping: try DetectionResults(contentsOf: row.variant.detections).boxes, by: \.imageID)
    }
    func label(_ name: String) -> String { novel.contains(name) ? name + "*" : name }
    var colors = LabelPalette()
    return try scenes.flatMap { record in
      let image = try record.picture(in: "\(folder)/images")
      let truth = record.objects.map {
        LabeledBox(box: $0.box, label: label(annotations.categories[$0.label].name))
      }
      let sheets =
        [("there is", truth)]
        + zip(rows, found).map { row, found in
          (
            row.variant.name,
            Self.surest(record.objects.count, of: found[record.id] ?? []).map { object in
              LabeledBox(
                box: Box(object.box), label: label(names[object.categoryID] ?? "?"))
            }
          )
        }
      return try sheets.map { name, boxes in
        let list = boxes.map(\.label).joined(separator: ", ")
        return (
          png: try PictureSheet.annotated(
            image, boxes, enlarging: Self.enlargement, colors: &colors
          ).pngData(),
          alt: "\(record.fileName), \(name): \(list.isEmpty ? "nothing" : list)", caption: name
        )
      }
    }
  }

  /// The best detections of a picture, one a place.
  private static func surest(
    _ count: Int, of found: [DetectionResult]
  ) -> [DetectionResult] {
    let boxes = found.map { ScoredBox(Box($0.box), score: Float($0.score)) }
    return Suppression.survivors(of: boxes, limit: count).map { found[$0] }
  }
}
