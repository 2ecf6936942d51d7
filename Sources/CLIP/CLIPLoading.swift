import Checkpoints
import Layers

extension ParameterStore {
  /// Overwrites every parameter with the CLIP weight of the same OpenAI name.
  ///
  /// - Parameter weights: The weights of the configuration that the encoders were made with.
  /// - Throws: `CheckpointError` when a weight is missing, damaged or not finite; `OpenCLError`.
  package func load(_ weights: CLIPWeights) throws {
    for parameter in parameters {
      try weights.read(parameter.name) { try parameter.overwrite(withStored: $0) }
    }
  }
}

extension TextEncoder {
  /// Creates the text encoder of a CLIP model with its weights, in a store of its own.
  ///
  /// - Parameters:
  ///   - weights: The model.
  ///   - store: An empty store on the stream that will use the encoder; one whose parameters are all
  ///     supplied saves the time to draw start values.
  /// - Throws: `CheckpointError` when the weights do not fit; `OpenCLError`.
  package init(_ weights: CLIPWeights, store: ParameterStore) throws {
    try self.init(store.root, configuration: weights.configuration)
    try store.load(weights)
  }
}

extension ImageEncoder {
  /// Creates the image encoder of a CLIP model with its weights, in a store of its own.
  ///
  /// - Parameters:
  ///   - weights: The model.
  ///   - store: An empty store on the stream that will use the encoder; one whose parameters are all
  ///     supplied saves the time to draw start values.
  /// - Throws: `CheckpointError` when the weights do not fit; `OpenCLError`.
  package init(_ weights: CLIPWeights, store: ParameterStore) throws {
    try self.init(store.root / "visual", configuration: weights.configuration)
    try store.load(weights)
  }
}
