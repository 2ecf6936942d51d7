import Formats
import Foundation
import Masks
import Synchronization
import TestSupport
import Testing

@testable import Annotations

/// Collects lines from a closure that may run anywhere.
private final class Notes: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

@Suite struct AnnotationIndexTests {
  private static let lvis = """
    {"images": [
      {"id": 4, "width": 8, "height": 6, "coco_url": "http://x/val2017/4.jpg",
       "neg_category_ids": [3], "not_exhaustive_category_ids": [1, 3]},
      {"id": 9, "width": 8, "height": 6, "file_name": "9.jpg", "neg_category_ids": []}],
     "annotations": [
      {"id": 7, "image_id": 9, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 5.5,
       "segmentation": [[1, 2, 4, 2, 4, 6]]},
      {"id": 2, "image_id": 4, "category_id": 1, "bbox": [0, 0, 2, 2]}],
     "categories": [{"id": 3, "name": "cat", "frequency": "r"},
                    {"id": 1, "name": "dog", "frequency": "f"}]}
    """

  private func message(_ text: String) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.file("file.json", text)
    let error = #expect(throws: DatasetError.self) { try AnnotationIndex(reading: path) }
    let line = try #require(error).description
    #expect(!line.contains("\n"))
    return line.replacing(path, with: "file.json")
  }

  @Test func federatedFieldsAreRead() throws {
    let folder = try TemporaryFolder()
    let index = try AnnotationIndex(reading: try folder.file("lvis.json", Self.lvis))
    #expect(index.isLVIS && index.categories.map(\.frequency) == [.frequent, .rare])
    #expect(Array(index.images.absent[0]) == [1] && Array(index.images.partial[0]) == [0, 1])
    #expect(index.images.absent[1].isEmpty && index.images.partial[1].isEmpty)
    let first = index.annotation(at: 0)
    #expect(first.image == 1 && first.label == 1 && first.area == 5.5 && first.box.width == 3)
    // An area that is missing is the box's.
    #expect(index.annotation(at: 1).area == 4)
    #expect(
      index.warnings == [
        "1 box without \"area\": computed from width and height (first: annotations[1] (id 2))"
      ])
    let masks = try SegmentationReader(index)
    #expect(try masks.segmentation(at: 0) == .polygons([[1, 2, 4, 2, 4, 6]]))
    #expect(try masks.segmentation(at: 1) == nil && masks.mask(at: 1) == nil)
  }

  @Test func faultsNameTheRecord() throws {
    #expect(
      try message(Self.lvis.replacing("[1, 2, 3, 4]", with: "[1, 2, -3, 4]")).hasPrefix(
        "file.json: annotations[0] (id 7): \"bbox\": the size -3.0 x 4.0 is negative"))
    #expect(try message(Self.lvis.replacing("4, 6]]", with: "4, 06]]")).contains("start with 0"))
    #expect(try message(Self.lvis.replacing("4, 6]]", with: "4, 6]")).contains("annotations[0]"))
    #expect(
      try message(String(Self.lvis.prefix(500))).hasSuffix("; the file is cut short, copy it again")
    )
  }

  @Test func brokenMasksNameTheRecord() throws {
    func line(_ segmentation: String) throws -> String {
      let folder = try TemporaryFolder()
      let text = Self.lvis.replacing("[[1, 2, 4, 2, 4, 6]]", with: segmentation)
      let path = try folder.file("lvis.json", text)
      let masks = try SegmentationReader(try AnnotationIndex(reading: path))
      let error = #expect(throws: DatasetError.self) { try masks.mask(at: 0) }
      let line = try #require(error).description
      #expect(line.hasPrefix("\(path): annotations[0] (id 7): \"segmentation\": "), "\(line)")
      return line
    }
    #expect(
      try line(#"{"size": [6, 8], "counts": [10, 39]}"#).contains(
        "add up to 49 pixels, but a mask of 8x6 has 48"))
    #expect(try line(#"{"size": [6, 8], "counts": "ooo"}"#).contains("broken at character 3"))
    #expect(try line(#"{"size": [6], "counts": []}"#).contains("[height, width]"))
    #expect(try line(#"{"size": [6, 8]}"#).contains("\"counts\""))
    #expect(try line(#"{"size": [8, 6], "counts": [48]}"#).contains("the image has 8x6"))
    #expect(try line(#"[[1, "a"]]"#).contains("expected a number"))
    #expect(try line("[[1, 2, 3, 4, 5, 1e30]]").contains("far outside"))
  }

  @Test func packedFilesAreRead() throws {
    let folder = try TemporaryFolder()
    let packed = try #require(Data(base64Encoded: Self.packed))
    let path = folder.path + "/a.json.gz"
    try packed.write(to: URL(filePath: path))
    let cache = AnnotationIndexCache(folder: folder.path + "/kept", minimumSize: 0) {
      Issue.record("\($0)")
    }
    // The second time from the kept index.
    for _ in 0..<2 {
      let index = try cache.index(of: path)
      #expect(index.categories.map(\.name) == ["cat"] && index.annotationCount == 1)
      #expect(
        try SegmentationReader(index).segmentation(at: 0) == .polygons([[1, 2, 4, 2, 4, 6]]))
      let target = folder.path + "/cats.json"
      _ = try AnnotationSplitter(index, isCompact: true).write([.init(path: target, labels: [0])])
      #expect(try AnnotationIndex(reading: target).annotationCount == 1)
    }
  }

  /// One image, one cat and its mask, packed by gzip.
  private static let packed =
    "H4sIAAAAAAACA12P0QrCMAxFf6XkeQjqEPRXpIzMxS5iW9kKKqP/btJtgr40vTc3h2QC9uhohJM5T8Cd1G1l4Mp3"
    + "agJ6Eg24uT0ciPvkLvXiHOXfE7s+qchWJIYQEyaO4R9V+M1XXjCRi8N7dnbitG186Yx0Re4rUxfgQKgjmhjJeQoz"
    + "XpNLtF7fg7VliYXNP+coYL1EApBt/gCzU3pr9QAAAA=="

  @Test func masksThatTrainAreTold() throws {
    let folder = try TemporaryFolder()
    for (segmentation, has) in [
      ("[[1, 2, 4, 2, 4, 6]]", true), ("[[1, 2], [1, 2, 4, 2, 4, 6]]", true), ("[]", false),
      ("[[]]", false), ("[[1, 2, 3, 4]]", false), ("[[1, 2, 4, 2, 4, 6, 7]]", false),
      ("null", false), (#"{"size": [6, 8], "counts": [48]}"#, true), ("[[1, \"a\"]]", false),
    ] {
      let text = Self.lvis.replacing("[[1, 2, 4, 2, 4, 6]]", with: segmentation)
      let index = try AnnotationIndex(reading: try folder.file("lvis.json", text))
      #expect(try SegmentationReader(index).hasMask(at: 0) == has, "\(segmentation)")
    }
  }

  @Test func shortPolygonsAreNoMask() throws {
    #expect(
      try SegmentationRecord.polygons([[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7]])
        .usableMask(width: 9, height: 9) == nil)
  }
}

@Suite struct AnnotationIndexCacheTests {
  private static let small = """
    {"images": [{"id": 1, "width": 8, "height": 6, "file_name": "ä.jpg"}],
     "annotations": [{"id": 5, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}],
     "categories": [{"id": 2, "name": "cat"}]}
    """

  @Test func aSecondStartReadsTheKeptIndex() throws {
    let folder = try TemporaryFolder()
    let notes = Notes()
    let cache = AnnotationIndexCache(folder: folder.path + "/kept", minimumSize: 0) {
      notes.add($0)
    }
    let path = try folder.file("a.json", Self.small)
    let first = try cache.index(of: path)
    let kept = cache.path(for: try #require(FileMark(path: path)))
    // Areas that are missing are NaN, so whole columns are not equal to themselves.
    #expect(FileManager.default.fileExists(atPath: kept))
    let second = try cache.index(of: path)
    #expect(second.images == first.images && second.categories == first.categories)
    #expect(second.annotation(at: 0) == first.annotation(at: 0))
    #expect(second.annotations.segmentations == [-1] && second.warnings == first.warnings)
    #expect(notes.all == [])
  }

  @Test func staleAndDamagedIndexesAreToldAndMadeAnew() throws {
    let folder = try TemporaryFolder()
    let notes = Notes()
    let cache = AnnotationIndexCache(folder: folder.path + "/kept", minimumSize: 0) {
      notes.add($0)
    }
    let path = try folder.file("a.json", Self.small)
    _ = try cache.index(of: path)
    let kept = cache.path(for: try #require(FileMark(path: path)))

    // Another content of the same size.
    _ = try folder.file("a.json", Self.small.replacing("[1, 2, 3, 4]", with: "[1, 2, 3, 5]"))
    #expect(try cache.index(of: path).annotation(at: 0).box.height == 5)
    #expect(
      notes.all == ["\(kept): is of an earlier state of the file; \(path) is indexed anew"])
    #expect(try cache.index(of: path).annotation(at: 0).box.height == 5)
    #expect(notes.all.count == 1)

    let good = try Data(contentsOf: URL(fileURLWithPath: kept))
    for damage in stride(from: 0, to: good.count, by: 11) {
      var bad = good
      bad[damage] ^= 0x10
      try bad.write(to: URL(fileURLWithPath: kept))
      #expect(try cache.index(of: path).annotation(at: 0).box.height == 5)
      #expect(notes.all.count == 2 + damage / 11)
    }
    try good.prefix(good.count / 2).write(to: URL(fileURLWithPath: kept))
    #expect(try cache.index(of: path).annotationCount == 1)
    #expect(notes.all.last == "\(kept): is damaged; \(path) is indexed anew")
    try Data().write(to: URL(fileURLWithPath: kept))
    #expect(try cache.index(of: path).annotationCount == 1)
    #expect(notes.all.last == "\(kept): is no index of this version; \(path) is indexed anew")
    #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == good)
  }

  @Test func aFolderThatCannotBeMadeCostsALine() throws {
    let folder = try TemporaryFolder()
    let notes = Notes()
    let blocker = try folder.file("kept", "a file")
    let cache = AnnotationIndexCache(folder: blocker, minimumSize: 0) { notes.add($0) }
    let path = try folder.file("a.json", Self.small)
    #expect(try cache.index(of: path).imageCount == 1)
    #expect(notes.all.count == 1 && notes.all.first?.contains("cannot be kept") == true)
  }

  @Test func smallFilesAreNotKept() throws {
    let folder = try TemporaryFolder()
    let cache = AnnotationIndexCache(folder: folder.path + "/kept")
    _ = try cache.index(of: try folder.file("a.json", Self.small))
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/kept"))
  }
}

/// Masks of real data against pycocotools 2.0: the digest of all compressed texts, one a line.
@Suite(.enabled(if: SharedData.has("coco-mini"), "needs the folder coco-mini"))
struct RealMaskTests {
  @Test(arguments: [
    (
      "coco-mini/annotations/instances_train.json", 964, 8_626_914,
      "d584d2c612e00285bcf5eb5517479c1189bd097d6423fa6651687a8af5518d35"
    ),
    (
      "lvis-mini/annotations/lvis_v1style_val_mini.json", 397, 2_195_021,
      "d04cb8f63f15c3452dd87012b2096fe1489d6dfcac79ff51938f2ee62a894e05"
    ),
  ])
  func masksAgreeWithTheReference(file: String, count: Int, area: Int, digest: String) throws {
    let index = try AnnotationIndex(reading: "\(SharedData.root)/\(file)")
    #expect(index.annotationCount == count)
    let reader = try SegmentationReader(index)
    let masks = try (0..<count).map { try #require(try reader.mask(at: $0)) }
    #expect(masks.reduce(0) { $0 + $1.area } == area)
    var found = SHA256()
    found.update(masks.map(\.text).joined(separator: "\n"))
    #expect(found.hexadecimal() == digest)
  }
}
