import Checkpoints
import Layers
import Tensors

/// CLIP's vision transformer (spec clip 3.1, 3.3); its weights are frozen except where CLIP itself is
/// trained.
package struct ImageEncoder {
  /// Features of a batch of crops.
  package struct Features {
    /// `[N, E]`, projected, not normalised.
    package let images: Tensor
    /// `[N, G, G, E]`: the token variant of every patch, projected, not normalised.
    package let patches: Tensor

    package init(images: Tensor, patches: Tensor) {
      self.images = images
      self.patches = patches
    }
  }

  /// Sizes of the model.
  package let configuration: CLIPConfiguration
  private let patchEmbedding: Convolution
  private let classEmbedding: Parameter
  private let positionalEmbedding: Parameter
  private let inputNorm: LayerNorm
  let transformer: Transformer
  private let outputNorm: LayerNorm
  private let projection: Parameter

  /// Creates the encoder; the weights start at random until they are loaded.
  ///
  /// - Parameters:
  ///   - scope: Where the OpenAI names of the image tower (`visual.…` below the root) are placed.
  ///   - configuration: Sizes of the model.
  ///   - isFrozen: Whether the weights never change.
  package init(
    _ scope: ParameterScope, configuration: CLIPConfiguration, isFrozen: Bool = true
  ) throws {
    self.configuration = configuration
    let scope = scope.frozen(isFrozen)
    let tower = configuration.vision
    let start = Initializer.normal(standardDeviation: 1 / Float(tower.width).squareRoot())
    let positions = configuration.gridSize * configuration.gridSize + 1
    patchEmbedding = try Convolution(
      scope / "conv1", inputs: 3, outputs: tower.width, kernel: configuration.patchSize,
      stride: configuration.patchSize, padding: 0)
    classEmbedding = try scope.parameter("class_embedding", [tower.width], start)
    positionalEmbedding = try scope.parameter(
      "positional_embedding", [positions, tower.width], start)
    let epsilon = Float(tower.layerNormEpsilon)
    inputNorm = try LayerNorm(scope / "ln_pre", width: tower.width, epsilon: epsilon)
    transformer = try Transformer(scope, tower: tower)
    outputNorm = try LayerNorm(scope / "ln_post", width: tower.width, epsilon: epsilon)
    projection = try scope.parameter("proj", [tower.width, configuration.embeddingWidth], start)
  }

  /// Encodes crops.
  ///
  /// - Parameters:
  ///   - crops: `[N, S, S, 3]` at the model's image size, normalised as CLIP wants (spec clip 3.4).
  ///   - mask: Additive `[N·heads, L, L]` over class position and patches, or nil.
  /// - Returns: Features.
  package func encode(_ crops: Tensor, mask: Tensor? = nil) throws -> Features {
    let grid = configuration.gridSize
    let length = grid * grid + 1
    let states = try transformer.states(
      try embedded(crops), through: transformer.blocks.count, causal: false, mask: mask)
    let count = crops.shape[0]
    let positions = (0..<count).flatMap { image in
      (1..<length).map { Int32(image * length + $0) }
    }
    let references = positions.map { $0 / Int32(length) * Int32(length) }
    let block = transformer.blocks[transformer.blocks.count - 1]
    let patches = try block.tokenVariant(states[0], positions: positions, references: references)
    return Features(
      images: try classFeatures(states[states.count - 1]),
      patches: try projected(patches)
        .reshaped([count, grid, grid, configuration.embeddingWidth]))
  }

  /// Encodes crops without features of patches.
  ///
  /// - Parameter crops: As for ``encode(_:mask:)``.
  /// - Returns: `[N, E]`, projected, not normalised.
  package func imageFeatures(_ crops: Tensor) throws -> Tensor {
    let states = try transformer.states(
      try embedded(crops), through: transformer.blocks.count, causal: false)
    return try classFeatures(states[states.count - 1])
  }

  /// The projected class tokens of `[N, L, W]`.
  private func classFeatures(_ state: Tensor) throws -> Tensor {
    let (count, length) = (state.shape[0], state.shape[1])
    return try projected(
      try state.reshaped([count * length, configuration.vision.width])
        .gatheredRows((0..<count).map { Int32($0 * length) }))
  }

  /// Patches with the class token in front, positions added, normed: `[N, L, W]`.
  func embedded(_ crops: Tensor) throws -> Tensor {
    let (size, width) = (configuration.imageSize, configuration.vision.width)
    precondition(
      crops.rank == 4 && crops.shape[1] == size && crops.shape[2] == size && crops.shape[3] == 3,
      "crops of shape \(crops.shape) for an encoder of \(size)x\(size) images")
    let (count, patches) = (crops.shape[0], configuration.gridSize * configuration.gridSize)
    let table = try Tensor.concatenated(
      [
        try classEmbedding.value.reshaped([1, width]).asActivation(),
        try patchEmbedding(crops.asActivation()).reshaped([count * patches, width]),
      ], axis: 0)
    let rows = (0..<count).flatMap { image -> [Int32] in
      [0] + (0..<patches).map { Int32(1 + image * patches + $0) }
    }
    let length = patches + 1
    let tokens = try table.gatheredRows(rows).reshaped([count, length * width])
      .addingRow(positionalEmbedding.value.reshaped([length * width]))
    return try inputNorm(tokens.reshaped([count, length, width]))
  }

  private func projected(_ x: Tensor) throws -> Tensor {
    let type = x.elementType
    return try outputNorm(x).matrixProduct(projection.value(as: type).converted(to: type))
      .converted(to: .float32)
  }
}
