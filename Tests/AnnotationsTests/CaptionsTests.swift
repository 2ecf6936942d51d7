import Annotations
import TestSupport
import Testing

@Suite struct CaptionsTests {
  private static let records = #"""
    [{"id": 3, "file_name": "a.png", "width": 20, "height": 30},
    {"id": 8, "coco_url": "http://x/val2017/b.jpg", "width": 10, "height": 40}]
    """#

  private static func text(_ annotations: String...) -> String {
    #"{"annotations": [\#(annotations.joined(separator: ","))], "images": \#(records)}"#
  }

  private func read(_ text: String) throws -> Captions {
    let folder = try TemporaryFolder()
    return try Captions(path: try folder.file("captions.json", text))
  }

  @Test func bothLayoutsAreRead() throws {
    let plain = try read(
      Self.text(
        #"{"image_id": 3, "id": 1, "caption": "A dog"}"#,
        #"{"image_id": 3, "id": 2, "caption": "two"}"#))
    let published = try read(
      #"""
      {"images": [{"id": 3, "file_name": "a.png", "width": 20, "height": 30,
      "captions": ["A dog", "two"], "pos_category_ids": [18]},
      {"id": 8, "file_name": "val2017/b.jpg", "width": 10, "height": 40, "captions": []}]}
      """#)
    #expect(plain == published)
    #expect(plain.images.map(\.id) == [3] && plain.images[0].captions == ["A dog", "two"])
    #expect(plain.images[0].fileName == "a.png")
    #expect((plain.images[0].width, plain.images[0].height) == (20, 30))
    #expect(plain.count == 2 && plain.uncaptionedCount == 1)
    #expect(plain.imageIndices(mentioning: ClassMentions([["dog"]])) == [0])
    #expect(plain.imageIndices(mentioning: ClassMentions([["cat"]])).isEmpty)
  }

  @Test func blanksAreNoCaption() throws {
    let captions = try read(
      Self.text(
        #"{"image_id": 8, "caption": " \n"}"#, #"{"image_id": 3, "caption": "x"}"#,
        #"{"image_id": 8, "caption": ""}"#))
    #expect(captions.images.map(\.id) == [3] && captions.uncaptionedCount == 1)
  }

  @Test(arguments: [
    (text(#"{"caption": "a"}"#), #"annotations[0]: "image_id": is missing"#),
    (text(#"{"image_id": 3, "id": 7}"#), #"annotations[0] (id 7): "caption": is missing; check"#),
    (text(#"{"image_id": 3, "caption": 4}"#), "expected a string"),
    (
      text(#"{"image_id": 4, "caption": "a"}"#),
      #"annotations[0]: "image_id": there is no image 4 in "images""#
    ),
    (text(), "no record has one; check that this is a caption file"),
    (text(#"{"image_id": 3, "caption": " "}"#), "no record has one"),
    (#"{"images": [{"id": 3, "file_name": "a", "captions": ["x"]}]}"#, #""width": is missing"#),
    (
      #"{"images": [{"id": 3, "file_name": "a", "width": 1, "height": 1, "captions": "x"}]}"#,
      #"images[0] (id 3), line 1"#
    ),
    (#"{"annotations": []}"#, #""images": is empty"#),
    (#"{"annotations": [{"#, "ends inside"),
  ])
  func malformedFilesGiveOneLine(text: String, part: String) throws {
    let error = #expect(throws: DatasetError.self) { try read(text) }
    let line = try #require(error).description
    #expect(line.contains(part) && line.contains("captions.json"), "\(line)")
    #expect(!line.contains("\n"))
  }
}

@Suite struct ClassMentionsTests {
  @Test(arguments: [
    ("A DOG runs", true), ("hot  dog", true), ("dogs", true), ("do", false), ("", false),
    ("a tied bow", true), ("a bow_(weapon)", true), ("hair-dryer", false), ("hair dryer", true),
    ("hair", false), ("ein Känguru", true), ("a hair do", false),
  ])
  func namesAreFoundInsideTexts(text: String, isMentioned: Bool) {
    let mentions = ClassMentions([
      ["dog"], ["bow_(weapon)"], ["Hair_dryer", "", "()"], ["känguru"],
    ])
    #expect(mentions.classCount == 4)
    #expect(mentions.occur(in: text) == isMentioned)
  }

  @Test func synonymsOfLVISCount() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(
      "lvis.json",
      #"""
      {"images": [], "categories": [{"id": 1, "name": "aerosol_can",
      "synonyms": ["aerosol_can", "spray_can"], "frequency": "c"}]}
      """#)
    let mentions = try ClassMentions(path: path)
    #expect(mentions.classCount == 1 && mentions.occur(in: "two spray cans"))
    #expect(mentions.occur(in: "Aerosol can") && !mentions.occur(in: "a can"))
  }

  @Test(arguments: [
    (#"{"images": []}"#, #""categories": is empty or missing"#),
    (#"{"categories": []}"#, #""categories": is empty or missing"#),
    (#"{"categories": [{"id": 3}]}"#, #"categories[0] (id 3): "name": is missing"#),
    (#"{"categories": [{"name": "a", "synonyms": 3}]}"#, "expected an array"),
  ])
  func filesWithoutClassesGiveOneLine(text: String, part: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("classes.json", text)
    let error = #expect(throws: DatasetError.self) { try ClassMentions(path: path) }
    let line = try #require(error).description
    #expect(line.contains(part) && line.contains("classes.json") && !line.contains("\n"), "\(line)")
  }
}
