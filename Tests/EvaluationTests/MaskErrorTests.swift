import TestSupport
import Testing

@testable import Evaluation

/// What a user reads when masks cannot be scored.
@Suite struct MaskErrorTests {
  private static let mask = "\"segmentation\": {\"size\": [4, 5], \"counts\": \"5220003\"}"
  private static let box = "\"bbox\": [1, 1, 3, 2]"

  /// The error for one annotation and one detection in an image of 5 x 4 pixels.
  private func message(
    annotation: String = mask, detection: String = mask,
    size: String = "\"width\": 5, \"height\": 4",
    iou: IoUType = .segm, split: ClassSplit = .none
  ) throws -> String {
    let folder = try TemporaryFolder()
    let truth = try folder.file(
      "truth.json",
      """
      {"images": [{"id": 7, \(size)}], "categories": [{"id": 1, "name": "cup"}], "annotations":
      [{"id": 1, "image_id": 7, "category_id": 1, \(Self.box), "area": 6, \(annotation)}]}
      """)
    let results = try folder.file(
      "results.json",
      "[\n{\"image_id\": 7, \"category_id\": 1, \"score\": 0.5, \(detection)}]")
    var settings = EvaluationSettings()
    settings.iouTypes = [iou]
    let error = #expect(throws: (any Error).self) {
      try evaluate(
        annotations: truth, detections: results, split: split, settings: settings,
        warn: { Issue.record("\($0)") })
    }
    let text = "\(try #require(error))"
    #expect(!text.contains("\n"))
    return text.replacing(truth, with: "truth.json").replacing(results, with: "results.json")
  }

  private func segmentation(_ value: String) -> String { "\"segmentation\": \(value)" }

  @Test func runLengthMessages() throws {
    let place = "results.json: results[0].segmentation (line 2, column "
    let cases: [(String, String)] = [
      (
        "{\"size\": [4, 5], \"counts\": [5, 16]}",
        "the run lengths add up to 21 pixels, but a mask of 5x4 has 20; \"size\" is [height, width], "
          + "check that it belongs to these counts"
      ),
      (
        "{\"size\": [5, 4], \"counts\": \"5220003\"}",
        "the mask has 4x5 pixels, its image 5x4; \"size\" is [height, width] of the image as the "
          + "annotations give it"
      ),
      (
        "{\"size\": [4, 5], \"counts\": \"52~\"}",
        "the compressed run lengths are broken at character 2; copy the file again"
      ),
      (
        "{\"counts\": \"5220003\"}",
        "has no \"size\" of two numbers; run lengths need [height, width]"
      ),
      ("{\"size\": [4, 5]}", "has no \"counts\"; run lengths are a list of numbers or a text"),
      ("{\"size\": [4, 5], \"counts\": {}}", "expected an array, found '{'"),
    ]
    for (value, reason) in cases {
      let found = try message(detection: segmentation(value))
      #expect(found.hasPrefix(place) && found.hasSuffix("): \(reason)"), "\(found)")
    }
  }

  @Test func polygonMessages() throws {
    let remedy = "a polygon is [x1, y1, x2, y2, ...] in pixels with at least three corners"
    for (value, reason) in [
      ("[[1, 1, 3, 1]]", "polygon 0 has 4 numbers; \(remedy)"),
      ("[[1, 1, 3, 1, 3, 3], [1, 1, 3, 1, 3, 3, 1]]", "polygon 1 has 7 numbers; \(remedy)"),
      ("[[1, 1, 3, 1, 3, \"a\"]]", "expected a number, found string"),
      ("[[1, 1, 3, 1, 3, NaN]]", "NaN and Infinity are not JSON numbers"),
    ] {
      let found = try message(annotation: segmentation(value))
      #expect(found.hasPrefix("truth.json: "), "\(found)")
      #expect(found.contains(reason), "\(found)")
    }
    let far = try message(annotation: segmentation("[[1, 1, 3, 1, 3, 1e9]]"))
    #expect(
      far
        == "truth.json: annotations[0].segmentation (line 2, column 116): coordinate 5 of a polygon "
        + "is 1000000000.0, far outside of any picture; a polygon is [x1, y1, x2, y2, ...] in pixels"
    )
  }

  @Test func missingMasksAndBoxes() throws {
    let remedy = "masks are scored here, give every record one or score boxes"
    #expect(
      try message(detection: Self.box)
        == "results.json: results[0] has no \"segmentation\"; \(remedy)")
    #expect(
      try message(annotation: segmentation("[]"))
        == "truth.json: annotations[0] has no \"segmentation\"; \(remedy)")
    #expect(
      try message(annotation: segmentation("null"))
        == "truth.json: annotations[0] has no \"segmentation\"; \(remedy)")
    #expect(
      try message(iou: .bbox)
        == "results.json: results[0] has no \"bbox\"; "
        + "boxes are scored here, give every detection one or score masks alone")
    #expect(
      try message(detection: "\"segmentation\": null")
        == "results.json: results[0]: \"bbox\": is missing; a detection has a box, a "
        + "\"segmentation\" or both")
    #expect(
      try message(size: "\"width\": 5")
        == "truth.json: image 7 has no \"height\"; masks are drawn in its frame, add the size in "
        + "pixels or score boxes")
    #expect(
      try message(split: .voc)
        == "PASCAL VOC's rule scores boxes only; score masks by the COCO metric")
  }

  /// Of many broken masks the first in the file is named, whichever thread meets one first.
  @Test func theFirstBrokenMaskIsNamed() throws {
    let folder = try TemporaryFolder()
    let truth = try folder.file(
      "truth.json",
      """
      {"images": [{"id": 7, "width": 5, "height": 4}], "annotations": [],
       "categories": [{"id": 1, "name": "cup"}]}
      """)
    let records = (0..<5000).map { index in
      let counts = index > 2000 ? "5220004" : "5220003"
      return "{\"image_id\": 7, \"category_id\": 1, \"score\": 0.5, "
        + "\"segmentation\": {\"size\": [4, 5], \"counts\": \"\(counts)\"}}"
    }
    let results = try folder.file("results.json", "[\(records.joined(separator: ",\n"))]")
    var settings = EvaluationSettings()
    settings.iouTypes = [.segm]
    settings.threads = 4
    let error = #expect(throws: EvaluationError.self) {
      try evaluate(
        annotations: truth, detections: results, settings: settings,
        warn: { Issue.record("\($0)") })
    }
    let text = try #require(error).description
    #expect(text.contains("results[2001].segmentation (line 2002, column "), "\(text)")
  }
}
