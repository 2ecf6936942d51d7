import Annotations
import CLIP
import Checkpoints
import Detection
import Formats
import Foundation
import Layers
import Settings

/// A configuration for somebody's own data: every value chosen from the data, the CLIP model, the start
/// weights and the device, with the reason behind it.
///
/// What it does not choose has the values of a preset: those of the published OV-COCO run where start
/// weights are given, those of the demo's narrow network where training begins from random weights.
package struct ConfigurationDraft {
  /// What the choices are made from.
  package struct Facts {
    /// The training set.
    package var training: DatasetInput
    /// The validation set, or nil.
    package var validation: DatasetInput?
    package var statistics: DataStatistics
    package var classes: ClassWishes
    /// The file that holds base and novel names.
    package var splitFile: String
    package var clipFolder: String
    package var clip: CLIPConfiguration
    /// The file of start weights, or nil.
    package var start: StartWeights?
    /// The device's name and the bytes of its memory.
    package var device: (name: String, bytes: Int)
    /// How often each picture is to be seen, where somebody said so.
    package var epochs: Double?

    package init(
      training: DatasetInput, validation: DatasetInput?, statistics: DataStatistics,
      classes: ClassWishes, splitFile: String, clipFolder: String, clip: CLIPConfiguration,
      start: StartWeights?, device: (name: String, bytes: Int), epochs: Double?
    ) {
      self.training = training
      self.validation = validation
      self.statistics = statistics
      self.classes = classes
      self.splitFile = splitFile
      self.clipFolder = clipFolder
      self.clip = clip
      self.start = start
      self.device = device
      self.epochs = epochs
    }
  }

  private let facts: Facts
  private let sizes: PictureSizes
  private let batch: Int
  /// Steps of the run; set from outside where a time was asked for.
  package var iterations: Int

  /// Chooses.
  ///
  /// - Parameter facts: What the choices are made from.
  package init(_ facts: Facts) {
    self.facts = facts
    sizes = PictureSizes(facts.statistics)
    batch = Self.batch(facts, sizes)
    let images = Double(max(1, facts.statistics.images))
    let steps = { [batch] (epochs: Double) in
      max(1, Int((epochs * images / Double(batch)).rounded(.up)))
    }
    iterations = facts.epochs.map(steps) ?? max(Self.fewestSteps, steps(Self.usualEpochs))
  }

  /// How often each picture is seen where nobody says otherwise.
  private static let usualEpochs = 30.0
  /// Fewer steps teach a network nothing, however few pictures there are.
  private static let fewestSteps = 300

  // MARK: Batch

  /// Bytes of activations and gradients a pixel of a step, of a ResNet-50 with pyramid in 32 bits; less
  /// wide networks take less in proportion.
  private static let bytesPerPixel = 5000.0
  /// The share of the device's memory that a step may take.
  private static let memoryShare = 0.5

  private static func bytesPerImage(_ facts: Facts, _ sizes: PictureSizes) -> Double {
    let width = Double(backbone(facts).stageWidths[0]) / 64
    return bytesPerPixel * width * Double(sizes.testShortSide * sizes.longSide)
  }

  private static func batch(_ facts: Facts, _ sizes: PictureSizes) -> Int {
    // A picture of each stream.
    let room = memoryShare * Double(facts.device.bytes) / (2 * bytesPerImage(facts, sizes))
    let most = facts.start == nil ? 8 : 16
    let fitting = Int(min(Double(most), room))
    return max(1, min(fitting, max(1, facts.statistics.images / 2)))
  }

  /// The preset's network, or that of the start weights.
  private static func backbone(_ facts: Facts) -> ResNetConfiguration {
    if let start = facts.start { return start.backbone ?? ResNetConfiguration() }
    var narrow = ResNetConfiguration()
    narrow.stageWidths = [16, 32, 64, 128]
    return narrow
  }

  // MARK: Text

  /// The whole file with its comments.
  package var yaml: String {
    var text = DraftText()
    text.comment(head)
    text.blank()
    text.line(0, "base", base.preset, base.reason)
    model(&text)
    clip(&text)
    data(&text)
    alignment(&text)
    optimizer(&text)
    training(&text)
    return text.text
  }

  private var base: (preset: String, reason: String) {
    facts.start == nil
      ? (
        "demo-bags",
        "a narrow network, as no start weights were given: random weights of a wide one take long"
      ) : ("ov-coco-fpn-kd", "the published setting with ResNet and pyramid")
  }

  private var head: String {
    let classes = facts.classes
    let wanted =
      classes.novel.isEmpty
      ? "no class is wanted by name alone" : "\(classes.novel.count) wanted by name alone"
    return """
      Written by 'baron init' for \(facts.training.annotations): \(facts.statistics.images, "picture"), \
      \(classes.base.count, "class") with boxes, \(wanted).
      What does not stand here has the value of the preset under base. 'baron config show THIS' prints \
      every value, 'baron config explain KEY' says what a key does, 'baron check THIS' looks at the files.
      Paths are relative to the folder that baron is started in.
      """
  }

  private func model(_ text: inout DraftText) {
    text.section(0, "model")
    if let start = facts.start { startWeights(start, &text) }
    text.section(1, "rpn")
    let proposals = min(1000, max(60, 20 * facts.statistics.objectsPerImage))
    if facts.start == nil {
      text.line(
        2, "post_nms_train", "\(proposals)",
        "proposals per picture, which show up to \(facts.statistics.objectsPerImage, "object")")
      text.line(2, "post_nms_test", "\(proposals)")
    }
    text.line(2, "anchor_sizes", sizes.anchors.settingText, sizes.anchorReason)
    if let ratios = sizes.ratios {
      text.line(
        2, "anchor_ratios", ratios.settingText,
        String(
          format: "height over width; boxes have %.2f to %.2f", facts.statistics.boxRatios.low,
          facts.statistics.boxRatios.high))
    }
    text.section(1, "head")
    if facts.start?.map.isBackboneOnly ?? false {
      text.line(2, "norm", "none", "nor a head")
    }
    text.line(
      2, "words", "\(words)",
      "pseudo words per region: a bag of 9 regions fits into the "
        + "\(facts.clip.contextLength, "token") of this CLIP")
    text.line(
      2, "feature", isOwnTeacher ? "final" : "last_block",
      isOwnTeacher
        ? "a small CLIP compares what it was trained with" : "as published for CLIP of this length")
    if facts.start == nil {
      text.line(
        2, "rois", "\(min(256, max(32, 8 * facts.statistics.objectsPerImage)))",
        "regions per picture in the losses")
    }
  }

  private func startWeights(_ start: StartWeights, _ text: inout DraftText) {
    let backbone = Self.backbone(facts)
    text.line(1, "start", DraftText.quoted(start.path), start.map.title)
    text.section(1, "backbone")
    if backbone != ResNetConfiguration() {
      text.line(2, "stem_width", "\(backbone.stemWidth)", "the widths of the start weights")
      text.line(2, "stage_widths", backbone.stageWidths.settingText)
      text.line(2, "blocks", backbone.blocks.settingText)
    }
    if start.map.zoo == .detectron2 {
      text.line(
        2, "style", "caffe", "detectron2's ResNets have the stride in the first convolution")
    }
    if batch < 8 {
      text.line(
        2, "norm", "frozen",
        "statistics of \(batch, "picture") are noisy; those of the start are not"
      )
    }
    if start.map.isBackboneOnly {
      text.section(1, "neck")
      text.line(2, "norm", "none", "the start has no pyramid to take statistics from")
    }
    if start.map.zoo == .detectron2 {
      text.section(1, "input")
      text.line(2, "order", "bgr", "and read BGR with a deviation of 1")
      text.line(2, "mean", "[103.53, 116.28, 123.675]")
      text.line(2, "std", "[1, 1, 1]")
    }
  }

  /// Words of a region, as many as a bag leaves room for.
  private var words: Int {
    min(facts.start == nil ? 4 : 6, max(1, (facts.clip.contextLength - 2) / 9))
  }

  /// A CLIP of `baron clip-train` or the like, whose captions are all it knows.
  private var isOwnTeacher: Bool { facts.clip.contextLength != 77 || facts.clip.text.layers < 12 }

  private func clip(_ text: inout DraftText) {
    text.section(0, "clip")
    text.line(1, "folder", DraftText.quoted(facts.clipFolder))
    text.line(
      1, "templates",
      isOwnTeacher ? #"["a {name}", "a photo of a {name}", "there is a {name}"]"# : "[]",
      isOwnTeacher ? "short sentences for a small CLIP" : "the 63 published sentences")
  }

  private func data(_ text: inout DraftText) {
    let statistics = facts.statistics
    text.section(0, "data")
    text.line(
      1, "train_annotations", DraftText.quoted(facts.training.annotations),
      "boxes of classes that are not base are left out by name")
    text.line(1, "train_images", DraftText.quoted(facts.training.images))
    text.line(1, "alignment_annotations", "\"\"", "empty: the training pictures")
    text.line(1, "alignment_images", "\"\"")
    text.line(
      1, "validation_annotations", DraftText.quoted(facts.validation?.annotations ?? ""),
      facts.validation == nil ? "none was given, so nothing is scored" : "")
    text.line(1, "validation_images", DraftText.quoted(facts.validation?.images ?? ""))
    text.line(
      1, "class_split", DraftText.quoted(facts.splitFile), "base and novel names; edit them there")
    text.line(
      1, "long_side", "\(sizes.longSide)",
      "pixels; most pictures have \(statistics.longSide)x\(statistics.shortSide)")
    text.line(1, "short_sides", sizes.shortSides.settingText, "pixels, one drawn per picture")
    text.line(1, "test_short_side", "\(sizes.testShortSide)", sizes.reason)
    let isSided = (facts.classes.base + facts.classes.novel).contains {
      !Set(ClassName.plain($0).split(separator: " ")).isDisjoint(with: ["left", "right"])
    }
    text.line(
      1, "flip_probability", isSided ? "0" : "0.5",
      isSided
        ? "names say left or right" : "0 where a mirrored object is another one (letters, arrows)")
    text.line(
      1, "threads", "\(min(8, Cores.usable))",
      "that decode pictures")
  }

  private func alignment(_ text: inout DraftText) {
    guard facts.start != nil else { return }
    text.section(0, "alignment")
    text.line(
      1, "occurrence_limit", "240", "regions per picture in all bags: a cap of memory")
    text.section(1, "cache")
    text.line(
      2, "first_call", "\(4 * facts.statistics.images)",
      "pictures until boxes of earlier epochs are remembered: four epochs")
  }

  private func optimizer(_ text: inout DraftText) {
    text.section(0, "optimizer")
    let rate =
      facts.start == nil ? 0.002 * Double(batch) / 8 : 0.04 * Double(batch) / 32
    text.line(
      1, "rate", String(format: "%.6g", rate),
      facts.start == nil
        ? "the preset's for 8 pictures, in proportion"
        : "the published 0.04 for 32 pictures, in proportion")
    text.line(1, "reference_batch", "\(batch)", "pictures per step that the rate is meant for")
    text.line(
      1, "warmup_iterations", "\(max(10, min(1000, iterations / 10)))", "a tenth of the run")
    if facts.start != nil {
      text.line(
        1, "milestones", [iterations * 2 / 3, iterations * 8 / 9].settingText,
        "two and eight ninths of the run, as published")
      text.section(1, "gradient_limit")
      text.line(2, "kind", "norm", "a new data set may begin with large steps")
      text.line(2, "limit", "35")
    }
  }

  private func training(_ text: inout DraftText) {
    text.section(0, "training")
    let epochs = Double(iterations) * Double(batch) / Double(max(1, facts.statistics.images))
    let few = iterations < Self.fewestSteps ? ", which teaches little" : ""
    text.line(
      1, "iterations", "\(iterations)",
      String(format: "each picture is seen %.1f times", epochs) + few)
    let bytes = Self.bytesPerImage(facts, sizes)
    text.line(
      1, "detection_batch", "\(batch)",
      String(
        format: "pictures per step; each takes about %.0f MB of the %.1f GB of the device",
        max(1, bytes / 1e6), Double(facts.device.bytes) / 1e9))
    text.line(1, "alignment_batch", "\(batch)")
    let every = max(1, iterations / 5)
    text.line(1, "checkpoint_every", "\(max(1, iterations / 10))")
    text.line(1, "keep_checkpoints", "2")
    text.line(
      1, "evaluate_every", facts.validation == nil ? "0" : "\(every)",
      facts.validation == nil ? "there is nothing to score on" : "five times in all")
    if facts.validation != nil {
      text.line(
        1, "keep_best", measure, "the checkpoint that is best by this is kept beside the newest")
    }
    text.line(1, "log_every", "\(max(1, min(50, iterations / 20)))")
  }

  /// What the best checkpoint is chosen by.
  private var measure: String { scoresNovel ? "novel.AP50" : "AP50" }

  /// Whether the validation set has boxes of classes that are wanted by name.
  private var scoresNovel: Bool {
    guard let path = facts.validation?.annotations,
      let validation = try? COCOAnnotations(path: path)
    else { return false }
    return ClassCounts(validation, split: nil).rows.contains {
      $0.boxes > 0 && facts.classes.novel.contains($0.name)
    }
  }
}
