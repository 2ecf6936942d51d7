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
  /// A detection that overlaps a surer one by a larger IoU is not drawn, whatever its class.
  private static let overlap: Float = 0.5
  private static let enlargement = 2

  let count: Int
  let rows: [DemoResult.Row]
  /// The world that the detectors are scored on.
  let folder: String

  /// The first scenes with a novel object, a picture for the truth and one for each detector.
  func pictures() throws -> [(png: Data, alt: String, caption: String)] {
    let annotations = try COCOAnnotations(path: "\(folder)/annotations/instances.json")
    let novel = Set(Glyph.novel.map(\.rawValue))
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
    return try scenes.flatMap { record in
      let image = try ImageDecoder.decode(path: "\(folder)/images/\(record.fileName)")
      let truth = record.objects.map {
        LabeledBox(box: $0.box, label: label(annotations.categories[$0.label].name))
      }
      let sheets =
        [("there is", truth)]
        + zip(rows, found).map { row, found in
          (
            row.variant.name,
            Self.surest(record.objects.count, of: found[record.id] ?? []).map { object in
              let box = Self.corners(object.box)
              return LabeledBox(
                box: BoundingBox(x1: box.x1, y1: box.y1, x2: box.x2, y2: box.y2),
                label: label(names[object.categoryID] ?? "?"))
            }
          )
        }
      return try sheets.map { name, boxes in
        let list = boxes.map(\.label).joined(separator: ", ")
        return (
          png: try PictureSheet.annotated(image, boxes, enlarging: Self.enlargement).pngData(),
          alt: "\(record.fileName), \(name): \(list.isEmpty ? "nothing" : list)", caption: name
        )
      }
    }
  }

  /// The best detections of a picture, one a place.
  private static func surest(
    _ count: Int, of found: [Evaluation.ScoredBox]
  ) -> [Evaluation.ScoredBox] {
    var chosen: [Evaluation.ScoredBox] = []
    for candidate in found.sorted(by: { $0.score > $1.score }) where chosen.count < count {
      let box = corners(candidate.box)
      guard chosen.allSatisfy({ box.iou(with: corners($0.box)) <= overlap }) else { continue }
      chosen.append(candidate)
    }
    return chosen
  }

  private static func corners(_ box: BoxXYWH) -> Box {
    Box(
      x1: Float(box.x), y1: Float(box.y), x2: Float(box.x + box.width),
      y2: Float(box.y + box.height))
  }
}
