import Checkpoints
import Detection
import Layers
import Settings

extension StartWeights {
  /// What the origin of weights says against a configuration.
  ///
  /// The place of the strides and the input's scale do not show in names and shapes: wrong ones cost
  /// accuracy without an error (spec detector 2.11).
  ///
  /// - Parameter model: The configuration.
  /// - Returns: A warning of one line, or nil.
  package func warning(for model: DetectorConfiguration) -> String? {
    switch (map.zoo, model.backbone.style) {
    case (.detectron2, .pytorch):
      "model.start has detectron2's names: its published ResNets have the stride in the first "
        + "convolution and take BGR with a standard deviation of 1; set model.backbone.style: caffe "
        + "and model.input for them, unless they were trained with STRIDE_IN_1X1 off"
    case (.torchvision, .caffe):
      "model.start has torchvision's names: its ResNets have the stride in the 3x3 convolution; set "
        + "model.backbone.style: pytorch, unless the file was converted from Caffe"
    default: nil
    }
  }
}

extension StartWeights {
  /// Checks that the file's ResNet has the configured widths and depths.
  ///
  /// - Parameter backbone: The configuration.
  /// - Throws: `CheckpointError` that names the keys to change.
  func check(_ backbone: ResNetConfiguration) throws {
    guard let found = self.backbone else { return }
    for (key, wanted, actual) in [
      ("stem_width", "\(backbone.stemWidth)", "\(found.stemWidth)"),
      ("stage_widths", backbone.stageWidths.settingText, found.stageWidths.settingText),
      ("blocks", backbone.blocks.settingText, found.blocks.settingText),
    ] where wanted != actual {
      throw CheckpointError.file(
        path: path,
        reason: "holds a ResNet with \(key) \(actual), but model.backbone.\(key) is \(wanted); "
          + "make both the same")
    }
  }

  /// The widths and depths of the file's ResNet; nil when they cannot be told.
  var backbone: ResNetConfiguration? {
    func outputs(_ name: String) -> Int? { shape(of: "backbone.\(name).weight")?.first }
    guard let stem = outputs("conv1") else { return nil }
    var result = ResNetConfiguration()
    result.stemWidth = stem
    result.stageWidths = []
    result.blocks = []
    for stage in 1...4 {
      // In a detector with a single map the fourth stage is part of the head.
      guard let width = outputs("layer\(stage).0.conv1") else {
        guard stage == 4, let last = result.stageWidths.last else { return nil }
        result.stageWidths.append(2 * last)
        result.blocks.append(3)
        break
      }
      result.stageWidths.append(width)
      result.blocks.append(
        (1...).first { outputs("layer\(stage).\($0).conv1") == nil } ?? 1)
    }
    return result
  }
}

extension StartWeights {
  /// Opens what `model.start` names.
  ///
  /// - Parameter path: A file of weights, or a run, whose newest whole checkpoint is taken.
  /// - Throws: `CheckpointError` as for a file; `RunFolderError` for a run without a checkpoint.
  package init(start path: String) throws {
    guard WholeFolder.exists("\(path)/config.yaml"), WholeFolder.exists("\(path)/checkpoints")
    else {
      try self.init(path: path)
      return
    }
    guard let newest = CheckpointFolders(path: "\(path)/checkpoints").latest(warn: { _ in }) else {
      throw RunFolderError.noCheckpoint(path: path)
    }
    try self.init(path: "\(newest.path)/\(ModelState.modelFile)")
  }
}
