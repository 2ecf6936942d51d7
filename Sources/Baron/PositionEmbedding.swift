import Geometry
import Layers
import Tensors

/// Turns a region's place in its bag into an offset of its pseudo words (spec method 1.6).
package struct PositionEmbedding {
  private let first: Linear
  private let norm: LayerNorm
  private let second: Linear
  private let features: Int
  private let words: Int
  private let width: Int

  /// Base of the frequencies.
  static let temperature: Float = 1.2

  /// Creates the embedding.
  ///
  /// - Parameters:
  ///   - scope: Where `pos_proj.{0,1,2}` are named.
  ///   - words: Words per region K.
  ///   - width: Width of a word D.
  ///   - features: Sines and cosines per coordinate.
  package init(_ scope: ParameterScope, words: Int, width: Int, features: Int = 128) throws {
    let scope = scope / "pos_proj"
    first = try Linear(scope / "0", inputs: 4 * features, outputs: width)
    norm = try LayerNorm(scope / "1", width: width)
    second = try Linear(scope / "2", inputs: width, outputs: words * width)
    self.features = features
    self.words = words
    self.width = width
  }

  /// Applies the embedding.
  ///
  /// - Parameters:
  ///   - boxes: N boxes in units of their span.
  ///   - stream: Where the parameters live.
  /// - Returns: `[N, K, D]`.
  package func callAsFunction(_ boxes: [Box], on stream: ComputeStream) throws -> Tensor {
    let centres = boxes.flatMap { box in
      [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.x2 - box.x1, box.y2 - box.y1]
    }
    let sines = try Tensor.sinePositions(
      boxes: centres, features: features, temperature: Self.temperature, on: stream)
    return try second(try norm(try first(sines))).reshaped([boxes.count, words, width])
  }
}
