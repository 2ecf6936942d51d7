import Annotations
import Formats
import Foundation
import TestSupport
import Testing

@Suite struct AnnotationSplitterTests {
  private static let text = """
    {"info": {"year": 2017, "n": 1.50}, "annotations": [
      {"id": 1, "image_id": 4, "category_id": 9, "bbox": [0, 0, 2, 2], "extra": {"a": [1, "x"]}},
      {"id": 2, "image_id": 5, "category_id": 3, "bbox": [0, 0, 2, 2]}
     ],
     "images": [{"id": 4, "file_name": "a", "width": 9, "height": 9, "mine": null},
                {"id": 5, "file_name": "b", "width": 9, "height": 9}],
     "categories": [{"id": 9, "name": "cat"}, {"id": 3, "name": "dog"}], "licenses": []}
    """

  private func split(compact: Bool) throws -> (AnnotationSplitter.Summary, String) {
    let folder = try TemporaryFolder()
    let index = try AnnotationIndex(path: try folder.file("all.json", Self.text))
    let target = folder.path + "/cats.json"
    // Labels follow ascending ids: dog, cat.
    let summaries = try AnnotationSplitter(index, isCompact: compact).write([
      .init(path: target, labels: [1])
    ])
    #expect(try COCOAnnotations(path: target).report.boxes == 1)
    return (
      try #require(summaries.first), try String(contentsOfFile: target, encoding: .utf8)
    )
  }

  @Test func recordsAreCopiedByteForByte() throws {
    let (summary, text) = try split(compact: false)
    #expect(
      text == """
        {"info":{"year": 2017, "n": 1.50},
        "annotations":[
        {"id": 1, "image_id": 4, "category_id": 9, "bbox": [0, 0, 2, 2], "extra": {"a": [1, "x"]}}],
        "images":[
        {"id": 4, "file_name": "a", "width": 9, "height": 9, "mine": null},
        {"id": 5, "file_name": "b", "width": 9, "height": 9}],
        "categories":[
        {"id": 9, "name": "cat"},
        {"id": 3, "name": "dog"}],
        "licenses":[]}

        """)
    #expect(summary.images == 2 && summary.imagesWithAnnotations == 1)
    #expect(summary.annotations == 1 && summary.categories == 2)
  }

  @Test func largeAndQuotedIdsAreFound() throws {
    let folder = try TemporaryFolder()
    let large = "9223372036854775807"
    let text = Self.text.replacing(
      "\"id\": 9, \"name\"", with: "\"id\": \"\(large)\", \"name\""
    ).replacing("\"category_id\": 9", with: "\"category_id\": \(large)")
    let index = try AnnotationIndex(path: try folder.file("all.json", text))
    let target = folder.path + "/cats.json"
    let summaries = try AnnotationSplitter(index, isCompact: true).write([
      .init(path: target, labels: [1])
    ])
    #expect(summaries.first?.categories == 1 && summaries.first?.annotations == 1)
    #expect(try AnnotationIndex(path: target).categories.map(\.id) == [.max])
  }

  @Test func compactFilesLeaveOutWhatNothingNames() throws {
    let (summary, text) = try split(compact: true)
    #expect(summary.images == 1 && summary.annotations == 1 && summary.categories == 1)
    #expect(!text.contains("dog") && !text.contains("\"b\"") && text.contains("\"mine\": null"))
  }
}
