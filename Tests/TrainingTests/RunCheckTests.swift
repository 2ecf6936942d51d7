import Foundation
import Pictures
import TestSupport
import Testing

@testable import Training

@Suite(
  "Checks before the first step", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct RunCheckTests {
  private func findings(
    _ change: (inout RunConfiguration, TrainingWorld) throws -> Void
  ) throws -> [Finding] {
    let world = try TrainingWorld()
    var configuration = world.configuration
    configuration.training.evaluateEvery = 1
    try change(&configuration, world)
    return RunCheck(configuration, seconds: 5).findings
  }

  @Test func aGoodConfigurationHasNoFault() throws {
    let world = try TrainingWorld()
    let check = RunCheck(world.configuration, seconds: 5)
    #expect(check.findings.isEmpty, "\(check.findings)")
    #expect(check.classes?.rows.map(\.group) == ["base", "base", "novel", "base"])
    #expect(check.pictures.opened == check.pictures.total && check.pictures.total >= 8)
    #expect(check.disk?.needed ?? 0 > 100_000)
  }

  @Test func everythingIsToldAtOnce() throws {
    let found = try findings { configuration, _ in
      configuration.data.trainAnnotations = "/no/train.json"
      configuration.data.trainImages = "/no/photos"
      configuration.data.validationAnnotations = "/no/val.json"
      configuration.data.validationImages = "/no/valphotos"
      configuration.data.classSplit = "/no/split.json"
      configuration.clip.folder = "/no/clip"
      configuration.clip.classEmbeddings = "/no/rows.npy"
      configuration.model.start = "/no/start.pth"
    }
    let keys = [
      "data.train_annotations", "data.train_images", "data.validation_annotations",
      "data.validation_images", "data.class_split", "clip.folder", "clip.class_embeddings",
      "model.start",
    ]
    for key in keys {
      #expect(
        found.contains { $0.key == key && $0.severity == .error && $0.text.contains("/no/") },
        "\(key) is not in \(found)")
    }
    #expect(found.allSatisfy { !"\($0)".contains("\n") && "\($0)".contains($0.key) })
  }

  @Test func aPictureThatIsMissingOrDamagedIsFoundWhereverItIs() throws {
    let found = try findings { _, world in
      try FileManager.default.removeItem(atPath: world.path("5.png"))
      let whole = try Data(contentsOf: URL(filePath: world.path("2.png")))
      try whole.prefix(whole.count - 20).write(to: URL(filePath: world.path("2.png")))
      try Image(width: 5, height: 5, filledWith: Color(0, 0, 0)).writePNG(world.path("4.png"))
    }
    for name in ["5.png", "2.png", "4.png"] {
      #expect(
        found.contains {
          $0.key == "data.train_images" && $0.severity == .warning && $0.text.contains(name)
        }, "\(name) is not in \(found)")
    }
  }

  /// The causes are those that the training would give.
  @Test(arguments: [
    (#""bbox":\[[^\]]*\]"#, #""bbox":[0.1,0.1,0.4,0.5]"#, "are the boxes in pixels"),
    (#""iscrowd":0"#, #""iscrowd":1"#, "set aside as crowds or to be ignored"),
    (#""bbox":\[[^\]]*\]"#, #""bbox":[1,1,0,9]"#, "area not above 0"),
  ])
  func boxesThatAreAllLeftOutAreExplained(pattern: String, new: String, cause: String) throws {
    let found = try findings { configuration, _ in
      let path = configuration.data.trainAnnotations
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let changed = text.replacing(try Regex(pattern), with: new)
      try #require(changed != text)
      try changed.write(toFile: path, atomically: true, encoding: .utf8)
    }
    #expect(
      found.contains {
        $0.key == "data.train_annotations" && $0.severity == .error && $0.text.contains(cause)
          && $0.text.contains("no image has a box of a base class")
      }, "\(found)")
  }

  @Test func masksThatAreMissingAreFound() throws {
    let found = try findings { configuration, _ in
      configuration.model.mask.enabled = true
      let path = configuration.data.trainAnnotations
      let text = try String(contentsOfFile: path, encoding: .utf8)
      let masks = #/,"segmentation":\[\[[^\]]*\]\]/#
      try text.replacing(masks, with: "").write(toFile: path, atomically: true, encoding: .utf8)
    }
    #expect(
      found.contains {
        $0.key == "data.train_annotations" && $0.severity == .error
          && $0.text.contains("no object has a mask")
      }, "\(found)")
  }

  /// Pictures that are there and cannot be used are no better than missing ones.
  @Test func picturesOfWhichNoneCanBeUsedAreAnError() throws {
    let found = try findings { _, world in
      for number in 0..<8 {
        try Image(width: 5, height: 5, filledWith: Color(0, 0, 0))
          .writePNG(world.path("\(number).png"))
      }
    }
    for key in ["data.train_images", "data.validation_images"] {
      #expect(
        found.contains {
          $0.key == key && $0.severity == .error
            && $0.text.contains("none of the 8 pictures") && $0.text.contains("is 5x5 pixels")
        }, "\(found)")
    }
  }

  @Test func namesAreComparedWithBothFiles() throws {
    let found = try findings { configuration, world in
      configuration.data.classSplit = try world.scratch.write(
        #"{"base": ["apple", "baer", "tie"], "novel": ["zebra"]}"#, "other.json")
    }
    #expect(found.contains { $0.text.contains("\"baer\"; did you mean \"bear\"?") }, "\(found)")
    #expect(found.contains { $0.severity == .note && $0.text.contains("zebra") }, "\(found)")
    let all = try findings { configuration, _ in configuration.data.classSplit = "ov_coco" }
    #expect(all.contains { $0.text.contains("of its 48 base classes") }, "\(all)")
    #expect(all.count { $0.key == "data.class_split" } < 10)
  }

  /// All faults of single keys of a file, not only the first.
  @Test func everyKeyIsLookedAt() throws {
    let scratch = try Scratch()
    let path = try scratch.write(
      """
      model: {head: {words: 99, wrods: 4}}
      data: {train_images: "${NOWHERE_SET}/x", short_sides: []}
      optimizer: 5
      training: {iterations: none}
      """, "bad.yaml")
    let check = try RunCheck(
      path, overrides: ["training.seed", "training.iteration=5"], seconds: 1)
    let text = check.findings.map { "\($0)" }.joined(separator: "\n")
    for words in [
      "model.head.words must be", "has no key \"wrods\"", "${NOWHERE_SET}", "data.short_sides must",
      "optimizer must be a section", "training.iterations must be", "--set training.seed: ",
      "has no key \"iteration\"",
    ] { #expect(text.contains(words), "\(words) is not in \(text)") }
  }

  @Test func theEstimateOfWeightsIsNear() throws {
    let world = try TrainingWorld()
    var wide = world.configuration
    wide.model.neck.channels = 64
    wide.model.backbone.stageWidths = [16, 32, 64, 128]
    try TestDevice.withContext(poisoned: false) { context in
      var world = world
      world.configuration = wide
      let trainer = try world.trainer("run", on: context)
      let actual = trainer.job.step.model.store.parameters.reduce(0) { $0 + $1.value.count }
      let clip = trainer.job.step.model.textEncoder.configuration
      let told = wide.model.approximateWeightCount(text: wide.textWidths(clip: clip))
      #expect(abs(told - actual) < actual / 5, "\(told) instead of \(actual)")
    }
  }
}
