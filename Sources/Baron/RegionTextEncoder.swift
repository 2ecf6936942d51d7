import CLIP
import Detection
import Tensors

/// Classifies regions with CLIP's text encoder: each region's words are a sentence of their own
/// (spec clip 3.6).
package struct RegionTextEncoder: PseudoTextEncoder {
  /// The text encoder.
  package let encoder: TextEncoder
  /// Which state is compared with class embeddings.
  package let output: TextEncoder.Output

  package init(_ encoder: TextEncoder, output: TextEncoder.Output) {
    self.encoder = encoder
    self.output = output
  }

  /// Encodes each region's words.
  ///
  /// - Parameters:
  ///   - words: `[R, K, D]`.
  ///   - keep: Which words stay; nil keeps all.
  /// - Returns: `[R, D']`, unit rows.
  package func encode(words: Tensor, keep: [[Bool]]?) throws -> Tensor {
    let (regions, count, width) = (words.shape[0], words.shape[1], words.shape[2])
    let all = [[Bool]](repeating: [Bool](repeating: true, count: count), count: regions)
    let text = PseudoText(
      keep: keep ?? all, contextLength: encoder.configuration.contextLength)
    return try encoder.encode(
      words: words.reshaped([regions * count, width]), text: text, output: output
    ).sentences
  }
}
