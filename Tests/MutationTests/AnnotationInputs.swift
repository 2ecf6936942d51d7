import Evaluation
import Formats
import Foundation
import Masks
import TestSupport
import Testing

@testable import Annotations

extension InputFormat {
  static let annotations: [InputFormat] = [
    InputFormat(
      name: "coco", file: "a.json", kind: .json, seeds: { _ in [text(coco)] }, read: instances),
    InputFormat(
      name: "lvis", file: "a.json", kind: .json, seeds: { _ in [text(lvis)] }, read: instances),
    InputFormat(
      name: "gzip", file: "a.json.gz", kind: .bytes,
      // A member that is stored: damage of the content passes the inflater.
      seeds: { _ in [packed(text(coco))] }, mayRefuseAll: true, read: instances),
    InputFormat(
      name: "captions", file: "a.json", kind: .json, seeds: { _ in [text(captions)] },
      read: { path in
        _ = try? CaptionedRegions(path: path)
        _ = try Captions(path: path)
      }),
    InputFormat(
      name: "results", file: "results.json", kind: .json,
      seeds: { scratch in
        _ = try scratch.write(text(coco), "truth.json")
        return [text(results), text(masks)]
      },
      read: { path in
        let truth = try GroundTruth(
          contentsOf: URL(filePath: path).deletingLastPathComponent().path + "/truth.json")
        var settings = EvaluationSettings()
        settings.threads = 1
        let summary = try evaluate(truth, DetectionResults(contentsOf: path), settings: settings)
        for measure in summary.boxes?.measures ?? [] {
          #expect(measure.value.map { (0...1).contains($0) } ?? true, "\(measure)")
        }
      }),
    InputFormat(
      name: "index", file: "a.index", kind: .bytes,
      seeds: { scratch in
        let path = try scratch.write(text(coco), "indexed.json")
        let mark = FileMark(location: path, size: 1, seconds: 2, nanoseconds: 3, digest: [4, 5])
        try ColumnWriter.write(
          try AnnotationIndex(reading: path), mark, to: "\(scratch.path)/seed.index")
        return [[UInt8](try Data(contentsOf: URL(filePath: "\(scratch.path)/seed.index")))]
      }, mend: checksummed,
      read: { path in
        var reader = try ColumnReader(try MappedFile(path: path))
        _ = try reader.mark()
        try look(
          at: try reader.index(
            path: URL(filePath: path).deletingLastPathComponent().path + "/indexed.json"))
      }),
    InputFormat(
      name: "voc", file: "a.xml", kind: .xml, seeds: { _ in [text(voc)] },
      read: { _ = try VOCRecord(path: $0) }),
    InputFormat(
      name: "yolo-names", file: "data.yaml", kind: .yaml,
      seeds: { scratch in
        for folder in ["images/train", "labels/train"] {
          try FileManager.default.createDirectory(
            atPath: "\(scratch.path)/\(folder)", withIntermediateDirectories: true)
        }
        return [
          text(
            "path: .\ntrain: images/train\nval: images/train\nnc: 2\nnames: [cat, traffic cone]\n"),
          text("train: images/train\nval: images/train\nnames:\n  0: cat\n  1: dog\n"),
        ]
      }, read: { _ = try YOLODataset(path: $0) }),
    InputFormat(
      name: "vocabulary", file: "names.json", kind: .json,
      seeds: { _ in
        [
          text(#"["cat", {"name": "traffic cone", "synonyms": ["pylon"]}]"#),
          text(#"{"cat": ["tomcat"], "dog": []}"#), text(lvis),
        ]
      }, read: { _ = try VocabularyNames(file: $0).classes }),
    InputFormat(
      name: "names", file: "names.txt", kind: .text,
      seeds: { _ in [text("cat\ntraffic cone\n\n# no name\ndog\n")] },
      read: { _ = try VocabularyNames(file: $0).classes }),
    InputFormat(
      name: "split", file: "split.json", kind: .json,
      seeds: { _ in [text(#"{"base": ["cat", "dog"], "novel": ["traffic cone"]}"#)] },
      read: { _ = try OpenVocabularySplit(path: $0) }),
    InputFormat(
      name: "mask", file: "mask.txt", kind: .text,
      seeds: { _ in
        try [[5, 44, 3], [52], [0, 1, 51]].map {
          text(try RunLengthMask(width: 13, height: 4, runs: $0).text)
        }
      }, read: mask),
  ]

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Sendable private static func instances(_ path: String) throws {
    try look(at: try AnnotationIndex(reading: path))
    _ = try GroundTruth(contentsOf: path)
  }

  /// Everything that training and scoring take out of an index.
  private static func look(at index: AnnotationIndex) throws {
    let data = try COCOAnnotations(index)
    _ = data.imageIndices(annotatedWith: nil, minimumSide: 32)
    let reader = try SegmentationReader(index)
    for position in 0..<index.annotationCount {
      _ = index.annotation(at: position)
      guard let mask = try? reader.mask(at: position), mask.width * mask.height < 1 << 20 else {
        continue
      }
      #expect(mask.area == mask.bitmap().count { $0 != 0 })
    }
    for position in 0..<index.imageCount { _ = index.image(at: position) }
  }

  @Sendable private static func mask(_ path: String) throws {
    let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    for (width, height) in [(13, 4), (640, 480), (1, 1)] {
      guard let mask = try? RunLengthMask(width: width, height: height, text: text) else {
        continue
      }
      #expect(mask.bitmap().count == width * height)
      #expect(try RunLengthMask(width: width, height: height, text: mask.text) == mask)
    }
  }

  /// The mark of an index and its checksum right.
  @Sendable private static func checksummed(_ file: [UInt8]) -> [UInt8] {
    guard file.count > 24 else { return file }
    let body = Array(file[24...])
    let checksum = body.withUnsafeBytes { Checksum.crc32($0) }
    return text("BARONIX4") + StoredZip.little(UInt64(body.count))
      + StoredZip.little(UInt64(checksum)) + body
  }

  private static func packed(_ content: [UInt8]) -> [UInt8] {
    let length = UInt16(content.count)
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1] + StoredZip.little(length)
      + StoredZip.little(~length) + content + StoredZip.little(StoredZip.checksum(content))
      + StoredZip.little(UInt32(content.count))
  }

  private static let coco = #"""
    {"info": {"year": 2026}, "licenses": [], "images": [
      {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48},
      {"id": 2, "file_name": "val/b.jpg", "width": 40, "height": 50}],
     "annotations": [
      {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1.5, 2, 20, 10.25], "area": 205,
       "iscrowd": 0, "segmentation": [[1.5, 2, 21.5, 2, 21.5, 12.25, 1.5, 12.25]]},
      {"id": 2, "image_id": 2, "category_id": 7, "bbox": [0, 0, 40, 50], "area": 2000, "iscrowd": 1,
       "segmentation": {"size": [50, 40], "counts": [500, 1000, 500]}},
      {"id": 3, "image_id": 2, "category_id": 3, "bbox": [5, 5, 4, 5], "area": 20, "iscrowd": 0,
       "segmentation": {"size": [50, 40], "counts": "d?Xo0d?"}}],
     "categories": [{"id": 3, "name": "cat", "supercategory": "animal"}, {"id": 7, "name": "dog"}]}
    """#

  private static let lvis = #"""
    {"images": [{"id": 1, "coco_url": "http://images.cocodataset.org/val2017/a.jpg", "width": 64,
      "height": 48, "neg_category_ids": [2], "not_exhaustive_category_ids": []}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 20, 10], "area": 200,
      "segmentation": [[1, 2, 21, 2, 21, 12]]}],
     "categories": [{"id": 1, "name": "cup", "synonyms": ["cup", "mug"], "frequency": "f",
      "synset": "cup.n.01", "def": "a cup", "image_count": 3, "instance_count": 5},
      {"id": 2, "name": "bow", "synonyms": ["bow"], "frequency": "r"}]}
    """#

  private static let captions = #"""
    {"images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 50}],
     "annotations": [{"id": 5, "image_id": 7, "caption": "a dog and a caf\u00e9",
      "bbox": [10, 5, 20.5, 30]}, {"id": 6, "image_id": 7, "caption": "a cat", "bbox": [0, 0, 9, 9]}],
     "categories": []}
    """#

  private static let results = #"""
    [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 20, 10], "score": 0.9},
     {"image_id": 2, "category_id": 3, "bbox": [5, 5, 4, 5.5], "score": 0.25},
     {"image_id": 2, "category_id": 7, "bbox": [0, 0, 40, 50], "score": 1}]
    """#

  private static let masks = #"""
    [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 20, 10], "score": 0.9,
      "segmentation": {"size": [48, 64], "counts": [100, 50, 2922]}},
     {"image_id": 2, "category_id": 3, "bbox": [5, 5, 4, 5.5], "score": 0.25,
      "segmentation": {"size": [50, 40], "counts": "`n1"}}]
    """#

  private static let voc = """
    <?xml version="1.0" encoding="UTF-8"?>
    <annotation><folder>VOC2007</folder><filename>a.jpg</filename>
      <size><width>100</width><height>80</height><depth>3</depth></size><segmented>0</segmented>
      <object><name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>1</difficult>
        <bndbox><xmin>11</xmin><ymin>11</ymin><xmax>50</xmax><ymax>40</ymax></bndbox></object>
      <object><name>d&amp;g</name><bndbox><xmax>99.5</xmax><xmin>1</xmin><ymin>2</ymin>
        <ymax>70</ymax></bndbox></object>
    </annotation>
    """
}
