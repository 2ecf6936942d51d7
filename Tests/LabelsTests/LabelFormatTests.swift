import Annotations
import Formats
import Foundation
import Geometry
import Labels
import Masks
import TestSupport
import Testing

@Suite struct LabelFormatTests {
  private let names = ["cat", "traffic cone & co"]

  private func pictures(masks: Bool) throws -> [LabeledPicture] {
    var bitmap = [UInt8](repeating: 0, count: 100 * 50)
    for y in 10..<20 { for x in 20..<60 where x + y < 70 { bitmap[y * 100 + x] = 1 } }
    let mask = try RunLengthMask(width: 100, height: 50, bitmap: bitmap)
    return [
      LabeledPicture(
        id: 1, file: "photos/a.jpg", width: 100, height: 50,
        objects: [
          .init(
            label: 1, box: Box(x1: 20, y1: 10, x2: 60, y2: 20), score: 0.75,
            mask: masks ? mask : nil),
          .init(
            label: 0, box: Box(x1: 0, y1: 0, x2: 100, y2: 50), score: 0.5,
            mask: masks ? mask : nil),
        ]),
      LabeledPicture(id: 2, file: "other/a.png", width: 10, height: 10, objects: []),
    ]
  }

  private func write(_ format: LabelFormat, masks: Bool = false) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    var writer = try format.writer(to: folder.path, names: names)
    for picture in try pictures(masks: masks) { try writer.append(picture) }
    try writer.finish()
    return folder
  }

  private func text(_ folder: TemporaryFolder, _ name: String) throws -> String {
    try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)
  }

  /// Our own reader of annotations takes it, with masks that are the same pixels.
  @Test(arguments: [false, true]) func cocoIsReadBack(_ masks: Bool) throws {
    let folder = try write(.coco, masks: masks)
    let file = try JSONValue(contentsOf: "\(folder.path)/coco.json")
    let annotations = file["annotations"]?.array ?? []
    #expect(annotations.map { $0["id"]?.integer } == [1, 2])
    #expect(annotations.map { $0["image_id"]?.integer } == [1, 1])
    #expect(annotations.map { $0["category_id"]?.integer } == [2, 1])
    #expect(annotations[0]["bbox"]?.array?.map(\.number) == [20, 10, 40, 10])
    let mask = try #require(try pictures(masks: true)[0].objects[0].mask)
    #expect(annotations[0]["area"]?.number == (masks ? Double(mask.area) : 400))
    let polygons = (annotations[0]["segmentation"]?.array ?? []).map { polygon in
      (polygon.array ?? []).compactMap(\.number)
    }
    if masks {
      #expect(try RunLengthMask(width: 100, height: 50, polygons: polygons) == mask)
    } else {
      #expect(polygons == [[20, 10, 60, 10, 60, 20, 20, 20]])
    }
    let index = try AnnotationIndex(path: "\(folder.path)/coco.json")
    #expect(index.categories.map(\.name) == names)
  }

  @Test func yoloCountsInSharesOfThePicture() throws {
    let folder = try write(.yolo)
    #expect(
      try text(folder, "labels/a.txt")
        == "1 0.400000 0.300000 0.400000 0.200000\n0 0.500000 0.500000 1.000000 1.000000\n")
    // Two pictures of one name have two files.
    #expect(try text(folder, "labels/a-2.txt") == "")
    #expect(try text(folder, "classes.txt") == "cat\ntraffic cone & co\n")
    #expect(try text(folder, "data.yaml").contains("  1: \"traffic cone & co\"\n"))
    let outlines = try text(try write(.yolo, masks: true), "labels/a.txt")
    #expect(outlines.hasPrefix("1 0.600000 0.200000 0.600000 0.220000 "))
  }

  @Test func vocCountsFromOne() throws {
    let folder = try write(.voc)
    let file = try text(folder, "Annotations/a.xml")
    let tree = try Array(file.utf8).withUnsafeBytes {
      try MarkupElement(parsing: $0, source: "a.xml")
    }
    let object = try #require(tree.child("object"))
    #expect(object.child("name")?.text == "traffic cone & co")
    let corners = ["xmin", "ymin", "xmax", "ymax"].map { object.child("bndbox")?.child($0)?.text }
    #expect(corners == ["21", "11", "60", "20"])
    #expect(tree.child("size")?.child("width")?.text == "100")
    #expect(tree.children.count { $0.name == "object" } == 2)
  }

  @Test func labelStudioCountsInPercent() throws {
    let folder = try write(.labelstudio)
    let tasks = try JSONValue(contentsOf: "\(folder.path)/labelstudio.json").array ?? []
    #expect(tasks.map { $0["data"]?["image"]?.string } == ["photos/a.jpg", "other/a.png"])
    let results = tasks[0]["predictions"]?.array?[0]["result"]?.array ?? []
    #expect(results.map { $0["type"]?.string } == ["rectanglelabels", "rectanglelabels"])
    let value = try #require(results[0]["value"])
    #expect(["x", "y", "width", "height"].map { value[$0]?.number } == [20, 20, 40, 20])
    #expect(value["rectanglelabels"]?.array?.map(\.string) == ["traffic cone & co"])
    let outlined = try write(.labelstudio, masks: true)
    let outlines = try JSONValue(
      parsing: try text(outlined, "labelstudio.json"), source: "labelstudio.json")
    let polygon = outlines.array?[0]["predictions"]?.array?[0]["result"]?.array?[0]
    #expect(polygon?["type"]?.string == "polygonlabels")
    #expect((polygon?["value"]?["points"]?.array?.count ?? 0) > 3)
  }

  @Test(arguments: [(LabelFormat.polygons, "polygons.jsonl"), (.json, "objects.jsonl")])
  func linesHaveAPictureEach(_ format: LabelFormat, _ name: String) throws {
    let folder = try write(format, masks: true)
    let lines = try text(folder, name).split(separator: "\n").map {
      try JSONValue(parsing: String($0), source: name)
    }
    #expect(lines.map { $0["objects"]?.array?.count } == [2, 0])
    let object = try #require(lines[0]["objects"]?.array?[0])
    #expect(object["name"]?.string == "traffic cone & co" && object["score"]?.number == 0.75)
    #expect((object["polygons"] != nil) == (format == .polygons))
    #expect((object["segmentation"] != nil) == (format == .json))
  }
}

/// The files as the programs that they are for read them.
@Suite(
  .enabled(
    if: PeerPython.python(importing: ["pycocotools", "supervision"]) != nil,
    "\(PeerPython.missing(["pycocotools", "supervision"]))"))
struct LabelReadersTests {
  @Test func dataSetsLoad() throws {
    let folder = try TemporaryFolder()
    for format in [LabelFormat.coco, .yolo, .voc] {
      var writer = try format.writer(to: folder.path, names: ["cat", "dog"])
      for id in 1...3 {
        try writer.append(
          LabeledPicture(
            id: id, file: "\(id).png", width: 40, height: 30,
            objects: (0..<id).map {
              .init(
                label: $0 % 2, box: Box(x1: Float(2 * $0), y1: 3, x2: Float(10 + $0), y2: 20),
                score: 0.9)
            }))
      }
      try writer.finish()
    }
    let output = try PeerPython.run(script: "label_formats.py", arguments: [folder.path])
    #expect(output.contains("coco [1, 2, 3] voc [1, 2, 3] yolo [1, 2, 3]"), "\(output)")
  }
}
