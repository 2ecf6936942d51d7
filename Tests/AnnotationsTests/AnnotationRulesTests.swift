import Foundation
import TestSupport
import Testing

@testable import Annotations

/// The table of `docs/annotations.md`, line by line.
@Suite struct AnnotationRulesTests {
  /// A sound file; each test changes a piece of it.
  private static let sound = """
    {"images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}],
     "annotations": [{"id": 5, "image_id": 1, "category_id": 2, "bbox": [10, 10, 20, 20],
       "area": 300, "iscrowd": 0, "ignore": 0, "segmentation": [[10, 10, 30, 10, 30, 30]]}],
     "categories": [{"id": 2, "name": "cat"}, {"id": 7, "name": "dog"}]}
    """

  private func index(_ text: String) throws -> AnnotationIndex {
    let folder = try TemporaryFolder()
    return try AnnotationIndex(reading: try folder.file("file.json", text))
  }

  private func changed(_ old: String, _ new: String) -> String {
    let text = Self.sound.replacing(old, with: new)
    #expect(text != Self.sound, "\(old) is not in the file")
    return text
  }

  private func message(_ text: String) throws -> String {
    let error = #expect(throws: DatasetError.self) { try index(text) }
    let line = try #require(error).description
    #expect(!line.contains("\n"))
    return String(line[(line.range(of: "file.json: ")?.upperBound ?? line.startIndex)...])
  }

  /// A piece of the file, what it becomes, and the same without the key.
  @Test(arguments: [
    (" \"area\": 300,", " \"area\": null,", ""), (" \"iscrowd\": 0,", " \"iscrowd\": null,", ""),
    (" \"ignore\": 0,", " \"ignore\": null,", ""), ("\"id\": 5,", "\"id\": null,", ""),
    (" \"width\": 100,", " \"width\": null,", ""), (", \"height\": 80", ", \"height\": null", ""),
    (" \"file_name\": \"a.jpg\",", " \"file_name\": null, \"coco_url\": null,", ""),
    (", \"name\": \"cat\"", ", \"name\": \"cat\", \"frequency\": null", ", \"name\": \"cat\""),
    (
      ", \"height\": 80", ", \"height\": 80, \"neg_category_ids\": null, \"license\": null",
      ", \"height\": 80"
    ),
    ("[[10, 10, 30, 10, 30, 30]]", "null", "[ ]"),
  ])
  func nullMeansAbsent(old: String, new: String, plain: String) throws {
    let with = try index(changed(old, new))
    let without = try index(Self.sound.replacing(old, with: plain))
    #expect(with.images == without.images && with.categories == without.categories)
    #expect(with.warnings == without.warnings)
    #expect(with.annotations.ids == without.annotations.ids)
    #expect(with.annotations.flags == without.annotations.flags)
    #expect(
      with.annotations.segmentations.map { $0 < 0 }
        == without.annotations.segmentations.map { $0 < 0 })
    #expect(with.annotation(at: 0) == without.annotation(at: 0))
  }

  @Test(arguments: [
    ("\"image_id\": 1", "\"image_id\": null", "annotations[0] (id 5): \"image_id\": is missing"),
    ("[10, 10, 20, 20]", "null", "annotations[0] (id 5): \"bbox\": is missing"),
    ("\"name\": \"cat\"", "\"name\": null", "categories[0] (id 2): \"name\": is missing"),
    ("\"categories\":", "\"categories\": null, \"x\":", "\"categories\": is missing; a COCO"),
    ("{\"id\": 1,", "{", "images[0]: \"id\": is missing"),
  ])
  func whatIsNeededIsAskedFor(old: String, new: String, start: String) throws {
    let line = try message(changed(old, new))
    #expect(line.hasPrefix(start), "\(line)")
  }

  @Test(arguments: ["9007199254740993", "1152921504606846977", "9223372036854775807", "-3", "0"])
  func idsAreExact(id: String) throws {
    let text = changed("\"id\": 1,", "\"id\": \(id),").replacing(
      "\"image_id\": 1", with: "\"image_id\": \"\(id)\"")
    let index = try index(text)
    #expect(index.images.ids == [Int(id)] && index.annotations.images == [0])
    #expect(
      index.warnings == [
        "1 number stands in quotes: read as numbers (first: annotations[0] (id 5))"
      ])
  }

  @Test(arguments: [
    ("9223372036854775808", "the number 9223372036854775808 is too large; the largest is"),
    ("-9223372036854775808", "the number -9223372036854775808 is too large"),
    (
      "9007199254740993.0", "the number 9007199254740993.0 is too large; write it with digits alone"
    ),
    ("1e30", "the number 1e30 is too large"),
    ("\"18446744073709551616\"", "\"18446744073709551616\" is too large"),
    ("1.5", "expected a whole number, found 1.5"),
    ("\"img_7\"", "\"img_7\" is no whole number; number the records from 1"),
    ("\"\"", "\"\" is no whole number"), ("\"1.0\"", "\"1.0\" is no whole number"),
    ("true", "expected a number, found bool"), ("[1]", "expected a number, found array"),
  ])
  func otherIdsAreRefused(id: String, part: String) throws {
    for (key, place) in [("\"id\": 1,", "images[0]"), ("\"id\": 7,", "categories[1]")] {
      let line = try message(changed(key, "\"id\": \(id),"))
      #expect(line.hasPrefix(place) && line.contains("\"id\": ") && line.contains(part), "\(line)")
    }
  }

  @Test func numbersInQuotesAreToldOnce() throws {
    let text = changed("\"category_id\": 2", "\"category_id\": \"2\"").replacing(
      "\"iscrowd\": 0", with: "\"iscrowd\": \"1\""
    ).replacing("\"width\": 100", with: "\"width\": \"100\"")
    let index = try index(text)
    #expect(index.annotations.labels == [0] && index.annotations.flags == [1])
    #expect(index.images.widths == [100])
    #expect(
      index.warnings == [
        "3 numbers stand in quotes: read as numbers (first: images[0] (id 1))"
      ])
  }

  @Test func namesThatStandTwiceAreRefused() throws {
    for name in ["cat", " cat\\n", "\\ufeffcat"] {
      #expect(
        try message(changed("\"name\": \"dog\"", "\"name\": \"\(name)\""))
          == "\"categories\": the name \"cat\" stands twice, as ids 2 (1 annotation) and 7 "
          + "(0 annotations); rename one, or remove the one that is not used")
    }
    #expect(try message(changed("\"name\": \"dog\"", "\"name\": \" \"")).contains("is empty"))
    #expect(
      try message(changed("\"id\": 7", "\"id\": 2")).hasPrefix(
        "categories[1] (id 2): \"id\": is al"))
  }

  @Test func recordsOfOnePictureAreTold() throws {
    let image = "{\"id\": 1, \"file_name\": \"a.jpg\", \"width\": 100, \"height\": 80}"
    let second = image.replacing("\"id\": 1", with: "\"id\": 3")
    #expect(
      try index(changed(image, "\(image), \(second)")).warnings == [
        "1 image has the picture of another: objects that only the other record has count as "
          + "background (first: images[1] (id 3), \"a.jpg\", as images[0])"
      ])
    let nameless = "{\"id\": 3}, {\"id\": 4}"
    #expect(try index(changed(image, "\(image), \(nameless)")).warnings == [])
  }

  /// Corners instead of sizes are in the image's frame only where objects are small.
  @Test(arguments: [
    ("[10, 10, 90, 70]", false), ("[10, 10, 91, 71]", false), ("[10, 10, 91.5, 20]", true),
    ("[10, 10, 20, 72]", true), ("[10, 10, 1e308, 1e308]", true),
  ])
  func boxesBeyondTheImageAreTold(box: String, isTold: Bool) throws {
    let data = try COCOAnnotations(try index(changed("[10, 10, 20, 20]", box)))
    #expect(data.report.boxes == 1)
    #expect(
      data.report.warnings
        == (isTold
          ? [
            "1 box reaches more than a pixel beyond the image: a box is [x, y, width, height], not "
              + "two corners (first: annotations[0] (id 5))"
          ] : []))
  }

  /// A second name beside "cat", and in what they differ; nil when they are two classes.
  @Test(arguments: [
    ("Cat", "case"), ("c at", "blanks"), ("C at", "case and blanks"), ("cat.", "signs"),
    ("ca\u{200B}t", "blanks"),
    ("cats", nil), ("bird", nil),
  ])
  func namesThatAreNearlyOneAreTold(name: String, ways: String?) throws {
    let warnings = try index(changed("\"name\": \"dog\"", "\"name\": \"\(name)\"")).warnings
    #expect(
      warnings
        == [
          ways.map {
            "1 class name is nearly that of another class: if they are one class, give their "
              + "annotations one id (first: \"cat\" (id 2) and \"\(name)\" (id 7) differ only in \($0))"
          }
        ].compactMap { $0 })
  }

  @Test(arguments: [
    ("\"iscrowd\": 0", "\"iscrowd\": 2", "\"iscrowd\": is 2; it must be 0 or 1"),
    ("\"iscrowd\": 0", "\"iscrowd\": -1", "\"iscrowd\": is -1; it must be 0 or 1"),
    ("\"ignore\": 0", "\"ignore\": 2", "\"ignore\": is 2; it must be 0 or 1"),
    ("\"ignore\": 0", "\"ignore\": \"yes\"", "\"ignore\": \"yes\" is no whole number"),
    ("\"area\": 300", "\"area\": \"3e2 cm\"", "\"area\": \"3e2 cm\" is no number; write"),
    ("\"area\": 300", "\"area\": \"nan\"", "\"area\": \"nan\" is no number"),
    ("\"area\": 300", "\"area\": []", "\"area\": expected a number"),
    (
      "\"category_id\": 2", "\"caption\": \"a cat\"",
      "\"category_id\": is missing; this is a file of captions, not of boxes"
    ),
    ("\"width\": 100", "\"width\": 0", "\"width\": is 0; an image has a positive number"),
    ("\"height\": 80", "\"height\": 3000000000", "\"height\": is 3000000000; an image"),
    (
      "\"name\": \"cat\"", "\"name\": \"cat\", \"frequency\": \"x\"",
      "is \"x\"; it must be r, c or f"
    ),
    ("\"image_id\": 1", "\"image_id\": 8", "\"image_id\": there is no image 8 in \"images\""),
    ("{\"images\"", "{\"images\": [{\"id\": 9}], \"images\"", "the list stands twice"),
    ("{\"images\"", "{\"annotations\": [], \"images\"", "the list stands twice"),
    (
      "[{\"id\": 2, \"name\": \"cat\"}, {\"id\": 7, \"name\": \"dog\"}]", "[]",
      "\"categories\": is empty"
    ),
    ("\"categories\"", "\"classes\"", "\"categories\": is missing"),
  ])
  func wrongValuesAreRefused(old: String, new: String, part: String) throws {
    let line = try message(changed(old, new))
    #expect(line.contains(part), "\(line)")
  }

  /// Numbers with a point in quotes, too.
  @Test func sizesInQuotesAreRead() throws {
    let text = changed("\"area\": 300", "\"area\": \"12.5\"")
    let read = try index(text)
    #expect(try COCOAnnotations(read).images[0].objects.map(\.area) == [12.5])
    #expect(
      read.warnings == [
        "1 number stands in quotes: read as a number (first: annotations[0] (id 1))"
      ] || read.warnings.first?.contains("in quotes") == true, "\(read.warnings)")
  }

  /// A file of another kind is told as such, with what to do.
  @Test(
    arguments: [
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 1], "is packed with xz: unpack it with unxz"),
      ([0x50, 0x4B, 3, 4, 20], "is a zip archive: unpack it"),
      (Array("<!doctype html><title>404</title>".utf8), "is a web page, not the file itself"),
      (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "is a pointer of Git LFS"),
    ] as [([UInt8], String)])
  func otherFilesAreTold(bytes: [UInt8], part: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.json"
    try Data(bytes).write(to: URL(filePath: path))
    let error = #expect(throws: DatasetError.self) { try AnnotationIndex(reading: path) }
    #expect("\(try #require(error))".contains("x.json: \(part)"), "\(String(describing: error))")
  }

  @Test func crowdsAndIgnoredObjectsAreSetAside() throws {
    for (old, new) in [
      ("\"iscrowd\": 0", "\"iscrowd\": 1"), ("\"iscrowd\": 0", "\"iscrowd\": true"),
      ("\"ignore\": 0", "\"ignore\": 1"),
    ] {
      let data = try COCOAnnotations(try index(changed(old, new)))
      #expect(data.images[0].objects.isEmpty && data.images[0].crowds.count == 1)
      #expect(data.report.boxes == 0 && data.report.crowdBoxes == 1)
    }
  }

  @Test func unknownCategoriesAreLeftOutAndTold() throws {
    // LVIS follows the same rule.
    for more in ["", ", \"frequency\": \"r\""] {
      let text = changed("\"category_id\": 2", "\"category_id\": 3").replacing(
        "\"cat\"", with: "\"cat\"\(more)"
      ).replacing("\"height\": 80", with: "\"height\": 80, \"neg_category_ids\": [2, 99, 7]")
      let index = try index(text)
      #expect(index.annotations.labels == [-1] && Array(index.images.absent[0]) == [0, 1])
      #expect(
        index.warnings == [
          "1 annotation of a category that \"categories\" does not list: left out "
            + "(first: annotations[0] (id 5), category 3)",
          "1 id in \"neg_category_ids\" and \"not_exhaustive_category_ids\" is not in "
            + "\"categories\": left out; check that both are of the same version of the data set",
        ])
      #expect(try COCOAnnotations(index).report.boxes == 0)
    }
  }

  @Test func imagesWithoutSizeOrNameAreRead() throws {
    let index = try index(
      changed("\"file_name\": \"a.jpg\", \"width\": 100, \"height\": 80", "\"license\": 3"))
    let image = index.image(at: 0)
    #expect(image.fileName.isEmpty && image.width == 0 && image.height == 0)
    #expect(try COCOAnnotations(index).report.boxes == 1)
  }
}
