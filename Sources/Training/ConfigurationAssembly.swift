import CLIP
import Checkpoints
import Detection
import Formats
import Tensors

extension RunConfiguration {
  /// Checks that the words of a sentence fit into this CLIP model's context (spec method 1.18).
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  /// - Throws: `CheckpointError` that says how many positions are missing.
  func check(clip: CLIPConfiguration) throws {
    let words = model.head.words
    let needed = methods.reduce(words + 2) { max($0, $1.longestSentence(words: words)) }
    guard needed <= clip.contextLength else {
      throw CheckpointError.configuration(
        path: self.clip.folder, field: "max_position_embeddings",
        reason: "the text encoder takes \(clip.contextLength, "position"), but model.head.words "
          + "\(words) needs \(needed); give fewer words or another CLIP model")
    }
  }

  /// The state of the end token that classification compares (spec detector 2.7).
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  /// - Returns: The last block's output or the final feature.
  func textOutput(clip: CLIPConfiguration) -> TextEncoder.Output {
    model.head.feature == .final ? .final : .block(clip.text.layers)
  }

  /// The widths of the text encoder that the detector's words go through.
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  /// - Returns: The widths of a word and of the text feature that classes are compared in.
  func textWidths(clip: CLIPConfiguration) -> TextWidths {
    TextWidths(
      word: clip.text.width,
      embedding: model.head.feature == .final ? clip.embeddingWidth : clip.text.width)
  }

  /// How images reach the device.
  var preparation: BatchPreparation {
    BatchPreparation(
      normalisation: PixelNormalisation(
        means: model.input.mean, deviations: model.input.std,
        isBGR: model.input.order == .bgr), paddingUnit: model.input.pad)
  }
}
