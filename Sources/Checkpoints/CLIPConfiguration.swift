/// The sizes of a CLIP model, all that its two encoders need besides the weights.
///
/// Source: spec clip 3.1.
package struct CLIPConfiguration: Sendable, Equatable {
  /// What stands between the two linear layers of a block; the raw value is Hugging Face's name.
  package enum Activation: String, Sendable, CaseIterable {
    /// x times sigmoid(1.702 x), as OpenAI's models were trained.
    case quickGELU = "quick_gelu"
    /// x times the integral of the normal distribution, as most of OpenCLIP's models were trained.
    case gelu
  }

  /// The sizes of one transformer.
  package struct Tower: Sendable, Equatable {
    /// The length of a token's vector.
    package var width: Int
    /// The number of residual blocks.
    package var layers: Int
    /// The number of attention heads; it divides the width.
    package var heads: Int
    /// The width between the two linear layers of a block.
    package var mlpWidth: Int
    /// What LayerNorm adds to the variance.
    package var layerNormEpsilon: Double
    /// What stands between the two linear layers of a block.
    package var activation: Activation

    package init(
      width: Int, layers: Int, heads: Int, mlpWidth: Int, layerNormEpsilon: Double = 1e-5,
      activation: Activation = .quickGELU
    ) {
      self.width = width
      self.layers = layers
      self.heads = heads
      self.mlpWidth = mlpWidth
      self.layerNormEpsilon = layerNormEpsilon
      self.activation = activation
    }
  }

  /// The text transformer.
  package var text: Tower
  /// The image transformer.
  package var vision: Tower
  /// The number of token ids.
  package var vocabularySize: Int
  /// The most tokens a text may have, start and end included.
  package var contextLength: Int
  /// The side of the square input image in pixels.
  package var imageSize: Int
  /// The side of a square patch in pixels; it divides the image's side.
  package var patchSize: Int
  /// The length of the vectors that both encoders end with.
  package var embeddingWidth: Int
  /// The id that starts a text.
  package var startTokenID: Int
  /// The id that ends a text: the largest, for an encoder finds the end by it.
  package var endTokenID: Int

  /// The number of patches along one side of the image.
  package var gridSize: Int { imageSize / patchSize }

  /// Creates the sizes of a model.
  ///
  /// - Parameters:
  ///   - text: The text transformer.
  ///   - vision: The image transformer.
  ///   - vocabularySize: The number of token ids.
  ///   - contextLength: The most tokens a text may have.
  ///   - imageSize: The side of the input image in pixels.
  ///   - patchSize: The side of a patch in pixels.
  ///   - embeddingWidth: The length of the final vectors.
  ///   - startTokenID: The id that starts a text; by default the last but one.
  ///   - endTokenID: The id that ends a text; by default the last.
  package init(
    text: Tower, vision: Tower, vocabularySize: Int, contextLength: Int, imageSize: Int,
    patchSize: Int, embeddingWidth: Int, startTokenID: Int? = nil, endTokenID: Int? = nil
  ) {
    self.text = text
    self.vision = vision
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
    self.imageSize = imageSize
    self.patchSize = patchSize
    self.embeddingWidth = embeddingWidth
    self.startTokenID = startTokenID ?? vocabularySize - 2
    self.endTokenID = endTokenID ?? vocabularySize - 1
  }

  /// The OpenAI names of all weights with their shapes, text tower first.
  ///
  /// Source: spec clip 3.8.
  package var shapes: [(name: String, shape: [Int])] {
    var shapes: [(name: String, shape: [Int])] = [
      ("token_embedding.weight", [vocabularySize, text.width]),
      ("positional_embedding", [contextLength, text.width]),
    ]
    shapes += Self.blocks(text, prefix: "")
    shapes += Self.norm("ln_final", text.width)
    shapes += [
      ("text_projection", [text.width, embeddingWidth]),
      ("logit_scale", []),
      ("visual.class_embedding", [vision.width]),
      ("visual.positional_embedding", [gridSize * gridSize + 1, vision.width]),
      ("visual.conv1.weight", [vision.width, 3, patchSize, patchSize]),
    ]
    shapes += Self.norm("visual.ln_pre", vision.width)
    shapes += Self.blocks(vision, prefix: "visual.")
    shapes += Self.norm("visual.ln_post", vision.width)
    shapes.append(("visual.proj", [vision.width, embeddingWidth]))
    return shapes
  }

  /// Whether a weight belongs to the image tower, by its OpenAI name.
  static func isOfImageTower(_ name: String) -> Bool { name.hasPrefix("visual.") }

  /// The number of weights of the text tower.
  package var textWeightCount: Int {
    shapes.reduce(0) { $0 + (Self.isOfImageTower($1.name) ? 0 : $1.shape.reduce(1, *)) }
  }

  /// The number of weights of the whole model.
  package var weightCount: Int { shapes.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  private static func norm(_ name: String, _ width: Int) -> [(name: String, shape: [Int])] {
    [("\(name).weight", [width]), ("\(name).bias", [width])]
  }

  private static func blocks(_ tower: Tower, prefix: String) -> [(name: String, shape: [Int])] {
    var shapes: [(name: String, shape: [Int])] = []
    let (width, mlpWidth) = (tower.width, tower.mlpWidth)
    for layer in 0..<tower.layers {
      let block = "\(prefix)transformer.resblocks.\(layer)"
      shapes += norm("\(block).ln_1", width)
      shapes.append(("\(block).attn.in_proj_weight", [3 * width, width]))
      shapes.append(("\(block).attn.in_proj_bias", [3 * width]))
      shapes.append(("\(block).attn.out_proj.weight", [width, width]))
      shapes.append(("\(block).attn.out_proj.bias", [width]))
      shapes += norm("\(block).ln_2", width)
      shapes.append(("\(block).mlp.c_fc.weight", [mlpWidth, width]))
      shapes.append(("\(block).mlp.c_fc.bias", [mlpWidth]))
      shapes.append(("\(block).mlp.c_proj.weight", [width, mlpWidth]))
      shapes.append(("\(block).mlp.c_proj.bias", [width]))
    }
    return shapes
  }
}
