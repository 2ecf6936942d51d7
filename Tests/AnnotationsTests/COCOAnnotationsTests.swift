import Annotations
import Foundation
import Geometry
import TestSupport
import Testing

@Suite struct COCOAnnotationsTests {
  private static let images = #"[{"id": 7, "file_name": "a.png", "width": 100, "height": 50}]"#
  private static let categories = #"[{"id": 9, "name": "cat"}, {"id": 2, "name": "dog"}]"#

  private static func text(
    images: String = images, annotations: String, categories: String = categories
  ) -> String {
    #"{"info": {}, "annotations": \#(annotations), "images": \#(images), "#
      + #""categories": \#(categories)}"#
  }

  private func load(_ text: String, keeping names: [String]? = nil) throws -> COCOAnnotations {
    let folder = try TemporaryFolder()
    return try COCOAnnotations(path: try folder.file("file.json", text), keeping: names)
  }

  private static func box(_ id: Int, _ bbox: String, rest: String = "") -> String {
    #"{"id": \#(id), "image_id": 7, "category_id": 9, "bbox": \#(bbox)\#(rest)}"#
  }

  @Test func labelsFollowAscendingIds() throws {
    let data = try load(Self.text(annotations: "[\(Self.box(1, "[10, 5, 20.5, 30]"))]"))
    #expect(data.categories.map(\.name) == ["dog", "cat"])
    let object = try #require(data.images.first?.objects.first)
    #expect(object.label == 1)
    #expect(object.box == Box(x1: 10, y1: 5, x2: 30.5, y2: 35))
    #expect(object.area == 615)
    #expect(
      data.index.warnings == [
        "1 box without \"area\": computed from width and height (first: annotations[0] (id 1))"
      ])
  }

  @Test func dropsAreCountedByReason() throws {
    let area = #", "area": 4"#
    let records = [
      Self.box(1, "[0, 0, 5, 5]", rest: #", "area": 0"#),
      Self.box(2, "[0, 0, 0, 5]", rest: area),
      Self.box(3, "[100, 0, 5, 5]", rest: area), Self.box(4, "[-5, 0, 5, 5]", rest: area),
      Self.box(5, "[0, 60, 5, 5]", rest: area), Self.box(6, "[1, 1, 0.9, 5]", rest: area),
      Self.box(7, "[1, 1, 5, 0.5]", rest: area),
      #"{"id": 8, "image_id": 7, "category_id": 3, "bbox": [1, 1, 5, 5], "area": 25}"#,
      Self.box(9, "[1, 1, 5, 5]", rest: area + #", "iscrowd": 1"#),
      Self.box(10, "[-3, 1, 5, 5]", rest: area + #", "iscrowd": false"#),
    ]
    let data = try load(Self.text(annotations: "[\(records.joined(separator: ","))]"))
    let image = try #require(data.images.first)
    #expect(image.objects.map(\.id) == [10])
    #expect(image.crowds.map(\.id) == [9])
    #expect(
      data.report.warnings == [
        "2 boxes dropped: area not above 0 (first: annotations[0] (id 1))",
        "3 boxes dropped: outside the image (first: annotations[2] (id 3))",
        "1 box dropped: narrower than 1 pixel (first: annotations[5] (id 6))",
        "1 box dropped: lower than 1 pixel (first: annotations[6] (id 7))",
      ])
    #expect(
      data.index.warnings == [
        "1 annotation of a category that \"categories\" does not list: left out "
          + "(first: annotations[7] (id 8), category 3)"
      ])
    #expect(
      data.report.summary == "1 image (0 without boxes), 1 box, 1 crowd region set aside")
  }

  @Test func keepsOnlyTheClassesAskedFor() throws {
    let text = Self.text(annotations: "[\(Self.box(1, "[1, 1, 5, 5]"))]")
    let data = try load(text, keeping: ["dog"])
    #expect(data.report.otherClasses == 1)
    #expect(data.report.imagesWithoutBoxes == 1)
    #expect(data.imageIndices(annotatedWith: [0], minimumSide: 0) == [])
    #expect(data.imageIndices(annotatedWith: nil, minimumSide: 50) == [0])
    #expect(data.imageIndices(annotatedWith: nil, minimumSide: 51) == [])
    let error = #expect(throws: DatasetError.self) { try load(text, keeping: ["dgo"]) }
    #expect(error?.description.contains(#"no class "dgo"; did you mean "dog"?"#) == true)
  }

  @Test func fileNameComesFromTheAddress() throws {
    let images = #"""
      [{"id": 7, "coco_url": "http://x/val2017/0001.jpg", "width": 4, "height": 4}]
      """#
    let data = try load(Self.text(images: images, annotations: "[]"))
    #expect(data.images.first?.fileName == "val2017/0001.jpg")
    #expect(data.report.imagesWithoutBoxes == 1)
  }

  @Test(arguments: [
    (#"{"images": []"#, "ends inside an object"),
    ("", "ends where"),
    ("[1]", "expected an object"),
    (#"{"images": [], "annotations": []}"#, #""categories": is missing"#),
    (text(images: "[]", annotations: "[]"), #""images": is empty"#),
    (text(images: "3", annotations: "[]"), "expected an array"),
    (
      text(images: #"[{"id": 1, "file_name": "a", "width": 0, "height": 3}]"#, annotations: "[]"),
      "is 0; an image has a positive number of pixels"
    ),
    (text(annotations: "[{}]"), #"annotations[0]: "image_id": is missing"#),
    (text(annotations: "[\(box(1, "[1, 2, 3]"))]"), #"(id 1): "bbox": has 3 numbers"#),
    (text(annotations: "[\(box(1, "[1, 2, 3, 4, 5]"))]"), "has 5 numbers"),
    (text(annotations: "[\(box(1, "[1, 2, 3, NaN]"))]"), "NaN"),
    (text(annotations: "[\(box(1, "[1, 2, 3, 1e999]"))]"), "overflows"),
    (text(annotations: #"[\#(box(1, #""1,2""#))]"#), "expected an array"),
    (
      text(annotations: "[\(box(1, "[1, 2, 3, 4]")),\(box(1, "[1, 2, 3, 4]"))]"),
      #"annotations[1] (id 1): "id": is already the id of annotations[0]"#
    ),
    (
      text(annotations: "[]", categories: #"[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]"#),
      "categories[1] (id 1)"
    ),
    (
      text(
        images: #"""
          [{"id": 1, "file_name": "a", "width": 3, "height": 3},
          {"id": 1, "file_name": "b", "width": 3, "height": 3}]
          """#, annotations: "[]"), "images[1] (id 1)"
    ),
    (
      text(annotations: #"[{"id": 1, "image_id": 8, "category_id": 9, "bbox": [0, 0, 2, 2]}]"#),
      "there is no image 8"
    ),
    (text(annotations: "[]") + "x", "unexpected text"),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let error = #expect(throws: DatasetError.self) { try load(text) }
    let line = try #require(error).description
    #expect(line.contains(part), "\(line)")
    #expect(line.contains("file.json") && !line.contains("\n"))
  }

  @Test func missingFileIsNamed() throws {
    let error = #expect(throws: DatasetError.self) { try COCOAnnotations(path: "/nowhere/x.json") }
    #expect(error?.description == "/nowhere/x.json: no such file")
  }
}

@Suite(.enabled(if: SharedData.has("coco-mini"), "needs the folder coco-mini"))
struct COCOMiniTests {
  private let folder = "\(SharedData.root)/coco-mini/annotations"

  // The counts come from the data's own description, which was made with another reader.
  @Test(
    arguments: [
      ("instances_train", 106, 964, 12), ("instances_val", 52, 499, 8),
      ("instances_train_base", 106, 727, nil), ("instances_train_novel", 106, 152, nil),
    ] as [(String, Int, Int, Int?)])
  func countsAgree(name: String, images: Int, annotations: Int, crowds: Int?) throws {
    let data = try COCOAnnotations(path: "\(folder)/\(name).json")
    #expect(data.images.count == images)
    #expect(data.categories.count == 80)
    #expect(data.report.boxes + data.report.crowdBoxes == annotations)
    #expect(data.report.warnings == [])
    if let crowds { #expect(data.report.crowdBoxes == crowds) }
  }

  @Test func splitIsDerivedFromNames() throws {
    let data = try COCOAnnotations(path: "\(folder)/instances_train_base.json")
    let split = OpenVocabularySplit.openVocabularyCOCO
    let file = try OpenVocabularySplit(path: "\(folder)/ov_coco_classes.json")
    #expect(Set(split.base) == Set(file.base) && split.base.count == 48)
    #expect(Set(split.novel) == Set(file.novel) && split.novel.count == 17)
    let labels = Set(try split.baseLabels(in: data.categories, of: data.path))
    #expect(labels.count == 48)
    #expect(data.imageIndices(annotatedWith: labels, minimumSide: 32).count == 100)
    #expect(try split.novelLabels(in: data.categories, of: data.path).prefix(2) == [4, 5])

    // The full file restricted to the base names gives the same boxes.
    let restricted = try COCOAnnotations(
      path: "\(folder)/instances_train.json", keeping: split.base)
    #expect(restricted.images.map(\.id) == data.images.map(\.id))
    for (image, wanted) in zip(restricted.images, data.images) {
      #expect(image.objects.map(\.id) == wanted.objects.map(\.id))
      #expect(image.objects.map(\.box) == wanted.objects.map(\.box))
      #expect(image.crowds.map(\.id) == wanted.crowds.map(\.id))
      #expect(image.annotatedLabels == wanted.annotatedLabels)
    }
  }

  @Test func captionsAreGroupedByImage() throws {
    let captions = try Captions(path: "\(folder)/captions_train.json")
    #expect(captions.images.count == 89 && captions.count == 445)
    #expect(captions.images.allSatisfy { $0.captions.count == 5 })
    let some = captions.imageIndices(mentioning: ClassMentions([["Dog"]]))
    #expect(!some.isEmpty && some.count < 89)
    let mentions = try ClassMentions(path: "\(folder)/instances_train.json")
    #expect(mentions.classCount == 80)
    #expect(captions.imageIndices(mentioning: mentions).count == 81)
  }
}

@Suite struct OpenVocabularySplitTests {
  @Test(arguments: [
    (#"{"base": ["a"], "novel": ["a"]}"#, "stands twice"),
    (#"{"base": [], "novel": ["a"]}"#, "is empty"),
    (#"{"base": [{"id": 1}], "novel": []}"#, #"base[0]: "name": is missing"#),
    (#"{"novel": []}"#, #""base": is missing"#),
    (#"{"base""#, "column"),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("split.json", text)
    let error = #expect(throws: DatasetError.self) { try OpenVocabularySplit(path: path) }
    #expect(try #require(error).description.contains(part))
  }

  @Test func unknownNameSuggestsTheNearest() throws {
    let split = try OpenVocabularySplit(base: ["zebar"], novel: [], source: "mine")
    let categories = ["zebra", "bear"].enumerated().map {
      COCOAnnotations.Category(id: $0.offset, name: $0.element)
    }
    let error = #expect(throws: DatasetError.self) {
      try split.baseLabels(in: categories, of: "zoo.json")
    }
    #expect(
      error?.description == #"zoo.json: mine: there is no class "zebar"; did you mean "zebra"?"#)
  }
}
