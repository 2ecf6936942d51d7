import Checkpoints
import Foundation
import Layers
import Tensors

/// Both encoders of CLIP with the temperature that they share, in training.
///
/// Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
/// Supervision", section 2.3 and figure 3.
package struct ContrastiveModel {
  /// The sizes of both encoders.
  package let configuration: CLIPConfiguration
  /// The parameters of both encoders by their OpenAI names, and `logit_scale`.
  package let store: ParameterStore
  /// The text encoder.
  package let text: TextEncoder
  /// The image encoder.
  package let image: ImageEncoder
  /// The logarithm of what cosines are multiplied by, a scalar.
  package let logitScale: Parameter

  /// Creates a model with start values.
  ///
  /// - Parameters:
  ///   - store: An empty store.
  ///   - configuration: The sizes.
  package init(_ store: ParameterStore, configuration: CLIPConfiguration) throws {
    self.configuration = configuration
    self.store = store
    text = try TextEncoder(store.root, configuration: configuration, isFrozen: false)
    image = try ImageEncoder(
      store.root / "visual", configuration: configuration, isFrozen: false)
    logitScale = try store.root.parameter("logit_scale", [], .constant(Float(log(1 / 0.07))))
  }

  /// The symmetric contrastive loss of pairs.
  ///
  /// Two captions of one group are not each other's negatives.
  ///
  /// - Parameters:
  ///   - crops: `[N, S, S, 3]`, normalised for CLIP.
  ///   - ids: The token ids of the captions, rows of one length.
  ///   - groups: One number per pair; equal numbers mean equal contents.
  /// - Returns: The mean of both directions, a scalar.
  package func loss(crops: Tensor, ids: [[Int32]], groups: [Int32]) throws -> Tensor {
    let texts = try text.encode(ids: ids).sentences
    let images = try image.imageFeatures(crops).l2Normalized()
      .scaled(byExponentialOf: logitScale.value)
    // Every pair is an image of its own.
    let owners = (0..<Int32(groups.count)).map { $0 }
    let byImage = try images.contrastiveLoss(
      keys: texts, temperature: 1, groups: groups, images: owners)
    let byText = try texts.contrastiveLoss(
      keys: images, temperature: 1, groups: groups, images: owners)
    return try byImage.adding(byText).scaled(by: 0.5)
  }

  /// Writes the model as a Hugging Face folder, without the tokenizer's files.
  ///
  /// - Parameter folder: An existing folder.
  /// - Throws: `CheckpointError` when a file cannot be written; `OpenCLError`.
  package func write(to folder: String) throws {
    try HuggingFaceCLIP.write(configuration, to: folder) { name, shape in
      guard let parameter = store[name] else {
        preconditionFailure("the model has no parameter \(name)")
      }
      return parameter.layout.toFile(
        try parameter.value.floats(), shape: parameter.value.shape)
    }
  }
}
