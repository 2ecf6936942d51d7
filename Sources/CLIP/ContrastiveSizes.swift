import Checkpoints
import Settings

/// The sizes of a CLIP model that is trained; those of the released ViT-B/32 by default: the section
/// `model` of a configuration of `baron clip-train`.
package struct ContrastiveSizes: Sendable, Equatable {
  /// The sizes of one encoder.
  package struct Tower: Sendable, Equatable {
    /// The length of a token's vector.
    package var width: Int
    /// Residual attention blocks.
    package var layers: Int
    /// Attention heads; they divide the width.
    package var heads: Int

    package init(width: Int, layers: Int, heads: Int) {
      self.width = width
      self.layers = layers
      self.heads = heads
    }
  }

  /// The side of the square input of the image encoder in pixels.
  package var imageSize = 224
  /// The side of a patch in pixels; it divides the input's side.
  package var patchSize = 32
  /// The length of the vectors that both encoders end with.
  package var embeddingWidth = 512
  /// The most tokens a text may have, start and end included.
  package var contextLength = 77
  /// The image encoder.
  package var vision = Tower(width: 768, layers: 12, heads: 12)
  /// The text encoder.
  package var text = Tower(width: 512, layers: 12, heads: 8)

  /// Creates the sizes of ViT-B/32.
  package init() {}

  /// The sizes of the model for a vocabulary.
  ///
  /// - Parameters:
  ///   - vocabulary: Tokens of the vocabulary.
  ///   - mostLayers: Blocks of a tower at most; nil makes as many as the sizes say.
  /// - Returns: The sizes as a model's files tell them.
  package func configuration(vocabulary: Int, mostLayers: Int? = nil) -> CLIPConfiguration {
    func tower(_ tower: Tower) -> CLIPConfiguration.Tower {
      .init(
        width: tower.width, layers: min(tower.layers, mostLayers ?? tower.layers),
        heads: tower.heads, mlpWidth: 4 * tower.width)
    }
    return CLIPConfiguration(
      text: tower(text), vision: tower(vision), vocabularySize: vocabulary,
      contextLength: contextLength, imageSize: imageSize, patchSize: patchSize,
      embeddingWidth: embeddingWidth)
  }
}

extension ContrastiveSizes.Tower: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("width", &width, .whole(1...16384))
    try keys.field("layers", &layers, .whole(1...100))
    try keys.field("heads", &heads, .whole(1...256))
  }
}

extension ContrastiveSizes: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("image_size", &imageSize, .whole(1...2048))
    try keys.field("patch_size", &patchSize, .whole(1...256))
    try keys.field("embedding_width", &embeddingWidth, .whole(1...16384))
    try keys.field("context_length", &contextLength, .whole(4...1024))
    try keys.section("vision", &vision)
    try keys.section("text", &text)
  }
}
