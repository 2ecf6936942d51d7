import Annotations
import Foundation
import Geometry
import TestSupport
import Testing

@Suite struct CaptionedRegionsTests {
  private static let images = #"""
    [{"id": 7, "file_name": "a.png", "width": 100, "height": 50},
    {"id": 3, "coco_url": "http://x/val2017/b.jpg", "width": 20, "height": 30}]
    """#

  private static func text(images: String = images, _ annotations: String...) -> String {
    #"{"info": {}, "annotations": [\#(annotations.joined(separator: ","))], "images": \#(images)}"#
  }

  private static func region(_ bbox: String) -> String {
    #"{"id": 5, "image_id": 7, "caption": "a disk", "bbox": \#(bbox)}"#
  }

  private func read(_ text: String) throws -> CaptionedRegions {
    let folder = try TemporaryFolder()
    return try CaptionedRegions(path: try folder.file("regions.json", text))
  }

  @Test func regionsKeepTheirOrderAndAreClipped() throws {
    let data = try read(
      Self.text(
        Self.region("[10, 5, 20.5, 30]"),
        #"{"bbox": [-4, -6, 500, 20], "caption": "wide", "image_id": 3}"#,
        Self.region("[90, 40, 10, 10]")))
    #expect(
      data.images.map(\.id) == [7, 3] && data.images.map(\.fileName) == ["a.png", "val2017/b.jpg"])
    #expect(data.images.map(\.width) == [100, 20] && data.images.map(\.height) == [50, 30])
    #expect(data.pairs.map(\.imageIndex) == [0, 1, 0])
    #expect(data.pairs.map(\.caption) == ["a disk", "wide", "a disk"])
    #expect(
      data.pairs.map(\.box) == [
        Box(x1: 10, y1: 5, x2: 30.5, y2: 35), Box(x1: 0, y1: 0, x2: 20, y2: 14),
        Box(x1: 90, y1: 40, x2: 100, y2: 50),
      ])
    #expect(data.path.hasSuffix("/regions.json"))
  }

  @Test func aCaptionWithoutRegionIsAboutTheWholeImage() throws {
    let data = try read(
      Self.text(
        #"{"id": 1, "image_id": 3, "caption": "one"}"#,
        #"{"id": 2, "image_id": 3, "caption": "two"}"#))
    let whole = Box(x1: 0, y1: 0, x2: 20, y2: 30)
    #expect(data.pairs.map(\.box) == [whole, whole] && data.pairs.map(\.imageIndex) == [1, 1])
    #expect(data.pairs.map(\.caption) == ["one", "two"])
  }

  @Test(arguments: [
    ("", "ends where"),
    ("[1]", "expected an object"),
    (#"{"images": ["#, "ends inside"),
    (#"{"images": 3}"#, "images[0], line 1"),
    (text(region("[1, 2, 3, 4]")) + "x", "unexpected text"),
    (#"{"images": [], "images": []}"#, "the list stands twice"),
    (#"{"annotations": []}"#, #""images": is empty"#),
    (text(images: "[]", region("[1, 2, 3, 4]")), #""images": is empty"#),
    (text(), #""caption": no record has one"#),
    (#"{"images": \#(images)}"#, #""caption": no record has one"#),
    (text(#"{"id": 5, "caption": "a"}"#), #"annotations[0] (id 5): "image_id": is missing"#),
    (text(#"{"id": 5, "image_id": 7}"#), #"annotations[0] (id 5): "caption": is missing"#),
    (text(#"{"id": 5, "image_id": 7, "caption": 4}"#), "expected a string"),
    (
      text(region("[1, 2, 3, 4]"), #"{"image_id": 8, "caption": "a"}"#),
      #"annotations[1]: "image_id": there is no image 8"#
    ),
    (text(region("[1, 2, 3]")), #"annotations[0] (id 5): "bbox": has 3 numbers"#),
    (text(region("[1, 2, 3, 4, 5]")), "has 5 numbers"),
    (text(region("[]")), "has 0 numbers"),
    (text(region("[1, 2, 3, NaN]")), "NaN"),
    (text(region("[1, 2, 3, 1e999]")), "overflows"),
    (text(region(#"[1, 2, 3, "four"]"#)), #"(id 5), line 1, column"#),
    (
      text(region("[1, 2, 0, 4]")),
      #"annotations[0] (id 5): "bbox": nothing of it lies in the image of 100x50 pixels"#
    ),
    (text(region("[1, 2, 4, -1]")), "the size 4.0 x -1.0 is negative"),
    (text(region("[100, 2, 5, 5]")), "nothing of it lies"),
    (text(region("[-5, 2, 5, 5]")), "nothing of it lies"),
    (text(region("[1e300, 2, 1e300, 5]")), "nothing of it lies"),
    (
      text(images: #"[{"id": 7, "file_name": "a", "height": 5}]"#, region("[1, 2, 3, 4]")),
      #"images[0] (id 7): "width": is missing"#
    ),
    (
      text(images: #"[{"id": 7, "file_name": "a", "width": 5}]"#, region("[1, 2, 3, 4]")),
      #""height": is missing"#
    ),
    (
      text(images: #"[{"id": 7, "width": 5, "height": 5}]"#, region("[1, 2, 3, 4]")),
      #"images[0] (id 7): "file_name": is missing"#
    ),
    (
      text(images: #"[{"file_name": "a", "width": 5, "height": 5}]"#, region("[1, 2, 3, 4]")),
      #""id": is missing"#
    ),
    (
      text(
        images: #"""
          [{"id": 7, "file_name": "a", "width": 3, "height": 3},
          {"id": 7, "file_name": "b", "width": 3, "height": 3}]
          """#, region("[1, 2, 3, 4]")),
      #"images[1] (id 7): "id": is already the id of images[0]"#
    ),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let error = #expect(throws: DatasetError.self) { try read(text) }
    let line = try #require(error).description
    #expect(line.contains(part), "\(line)")
    #expect(line.contains("regions.json") && !line.contains("\n"))
  }

  @Test func missingFileIsNamed() throws {
    let error = #expect(throws: DatasetError.self) { try CaptionedRegions(path: "/nowhere/x.json") }
    #expect(error?.description == "/nowhere/x.json: no such file")
  }

  @Test(.enabled(if: SharedData.has("coco-mini"), "needs the folder coco-mini"))
  func ordinaryCaptionFilesAreRead() throws {
    let path = "\(SharedData.root)/coco-mini/annotations/captions_train.json"
    let data = try CaptionedRegions(path: path)
    #expect(data.pairs.count == 445)
    #expect(Set(data.pairs.map(\.imageIndex)).count == 89)
    for pair in data.pairs {
      let image = data.images[pair.imageIndex]
      #expect(
        pair.box
          == Box(x1: 0, y1: 0, x2: Float(image.width), y2: Float(image.height)))
    }
  }
}
