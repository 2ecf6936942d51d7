import Formats
import TestSupport

@testable import Evaluation

/// The polygons of every object but crowds, moved by (1.75, -2.25) pixels, as a results file has them.
enum MovedPolygons {
  /// The twelve numbers of pycocotools, which takes the polygons as run lengths only.
  static let expected: [Double] = [
    0.513020131188, 0.786584012431, 0.536699670028, 0.170766351298, 0.690779826006,
    0.925925596833, 0.418903419913, 0.553150180375, 0.556365533911, 0.197690035659,
    0.699221611722, 0.930092592593,
  ]

  static func results(of truth: GroundTruth) throws -> DetectionResults {
    let document = try JSONValue(contentsOf: truth.source)
    let records = (document["annotations"]?.array ?? []).enumerated().compactMap {
      index, record -> JSONValue? in
      guard let polygons = record["segmentation"]?.array, record["iscrowd"]?.integer == 0 else {
        return nil
      }
      let moved = polygons.map { polygon in
        JSONValue.array(
          (polygon.array ?? []).enumerated().map { place, value in
            .number((value.number ?? 0) + (place.isMultiple(of: 2) ? 1.75 : -2.25))
          })
      }
      return [
        "image_id": record["image_id"] ?? .null, "category_id": record["category_id"] ?? .null,
        "score": .number(Double(index * 37 % 101) / 101), "segmentation": .array(moved),
      ]
    }
    let folder = try TemporaryFolder()
    return try DetectionResults(
      contentsOf: folder.file("polygons.json", JSONValue.array(records).text()))
  }
}
