import Annotations
import CLIP
import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Drafted configurations") struct ConfigurationDraftTests {
  /// Statistics of pictures of one size with square boxes of some sides.
  private static func statistics(
    _ width: Int, _ height: Int, sides: [Double], images: Int = 100, ratio: Double = 1
  ) throws -> DataStatistics {
    let scratch = try Scratch()
    var annotations: [JSONValue] = []
    for image in 0..<images {
      for side in sides {
        annotations.append([
          "id": .number(Double(annotations.count + 1)), "image_id": .number(Double(image + 1)),
          "category_id": 1, "bbox": [0, 0, .number(side), .number(side * ratio)],
          "area": .number(side * side * ratio), "iscrowd": 0,
        ])
      }
    }
    let root: JSONValue = [
      "images": .array(
        (0..<images).map {
          [
            "id": .number(Double($0 + 1)), "file_name": .string("\($0).jpg"),
            "width": .number(Double(width)), "height": .number(Double(height)),
          ]
        }),
      "annotations": .array(annotations), "categories": [["id": 1, "name": "ring"]],
    ]
    let path = try scratch.write(root.text(), "all.json")
    return DataStatistics(try COCOAnnotations(path: path))
  }

  @Test func sizesFollowThePictures() throws {
    let large = PictureSizes(try Self.statistics(4000, 3000, sides: [400, 900]))
    #expect(large.testShortSide == 800 && large.longSide == 1066)
    #expect(large.shortSides == [640, 680, 720, 760, 800])
    #expect(large.anchors == [32, 64, 128, 256, 512])
    let small = PictureSizes(try Self.statistics(96, 96, sides: [16, 30, 60]))
    #expect(small.testShortSide == 96 && small.shortSides == [96] && small.longSide == 96)
    #expect(small.anchors == [16, 32, 64, 128, 256])
  }

  @Test func smallObjectsAreEnlarged() throws {
    let tiny = PictureSizes(try Self.statistics(640, 480, sides: [8, 8, 40]))
    #expect(tiny.testShortSide == 800 && tiny.reason.contains("enlarged from 480"))
    #expect(tiny.anchors.first ?? 0 < 16)
    let long = PictureSizes(try Self.statistics(640, 480, sides: [30], ratio: 5))
    #expect(long.ratios == [0.5, 1, 2, 4])
  }

  /// The draft for given facts, loaded again.
  private func loaded(
    device bytes: Int, context: Int = 77, epochs: Double? = 10
  ) throws -> (RunConfiguration, String) {
    let scratch = try Scratch()
    var sizes = ContrastiveSizes()
    sizes.contextLength = context
    let split = try ClassWishes(["star"], in: try COCOAnnotations(path: Self.file(scratch)))
    let draft = ConfigurationDraft(
      .init(
        training: try DatasetInput(
          Self.file(scratch), images: "photos", use: .training, isWhole: true,
          writingTo: scratch.folder + "/x"),
        validation: nil, statistics: try Self.statistics(640, 480, sides: [60, 200]),
        classes: split, splitFile: "x.classes.json", clipFolder: "CLIP \"1\"",
        clip: sizes.configuration(vocabulary: 100), start: nil, device: ("a device", bytes),
        epochs: epochs))
    let path = try scratch.write(draft.yaml, "x.yaml")
    return (try RunConfiguration.load(path), draft.yaml)
  }

  private static func file(_ scratch: Scratch) throws -> String {
    try scratch.write(
      """
      {"images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
       "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 25}],
       "categories": [{"id": 1, "name": "ring"}, {"id": 2, "name": "box"}]}
      """, "few.json")
  }

  @Test func theDraftIsAConfigurationAndSaysWhy() throws {
    let (configuration, text) = try loaded(device: 16_000_000_000)
    #expect(configuration.training.evaluateEvery == 0 && configuration.model.head.words == 4)
    #expect(configuration.training.detectionBatch == 8)
    #expect(configuration.optimizer.referenceBatch == 8)
    #expect(configuration.clip.folder.hasSuffix("/CLIP \"1\""))
    #expect(text.split(separator: "\n").count { $0.contains(" # ") } > 15)
    #expect(text.split(separator: "\n").allSatisfy { !$0.hasPrefix("#") || $0.count <= 101 })
  }

  /// What was asked for is what is written; a least number of steps is for those who did not ask.
  @Test func epochsAreThoseThatWereAskedFor() throws {
    let device = 16_000_000_000
    func iterations(_ epochs: Double?) throws -> Int {
      try loaded(device: device, epochs: epochs).0.training.iterations
    }
    // 100 pictures, 8 a step.
    #expect(try iterations(2) == 25 && iterations(0.001) == 1 && iterations(64) == 800)
    #expect(try iterations(nil) == 375)
    #expect(
      try loaded(device: device, epochs: 2).1.contains("seen 2.0 times, which teaches little"))
  }

  @Test func littleMemoryTakesASmallBatch() throws {
    let (configuration, _) = try loaded(device: 1_500_000_000)
    #expect(configuration.training.detectionBatch == 1)
    #expect(configuration.optimizer.rate == 0.002 / 8)
  }

  @Test func aShortTextTakesFewWords() throws {
    #expect(try loaded(device: 16_000_000_000, context: 20).0.model.head.words == 2)
  }

  @Test func wishesAreReadLikeAPersonWouldReadThem() throws {
    let scratch = try Scratch()
    let annotations = try COCOAnnotations(path: Self.file(scratch))
    let wishes = try ClassWishes(["star", "rings"], in: annotations)
    #expect(wishes.base == ["ring"] && wishes.novel == ["star", "rings", "box"])
    #expect(wishes.notes.contains { $0.contains("\"rings\" is not") && $0.contains("\"ring\" is") })
    #expect(wishes.notes.contains { $0.contains("box: no box") })
    #expect(throws: DatasetError.self) { try ClassWishes(["RING"], in: annotations) }
  }
}
