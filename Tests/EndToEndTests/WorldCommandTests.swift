import Annotations
import Foundation
import Pictures
import TestSupport
import Testing

/// `baron world` needs nothing but the program.
@Suite(
  "Drawn worlds", .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct WorldCommandTests {
  private static func world(_ folder: String, _ more: String...) throws -> BaronProcess.Result {
    try BaronProcess(["world", folder, "--images", "3", "--seed", "4"] + more).finish()
  }

  @Test("a world is an ordinary data set and is never overwritten")
  func wholeWorld() throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/shapes"
    let first = try Self.world(folder, "--pixels", "64", "--regions", "5")
    #expect(first.status == 0, "\(first.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/images")
    #expect(names.sorted() == ["000000.png", "000001.png", "000002.png"])
    let annotations = "\(folder)/annotations"
    let split = try OpenVocabularySplit(path: "\(annotations)/classes.json")
    let boxes = try ["instances", "instances_base", "instances_novel"].map {
      try COCOAnnotations(path: "\(annotations)/\($0).json").report.boxes
    }
    let pairs = try CaptionedRegions(path: "\(annotations)/region_captions.json").pairs
    #expect(pairs.count == 15)
    #expect(try Captions(path: "\(annotations)/captions.json").images.count == 3)
    let image = try ImageDecoder.decode(path: "\(folder)/images/000002.png")
    #expect(image.width == 64 && image.height == 64)
    #expect(
      first.output == """
        \(folder)/images: 3 PNG files of 64x64 pixels
        \(annotations)/instances.json: \(boxes[0]) boxes of 24 classes
        \(annotations)/instances_base.json: \(boxes[1]) boxes of \(split.base.count) base classes
        \(annotations)/instances_novel.json: \(boxes[2]) boxes of \(split.novel.count) novel classes
        \(annotations)/captions.json: 3 captions of whole pictures
        \(annotations)/region_captions.json: 15 captions of parts of pictures
        \(annotations)/classes.json: base and novel names

        """)

    let second = try Self.world(folder)
    #expect(second.status == 1 && second.output.isEmpty)
    let line = "error: \(folder): is there already and is not an empty folder; name another folder"
    #expect(second.errors == line + "\n")
    let file = try Self.world("\(folder)/images/000000.png")
    #expect(file.status == 1 && file.lines("error:").count == 1)
  }

  @Test("scenery is a kind of its own")
  func scenery() throws {
    let scratch = try Scratch()
    let result = try Self.world(scratch.folder, "--kind", "scenery")
    #expect(result.status == 0 && result.output.contains("boxes of 12 base classes"))
    let names = try OpenVocabularySplit(path: scratch.folder + "/annotations/classes.json").novel
    #expect(names.prefix(2) == ["cup", "bucket"] && names.count == 10)
    #expect(try Self.world(scratch.folder + "/x", "--kind", "cats").status == 64)
  }

  @Test("an empty folder will do, and without regions there is no file of them")
  func emptyFolder() throws {
    let scratch = try Scratch()
    let result = try Self.world(scratch.folder, "--regions", "0")
    #expect(result.status == 0 && !result.output.contains("region_captions"), "\(result.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/annotations")
    #expect(names.count == 5 && !names.contains("region_captions.json"))
  }

  @Test(
    "wrong arguments are wrong usage",
    arguments: [
      ["--images", "0", "--seed", "1"], ["--images", "2"], ["--seed", "1"],
      ["--images", "2", "--seed", "-1"], ["--images", "2", "--seed", "1", "--pixels", "31"],
      ["--images", "2", "--seed", "1", "--pixels", "1025"],
      ["--images", "2", "--seed", "1", "--regions=-1"],
    ])
  func wrongUsage(arguments: [String]) throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/shapes"
    #expect(try BaronProcess(["world", folder] + arguments).finish().status == 64)
    #expect(!FileManager.default.fileExists(atPath: folder))
  }
}
