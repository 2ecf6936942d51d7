import Baron
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Configuration")
struct ConfigurationTests {
  private func load(
    _ name: String, _ overrides: [String] = [], environment: [String: String] = [:]
  ) throws -> RunConfiguration {
    try RunConfiguration.load(
      name, overrides: overrides, environment: environment, directory: "/elsewhere")
  }

  private func load(yaml: String, _ overrides: [String] = []) throws -> RunConfiguration {
    let scratch = try Scratch()
    return try load(try scratch.write(yaml, "x.yaml"), overrides)
  }

  @Test func emptyFileHasThePublishedValues() throws {
    #expect(try load(yaml: "") == RunConfiguration())
    #expect(try load(yaml: "# nothing\n") == RunConfiguration())
    #expect(try load(yaml: "model:\n  # all commented out\n") == RunConfiguration())
  }

  @Test func everyKindOfValueIsRead() throws {
    let found = try load(
      yaml: """
        model:
          backbone: {stem_width: 8, stage_widths: [1, 2, 3, 4], style: caffe}
          rpn:
            detached: false
            anchor_sizes: [1.5, 3, 6, 12, 2.4e1]
          head:
            feature: "final"
        optimizer:
          rate: 1
          milestones: []
        training:
          iterations: 1_000
          evaluate_every: 0
        data:
          train_annotations: /a b/${nothing
          class_split: splits/mine.json
        """)
    #expect(found.model.backbone.stemWidth == 8)
    #expect(found.model.backbone.stageWidths == [1, 2, 3, 4])
    #expect(found.model.backbone.style == .caffe)
    #expect(!found.model.rpn.detached)
    #expect(found.model.rpn.anchorSizes == [1.5, 3, 6, 12, 24])
    #expect(found.model.head.feature == .final)
    #expect(found.optimizer.rate == 1)
    #expect(found.optimizer.milestones.isEmpty)
    #expect(found.training.iterations == 1000)
    #expect(found.data.trainAnnotations == "/a b/${nothing")
    #expect(found.data.alignmentAnnotations == found.data.trainAnnotations)
    #expect(found.data.classSplit == "/elsewhere/splits/mine.json")
  }

  @Test func publishedPresetHasTheDefaultsApartFromItsPaths() throws {
    let found = try load("ov-coco-fpn-kd")
    var wanted = RunConfiguration()
    wanted.model.start = found.model.start
    wanted.clip = found.clip
    wanted.data = found.data
    #expect(found == wanted)
    #expect(found.data.shortSides == RunConfiguration.Data().shortSides)
    #expect(found.clip.folder == "/elsewhere/data/clip-vit-base-patch32")
    try found.requirePathsForTraining()
  }

  @Test func everyPresetFileIsListedAndLoads() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/Training/Presets").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(files == Preset.all.map { "\($0.name).yaml" })
    let environment = ["BARON_SHARED": "/shared"]
    for preset in Preset.all {
      #expect(!preset.text.isEmpty && preset.text.hasPrefix("# "))
      switch preset.kind {
      case .train: try load(preset.name, environment: environment).requirePathsForTraining()
      case .clip:
        try CLIPTrainingConfiguration.load(
          preset.name, overrides: [], environment: environment, directory: "/elsewhere"
        ).requirePaths()
      case .demo:
        let demo = try DemoConfiguration.load(
          preset.name, overrides: [], environment: environment, directory: "/elsewhere")
        for config in demo.students.configs + demo.students.extraConfigs {
          _ = try load(config, demo.students.overrides)
        }
        _ = try CLIPTrainingConfiguration.load(
          demo.teacher.config, overrides: demo.teacher.overrides, environment: environment,
          directory: "/elsewhere")
      }
    }
  }

  @Test func fileOverBaseAndOverrideOverBoth() throws {
    let scratch = try Scratch()
    _ = try scratch.write(
      "base: demo-student\nmodel: {neck: {channels: 8}, head: {words: 2}}\noptimizer: {rate: 3}\n",
      "first.yaml")
    let path = try scratch.write(
      "base: first.yaml\nmodel:\n  head:\n    words: 3\n    rois: 7\n", "second.yaml")
    let found = try load(path, ["model.head.rois=9", "model.head={fc_width: 11, norm: batch}"])
    var wanted = try load("demo-student")
    wanted.model.neck.channels = 8
    wanted.optimizer.rate = 3
    wanted.model.head.words = 3
    wanted.model.head.sampling.rois = 9
    wanted.model.head.fcWidth = 11
    wanted.model.head.norm = .batch
    #expect(found == wanted)
  }

  @Test func laterOverrideWins() throws {
    let found = try load(
      "demo-student", ["training.seed=1", "training.seed=2", "data.short_sides=[32, 64]"])
    #expect(found.training.seed == 2)
    #expect(found.data.shortSides == [32, 64])
  }

  @Test func overriddenPathNeedsNoVariable() throws {
    let keys = [
      "train_annotations", "train_images", "alignment_annotations", "alignment_images",
      "validation_annotations", "validation_images",
    ]
    let found = try load("coco-mini", ["clip.folder=here"] + keys.map { "data.\($0)=/\($0)" })
    #expect(found.clip.folder == "/elsewhere/here")
    #expect(found.data.trainImages == "/train_images")
  }

  @Test func variablesAreReplaced() throws {
    let found = try RunConfiguration.load(
      "demo-student", overrides: ["clip.folder=${A}/x/${B}${A}"],
      environment: ["A": "/a", "B": "b"],
      directory: "/elsewhere")
    #expect(found.clip.folder == "/a/x/b/a")
  }

  @Test func yamlReadsBackEqual() throws {
    var configurations = try Preset.names(of: .train).map {
      try load($0, environment: ["BARON_SHARED": "/shared"])
    }
    var odd = RunConfiguration()
    odd.model.start = "/a \"quoted\" \\ ü: # {x} \u{1F600}\tfile"
    odd.optimizer.rate = 0.1 + 0.2
    odd.optimizer.weightDecay = .leastNonzeroMagnitude
    odd.optimizer.milestones = []
    odd.optimizer.gradientLimit.kind = .value
    odd.training.seed = .max
    configurations.append(odd)
    for configuration in configurations {
      #expect(try load(yaml: configuration.yaml()) == configuration)
    }
  }

  @Test func queuesMayHaveTwoLengths() throws {
    let found = try load(
      yaml: "alignment: {bag_queue_length: {teacher: 8, student: 4}, region_queue_length: 6}\n")
    #expect(found.alignment.bagQueueLength == QueueLengths(student: 4, teacher: 8))
    #expect(found.alignment.regionQueueLength == QueueLengths(student: 6, teacher: 6))
    #expect(found.yaml().contains("\n  bag_queue_length: {student: 4, teacher: 8}\n"))
    #expect(found.yaml().contains("\n  region_queue_length: 6\n"))
    #expect(try load(yaml: found.yaml()) == found)
  }

  @Test func yamlStandsAlone() throws {
    let text = try load("demo-student").yaml()
    #expect(
      text.hasPrefix("model:\n  backbone:\n    stem_width: 16\n    stage_widths: [16, 32, 64"))
    #expect(text.contains("\n  folder: \"/elsewhere/runs/demo/teacher/clip\"\n"))
    #expect(!text.contains("base:"))
  }

  @Test func demoDefaultsAreThoseOfItsPreset() throws {
    let found = try DemoConfiguration.load(
      "demo", overrides: [], environment: [:], directory: "/elsewhere")
    #expect(found == DemoConfiguration())
    let scratch = try Scratch()
    #expect(try DemoConfiguration.load(try scratch.write(found.yaml(), "demo.yaml")) == found)
  }

  @Test func demoDetectorsDifferInTheirAlignmentOnly() throws {
    let student = try load("demo-student")
    for name in [
      "demo-none", "demo-individual", "demo-bags", "demo-region-crops", "demo-enlarged-crops",
    ] {
      var found = try load(name)
      #expect((found.methods.count == 1) == (name != "demo-none"))
      found.alignment = student.alignment
      found.regionCrops.enabled = false
      found.regionCrops.cropScale = 1
      #expect(found == student)
    }
  }

  @Test func enlargedCropsAreRegionCropsButForTheirSize() throws {
    var enlarged = try load("demo-enlarged-crops")
    #expect(enlarged.regionCrops.cropScale == 2)
    enlarged.regionCrops.cropScale = 1
    #expect(enlarged == (try load("demo-region-crops")))
  }

  @Test func theSceneryDemoDiffersInWorldAndDetectorsOnly() throws {
    var found = try DemoConfiguration.load("demo-scenery")
    #expect(found.world.kind == .scenery && found.students.configs.count == 5)
    found.world.kind = .shapes
    found.students = .init()
    #expect(found == DemoConfiguration())
  }

  @Test func clipTrainingReadsBackEqual() throws {
    let scratch = try Scratch()
    let found = try CLIPTrainingConfiguration.load(
      "demo-teacher", overrides: ["training.seed=5"], environment: [:], directory: "/elsewhere")
    #expect(found.training.seed == 5)
    #expect(found.data.trainImages == "/elsewhere/runs/demo/world/train/images")
    let path = try scratch.write(found.yaml(), "teacher.yaml")
    #expect(try CLIPTrainingConfiguration.load(path) == found)
  }

  @Test(arguments: [
    (
      "model.vision={width: 96, heads: 5}",
      "--set model.vision={width: 96, heads: 5}: model.vision.heads is 5, which does not divide "
        + "width 96"
    ),
    (
      "model.patch_size=7",
      "--set model.patch_size=7: model.patch_size is 7, which does not divide 48"
    ),
    (
      "data.class_split=",
      "--set data.class_split=: data.class_split is empty, but there are validation_annotations; "
        + "give a split"
    ),
    (
      "data.templates=[a photo]",
      "--set data.templates=[a photo]: data.templates must be a list of sentences, each with "
        + "{name} in the place of the class name, but is [a photo]"
    ),
  ])
  func clipTrainingConflicts(override: String, wanted: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      try CLIPTrainingConfiguration.load(
        "demo-teacher", overrides: [override], environment: [:], directory: "/elsewhere")
    }
    #expect("\(try #require(error))" == wanted)
  }
}
