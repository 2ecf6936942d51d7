import CLIP
import Checkpoints
import Layers
import OperatorChecks
import Tensors

extension BenchCase {
  /// CLIP ViT-B/32 with random weights.
  static var encoderCases: [BenchCase] { [image, text] }

  private static let clip = CLIPConfiguration(
    text: .init(width: 512, layers: 12, heads: 8, mlpWidth: 2048),
    vision: .init(width: 768, layers: 12, heads: 12, mlpWidth: 3072), vocabularySize: 49408,
    contextLength: 77, imageSize: 224, patchSize: 32, embeddingWidth: 512)

  /// Arithmetic of one forward pass in 10^9: linear layers, attention products.
  private static func transformer(
    sequences: Int, length: Int, _ tower: CLIPConfiguration.Tower
  ) -> (linear: Double, attention: Double) {
    let states = 1e-9 * Double(sequences * length * tower.width * tower.layers)
    return (2 * states * Double(12 * tower.width), 4 * states * Double(length))
  }

  private static var image: BenchCase {
    let crops = 32
    let work = transformer(sequences: crops, length: 50, clip.vision)
    let ends = 2e-9 * Double(crops * (49 * 3072 * 768 + 768 * 512))
    return BenchCase(
      name: "clip/image_forward", gflop: work.linear + work.attention + ends, bytes: nil,
      shape: [("input", [crops, 224, 224, 3])],
      note: "features of every patch too: one more half block than the peer"
    ) { stream in
      var values = BenchValues()
      let store = ParameterStore(stream: stream, seed: 0)
      let encoder = try ImageEncoder(store.root / "visual", configuration: clip)
      let images = try values.tensor([crops, 224, 224, 3], on: stream)
      return { _ = try stream.withoutGradients { try encoder.encode(images) } }
    }
  }

  private static var text: BenchCase {
    let (sequences, length) = (16, clip.contextLength)
    let work = transformer(sequences: sequences, length: length, clip.text)
    return BenchCase(
      name: "clip/text_forward_backward", gflop: 2 * work.linear + 3 * work.attention, bytes: nil,
      shape: [("sequences", [sequences]), ("length", [length]), ("width", [clip.text.width])],
      note: "causal mask; gradient to the words only, which stand between start and end"
    ) { stream in
      var values = BenchValues()
      let store = ParameterStore(stream: stream, seed: 0)
      let encoder = try TextEncoder(store.root, configuration: clip)
      let count = length - 2
      let words = try values.tensor([sequences * count, clip.text.width], scale: 0.02, on: stream)
        .trained("words")
      let goal = try values.tensor([sequences, clip.embeddingWidth], on: stream).l2Normalized()
      let layout = PseudoText(
        sentences: (0..<sequences).map { row in (0..<count).map { Int32(row * count + $0) } },
        contextLength: length)
      return forwardAndBackward([words]) {
        try encoder.encode(words: words, text: layout).sentences.multiplied(by: goal).sum()
      }
    }
  }
}
