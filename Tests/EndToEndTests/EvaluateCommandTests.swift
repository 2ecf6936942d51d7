import Formats
import Foundation
import TestSupport
import Testing

/// `baron evaluate` on files: what is scored, what is printed, what is refused.
@Suite(
  "Scoring result files", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct EvaluateCommandTests {
  private static let data = Fixture.sharedFolder + "/data"
  private static let annotations = data + "/coco-mini/annotations/instances_val.json"

  /// Writes every object but crowds as a detection with score 0.5.
  private func detections(_ scratch: Scratch, _ fields: [String]) throws -> String {
    let records = try JSONValue(contentsOf: Self.annotations)["annotations"]?.array ?? []
    let found = records.filter { $0["iscrowd"]?.integer == 0 }.map { record in
      var members: [String: JSONValue] = ["score": 0.5]
      for field in ["image_id", "category_id"] + fields { members[field] = record[field] }
      return JSONValue.object(members)
    }
    let path = scratch.folder + "/found.json"
    try Data(JSONValue.array(found).text().utf8).write(to: URL(filePath: path))
    return path
  }

  private func evaluate(_ detections: String, _ options: String...) throws -> BaronProcess.Result {
    try BaronProcess(
      ["evaluate", "--annotations", Self.annotations, "--detections", detections] + options
    ).finish()
  }

  @Test("boxes and masks, protocols and tables")
  func scores() throws {
    let scratch = try Scratch()
    let found = try detections(scratch, ["bbox", "segmentation"])
    let both = try evaluate(found, "--per-category")
    #expect(both.status == 0, "\(both.errors)")
    for text in [
      "protocol    OV-COCO\n", "metric      box and mask AP, ", "images      52\n",
      "vocabulary  80 classes, 77 with objects\n", "detections  491, ", "\nboxes\n", "\nmasks\n",
      "mask AP50",
    ] {
      #expect(both.output.contains(text), "\(text)\n\(both.output)")
    }
    let part = try evaluate(found, "--only-images-of-split", "--only-classes-of-split")
    #expect(part.output.contains("images      50 of 52: "), "\(part.output)")
    #expect(part.output.contains("vocabulary  65 of 80 classes: "), "\(part.output)")
    let masks = try evaluate(found, "--iou", "segm", "--split", "coco", "--json")
    let json = try JSONValue(parsing: masks.output, source: "evaluate --json")
    #expect(json["measures"] == nil)
    #expect((json["masks"]?["measures"]?["AP"]?.number ?? 0) > 0.9999)
    #expect(json["masks"]?["classes"]?.array?.count == 80)
    let voc = try evaluate(found, "--split", "voc", "--voc-interpolation", "area")
    #expect(voc.output.contains("protocol    PASCAL VOC\n"))
    #expect(voc.output.contains("version     as VOC2010 devkit\n"))
    #expect(!voc.output.contains("AR"))
  }

  @Test("what cannot be scored is refused")
  func refused() throws {
    let scratch = try Scratch()
    let boxes = try detections(scratch, ["bbox"])
    expectError(
      try evaluate(boxes, "--iou", "segm"), "found.json: results[0] has no \"segmentation\"")
    let lvis = try BaronProcess.run(
      "evaluate", "--annotations",
      Self.data + "/lvis-mini/annotations/lvis_v1style_val_mini.json", "--detections", boxes,
      "--split", "ov-lvis")
    expectError(lvis, "found.json: ", "\"image_id\"", "in results[")
    for wrong in [
      ["--voc-interpolation", "area"], ["--split", "voc", "--iou", "segm"],
      ["--split", "coco", "--only-classes-of-split"], ["--iou", "keypoints"],
    ] {
      let result = try BaronProcess(
        ["evaluate", "--annotations", Self.annotations, "--detections", boxes] + wrong
      ).finish()
      #expect(result.status == 64, "\(wrong)")
    }
  }

  @Test("the scale test runs in small")
  func bench() throws {
    let result = try BaronProcess.run(
      "bench-evaluation", "--images", "20", "--detections", "30", "--classes", "5", "--masks")
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("mask AP 0."))
    #expect(result.output.contains("peak memory"))
  }
}
