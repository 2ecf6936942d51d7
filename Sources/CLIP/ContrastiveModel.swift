import Checkpoints
import Foundation
import Layers
import Tensors

/// Both encoders of CLIP with the temperature that they share, in training.
///
/// Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
/// Supervision", section 2.3 and figure 3.
public struct ContrastiveModel {
  /// The sizes of both encoders.
  public let configuration: CLIPConfiguration
  /// The parameters of both encoders by their OpenAI names, and `logit_scale`.
  public let store: ParameterStore
  /// The text encoder.
  public let text: TextEncoder
  /// The image encoder.
  public let image: ImageEncoder
  /// The logarithm of what cosines are multiplied by, a scalar.
  public let logitScale: Parameter

  /// Creates a model with start values.
  ///
  /// - Parameters:
  ///   - store: An empty store.
  ///   - configuration: The sizes.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(_ store: ParameterStore, configuration: CLIPConfiguration) throws {
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
  /// - Throws: `OpenCLError` when the device fails.
  public func loss(crops: Tensor, ids: [[Int32]], groups: [Int32]) throws -> Tensor {
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
  public func write(to folder: String) throws {
    try HuggingFaceCLIP.write(configuration, to: folder) { name, shape in
      guard let parameter = store[name] else {
        preconditionFailure("the model has no parameter \(name)")
      }
      return parameter.layout.toFile(
        try parameter.value.floats(), shape: parameter.value.shape)
    }
  }
}
