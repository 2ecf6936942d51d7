import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Configuration errors")
struct ConfigurationErrorTests {
  private func load(
    _ name: String, _ overrides: [String] = [], environment: [String: String] = [:]
  ) throws -> RunConfiguration {
    try RunConfiguration.load(
      name, overrides: overrides, environment: environment, directory: "/elsewhere")
  }

  /// The one-line message of loading a YAML text, the file called `x.yaml`.
  private func message(_ yaml: String, _ overrides: [String] = []) throws -> String {
    let scratch = try Scratch()
    let path = try scratch.write(yaml, "x.yaml")
    let error = #expect(throws: ConfigurationError.self) { try load(path, overrides) }
    let text = "\(try #require(error))"
    #expect(!text.contains("\n"))
    return text.replacingOccurrences(of: scratch.folder + "/", with: "")
  }

  @Test(arguments: [
    (
      "model:\n  backbone:\n    stem_widht: 3\n",
      "x.yaml: line 3, column 5: model.backbone has no key \"stem_widht\"; did you mean "
        + "\"stem_width\"? Its keys: stem_width, stage_widths, blocks, style, norm, frozen_stages"
    ),
    (
      "modle: {}\n",
      "x.yaml: line 1, column 1: the configuration has no key \"modle\"; did you mean \"model\"? "
        + "Its keys: base, model, clip, data, alignment, region_crops, captions, optimizer, training"
    ),
    (
      "clip:\n  qqqqqqqqqqqq: 3\n",
      "x.yaml: line 2, column 3: clip has no key \"qqqqqqqqqqqq\". Its keys: folder, templates, "
        + "class_embeddings"
    ),
    (
      "[1, 2]: 3\n",
      "x.yaml: line 1, column 1: the configuration has no key \"[1, 2]\". "
        + "Its keys: base, model, clip, data, alignment, region_crops, captions, optimizer, training"
    ),
    (
      "optimizer:\n  rate: fast\n",
      "x.yaml: line 2, column 9: optimizer.rate must be a number above 0, but is \"fast\""
    ),
    (
      "optimizer:\n  rate: 0\n",
      "x.yaml: line 2, column 9: optimizer.rate must be a number above 0, but is \"0\""
    ),
    (
      "optimizer: {rate: .nan}\n",
      "x.yaml: line 1, column 19: optimizer.rate must be a number above 0, but is \".nan\""
    ),
    (
      "training: {iterations: 1.5}\n",
      "x.yaml: line 1, column 24: training.iterations must be a whole number from 1 to "
        + "2147483647, but is \"1.5\""
    ),
    (
      "training: {iterations: \"60\"}\n",
      "x.yaml: line 1, column 24: training.iterations must be a whole number from 1 to "
        + "2147483647, but is \"60\""
    ),
    (
      "training: {iterations: 9223372036854775807}\n",
      "x.yaml: line 1, column 24: training.iterations must be a whole number from 1 to "
        + "2147483647, but is \"9223372036854775807\""
    ),
    (
      "training:\n  seed:\n",
      "x.yaml: line 2, column 8: training.seed must be a whole number of at least 0, but is empty"
    ),
    (
      "model: {head: {kind: fnp}}\n",
      "x.yaml: line 1, column 22: model.head.kind must be one of fpn, c4, but is \"fnp\""
    ),
    (
      "model: {rpn: {detached: yes}}\n",
      "x.yaml: line 1, column 25: model.rpn.detached must be true or false, but is \"yes\""
    ),
    (
      "model: {rpn: {nms_threshold: 7}}\n",
      "x.yaml: line 1, column 30: model.rpn.nms_threshold must be a number from 0 to 1, "
        + "but is \"7\""
    ),
    (
      "model: {backbone: {blocks: [1, 2]}}\n",
      "x.yaml: line 1, column 28: model.backbone.blocks must be a list of 4 values, each a whole "
        + "number from 1 to 100, but is [1, 2]"
    ),
    (
      "model: {input: {std: [1, 1, {a: b}]}}\n",
      "x.yaml: line 1, column 22: model.input.std must be a list of 3 values, each a number above 0,"
        + " but is [1, 1, …]"
    ),
    (
      "data: {short_sides: []}\n",
      "x.yaml: line 1, column 21: data.short_sides must be a list of at least 1, each value a whole "
        + "number from 1 to 16384, but is []"
    ),
    (
      "clip: {folder: [a]}\n",
      "x.yaml: line 1, column 16: clip.folder must be the path of a file or folder, but is [a]"
    ),
    (
      "data: {class_split: {}}\n",
      "x.yaml: line 1, column 21: data.class_split must be the path of a file or folder, or "
        + "ov_coco, or ov_lvis, but is a section of keys"
    ),
    (
      "model: 3\n",
      "x.yaml: line 1, column 8: model must be a section of keys, but is \"3\""
    ),
    (
      "- 1\n",
      "x.yaml: line 1, column 1: the configuration must be a section of keys, but is [1]"
    ),
    (
      "clip: {folder: a}\nclip: {folder: b}\n",
      "x.yaml: line 1, column 1: this is not YAML: the key clip stands twice in one section"
    ),
    (
      "model:\n\tneck: 3\n",
      "x.yaml: line 2, column 1: this is not YAML: found character that cannot start any token: a "
        + "tab stands here; indent with blanks"
    ),
    (
      "model:\n  @neck: 3\n",
      "x.yaml: line 2, column 3: this is not YAML: found character that cannot start any token"
    ),
    (
      "model: [1\n",
      "x.yaml: line 2, column 1: this is not YAML: did not find expected ',' or ']'"
    ),
    (
      "training: {}\n---\nmodel: {}\n",
      "x.yaml: line 2, column 1: this is not YAML: but found another document"
    ),
    (
      "base: demo-bag\n",
      "x.yaml: line 1, column 7: there is no preset or file \"demo-bag\"; did you mean \"demo-bags\"? "
        + "Presets: coco-mini-captions, coco-mini, demo-bags, demo-enlarged-crops, demo-individual, demo-none, "
        + "demo-region-crops, demo-student, ov-coco-c4-baseline, ov-coco-c4-caption, ov-coco-c4-kd, "
        + "ov-coco-fpn-baseline, ov-coco-fpn-kd, ov-lvis-baseline, ov-lvis-kd-ensemble, ov-lvis-kd"
    ),
    (
      "base: x.yaml\n",
      "x.yaml: line 1, column 7: base \"x.yaml\" leads back to this file; name a preset or another "
        + "file"
    ),
    (
      "base: [demo-none]\n",
      "x.yaml: line 1, column 7: base must be the name of a preset or the path of a file, "
        + "but is [demo-none]"
    ),
    (
      "clip: {folder: \"${BARON_NOWHERE}/x\"}\n",
      "x.yaml: line 1, column 16: clip.folder uses ${BARON_NOWHERE}, but the environment variable "
        + "BARON_NOWHERE is not set; set it or give clip.folder a path without it"
    ),
    (
      "model: {head: {words: 9}}\n",
      "x.yaml: line 1, column 23: model.head.words is 9, so a bag of 9 regions needs 83 tokens, but "
        + "the text encoder takes 77; give at most 8 words or alignment.kind regions"
    ),
    (
      "training: {alignment_batch: 0}\n",
      "x.yaml: line 1, column 29: training.alignment_batch is 0, but alignment.kind is bags; "
        + "give at least 1 or kind none"
    ),
    (
      "alignment: {kind: none}\nmodel: {head: {ensemble: split}}\n",
      "x.yaml: line 2, column 26: model.head.ensemble is split, but alignment.kind is none and "
        + "captions are off, so nothing would train the second head; give none"
    ),
    (
      "model: {head: {ensemble: uniform, activation: sigmoid}}\n",
      "x.yaml: line 1, column 26: model.head.ensemble is uniform, but the activation is sigmoid; two "
        + "heads are combined by softmax scores only"
    ),
    (
      "model: {head: {kind: c4}, rpn: {anchor_strides: [16]}, mask: {enabled: true}}\n",
      "x.yaml: line 1, column 72: model.mask.enabled is true, but a mask head needs a pyramid: "
        + "head.kind is c4"
    ),
    (
      "captions: {enabled: true, region_limit: 12}\n",
      "x.yaml: line 1, column 41: captions.region_limit is 12, so an image of 13 regions with 6 "
        + "words each needs 80 tokens, but the text encoder takes 77; give at most 11"
    ),
    (
      "captions: {enabled: true}\ntraining: {caption_batch: 0}\n",
      "x.yaml: line 2, column 27: training.caption_batch is 0, but captions.enabled is true; give at "
        + "least 1"
    ),
    (
      "region_crops: {enabled: true}\nalignment: {kind: none}\ntraining: {alignment_batch: 0}\n",
      "x.yaml: line 3, column 29: training.alignment_batch is 0, but region_crops.enabled is true; "
        + "give at least 1"
    ),
    (
      "alignment: {bag_queue_length: {student: 4}}\n",
      "x.yaml: line 1, column 31: alignment.bag_queue_length must be a whole number from 0 to "
        + "2147483647, or {student: ROWS, teacher: ROWS} for queues of two lengths, but is a section of keys"
    ),
    (
      "alignment: {bag_queue_length: -1}\n",
      "x.yaml: line 1, column 31: alignment.bag_queue_length must be a whole number from 0 to "
        + "2147483647, or {student: ROWS, teacher: ROWS} for queues of two lengths, but is \"-1\""
    ),
    (
      "optimizer: {milestones: [5, 5]}\n",
      "x.yaml: line 1, column 25: optimizer.milestones must rise from value to value"
    ),
    (
      "data:\n  long_side: 700\n  test_short_side: 700\n",
      "x.yaml: data.short_sides has 800, which is more than long_side 700"
    ),
    (
      "data:\n  long_side: 800\n  test_short_side: 801\n",
      "x.yaml: line 3, column 20: data.test_short_side is 801, which is more than long_side 800"
    ),
    (
      "data: {train_annotations: a}\ntraining: {evaluate_every: 5}\n",
      "x.yaml: line 2, column 28: training.evaluate_every is 5, but data.validation_annotations is "
        + "empty; give them or set evaluate_every to 0"
    ),
    (
      "model: {rpn: {anchor_strides: [4]}}\n",
      "x.yaml: line 1, column 31: model.rpn.anchor_strides is [4], but a head of kind fpn has maps "
        + "of [4, 8, 16, 32, 64]"
    ),
    (
      "model: {rpn: {anchor_sizes: [4]}}\n",
      "x.yaml: line 1, column 29: model.rpn.anchor_sizes has 1 value, but there are 5 "
        + "anchor_strides; give each level one size"
    ),
    (
      "model: {rpn: {anchor_sizes: [4, 8, 16, 32, 60]}}\n",
      "x.yaml: line 1, column 29: model.rpn.anchor_sizes is [4.0, 8.0, 16.0, 32.0, 60.0], but sizes "
        + "must be one multiple of anchor_strides [4, 8, 16, 32, 64]"
    ),
    (
      "model: {head: {kind: c4}}\n",
      "x.yaml: model.rpn.anchor_strides is [4, 8, 16, 32, 64], but a head of kind c4 has maps of [16]"
    ),
  ])
  func fileErrors(yaml: String, wanted: String) throws {
    #expect(try message(yaml) == wanted)
  }

  @Test(arguments: [
    (
      "training.iteration=5",
      "--set training.iteration=5: training has no key \"iteration\"; did you mean "
        + "\"iterations\"? Its keys: iterations, replicas, detection_batch, alignment_batch, caption_batch, "
        + "precision, seed, checkpoint_every, keep_checkpoints, keep_best, evaluate_every, log_every, "
        + "tensorboard"
    ),
    (
      "training.iterations=five",
      "--set training.iterations=five: training.iterations must be a whole number from 1 to "
        + "2147483647, but is \"five\""
    ),
    (
      "training.iterations=",
      "--set training.iterations=: training.iterations must be a whole number from 1 to "
        + "2147483647, but is empty"
    ),
    (
      "training=5",
      "--set training=5: training must be a section of keys, but is \"5\""
    ),
    (
      "training.seed.x=5",
      "--set training.seed.x=5: training.seed must be a whole number of at least 0, but is a "
        + "section of keys"
    ),
    (
      "data.short_sides=[3",
      "--set data.short_sides=[3: this is not YAML: did not find expected ',' or ']'"
    ),
    (
      "base=demo-none",
      "--set base=demo-none: the configuration has no key \"base\". "
        + "Its keys: model, clip, data, alignment, region_crops, captions, optimizer, training"
    ),
    (
      "training.iterations",
      "--set training.iterations: an override has the form section.key=value, for example "
        + "training.iterations=60"
    ),
    (
      ".x=3",
      "--set .x=3: an override has the form section.key=value, for example "
        + "training.iterations=60"
    ),
    (
      "clip.folder=${BARON_NOWHERE}",
      "--set clip.folder=${BARON_NOWHERE}: clip.folder uses ${BARON_NOWHERE}, but the environment "
        + "variable BARON_NOWHERE is not set; set it or give clip.folder a path without it"
    ),
  ])
  func overrideErrors(override: String, wanted: String) throws {
    #expect(try message("training: {seed: 3}", [override]) == wanted)
  }

  @Test func errorInAPresetNamesItsLine() throws {
    let error = #expect(throws: ConfigurationError.self) { try load("coco-mini") }
    let text = "\(try #require(error))"
    let lines = try Preset.named("coco-mini").text.split(
      separator: "\n", omittingEmptySubsequences: false)
    let row = try #require(lines.firstIndex { $0.contains("clip_tiny") })
    #expect(
      text.hasPrefix(
        "preset coco-mini: line \(row + 1), column 11: clip.folder uses ${BARON_SHARED}, but"))
  }

  @Test func filesThatAreNoText() throws {
    let scratch = try Scratch()
    let path = try scratch.write("", "x.yaml")
    try Data([0xFF, 0xFE, 0x00]).write(to: URL(filePath: path))
    #expect(
      throws: ConfigurationError.unreadable(
        path: path, reason: "is not UTF-8 text; save it as UTF-8; give a YAML file")
    ) { try load(path) }
    #expect(
      throws: ConfigurationError.unreadable(
        path: scratch.folder, reason: "is a folder, not a regular file; give a YAML file")
    ) { try load(scratch.folder) }
  }

  @Test func trainingNeedsPaths() throws {
    var configuration = try load("demo-student")
    configuration.data.trainImages = ""
    let error = #expect(throws: ConfigurationError.self) {
      try configuration.requirePathsForTraining()
    }
    #expect(
      "\(try #require(error))" == "training needs data.train_images, but it is empty; give it in "
        + "the file or with --set data.train_images=PATH")
  }
}
