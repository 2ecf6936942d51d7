import CLIP
import Checkpoints
import Formats
import Foundation

/// A small CLIP model with random weights, written as an ordinary Hugging Face folder.
///
/// Its text encoder gives every text a direction of its own, which is all that labelled classes
/// need. Its image encoder has never seen an image, so it says nothing about other classes.
public enum TinyCLIP {
  /// Writes `config.json`, `model.safetensors`, `vocab.json` and `merges.txt`.
  ///
  /// The same arguments give the same bytes.
  ///
  /// - Parameters:
  ///   - folder: The folder, made when missing.
  ///   - classNames: Names whose prompts are made of whole-word tokens.
  ///   - seed: The seed of the weights.
  /// - Throws: `RunFolderError`, `FormatError` or `CheckpointError` when something cannot be
  ///   written.
  public static func write(to folder: String, classNames: [String], seed: UInt64) throws {
    try RunFolder.makeFolder(folder)
    let texts = classNames.flatMap { PromptTemplates.texts(for: $0) }
    let tokens = try Tokenizer.writeVocabulary(of: texts, to: folder)
    let configuration = configuration(tokens: tokens)
    try HuggingFaceCLIP.write(configuration, to: folder) { name, shape in
      values(name, shape, configuration, seed: seed)
    }
  }

  private static func configuration(tokens: Int) -> CLIPConfiguration {
    CLIPConfiguration(
      text: .init(width: 64, layers: 2, heads: 4, mlpWidth: 128),
      vision: .init(width: 64, layers: 2, heads: 4, mlpWidth: 128), vocabularySize: tokens,
      contextLength: 77, imageSize: 32, patchSize: 8, embeddingWidth: 64)
  }

  /// The start values of CLIP itself: normal numbers that shrink with width and depth.
  private static func values(
    _ name: String, _ shape: [Int], _ configuration: CLIPConfiguration, seed: UInt64
  ) -> [Float] {
    let count = shape.reduce(1, *)
    if name == "logit_scale" { return [Float(log(1 / 0.07))] }
    if name.hasSuffix("bias") { return [Float](repeating: 0, count: count) }
    if name.contains("ln_"), name.hasSuffix("weight") {
      return [Float](repeating: 1, count: count)
    }
    let tower = name.hasPrefix("visual.") ? configuration.vision : configuration.text
    let width = Double(tower.width)
    let shrink = 1 / (2 * Double(tower.layers)).squareRoot()
    let deviation: Double =
      switch name.split(separator: ".").suffix(2).joined(separator: ".") {
      case "token_embedding.weight": 0.02
      case "positional_embedding": 0.01
      case "out_proj.weight", "c_proj.weight": shrink / width.squareRoot()
      case "c_fc.weight": 1 / (2 * width).squareRoot()
      case "conv1.weight":
        1
          / Double(3 * configuration.patchSize * configuration.patchSize)
          .squareRoot()
      default: 1 / width.squareRoot()
      }
    var random = CounterRandom(seed: seed, CounterRandom.key(name))
    return (0..<count).map { _ in Float(deviation * random.normal()) }
  }
}
