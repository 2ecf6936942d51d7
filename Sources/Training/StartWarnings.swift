import Checkpoints
import Detection
import Layers

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
