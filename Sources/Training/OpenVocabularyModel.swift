import Baron
import CLIP
import Checkpoints
import Datasets
import Detection
import Layers
import Tensors

/// A detector with the frozen text encoder that names its regions.
public final class OpenVocabularyModel {
  /// Where it runs.
  public let stream: ComputeStream
  /// The detector.
  public let detector: FasterRCNN
  /// The detector's parameters and those of the method; what a checkpoint holds.
  public let store: ParameterStore
  /// The text encoder.
  public let textEncoder: TextEncoder
  /// The text encoder as the box head uses it.
  public let regionEncoder: RegionTextEncoder
  /// The text encoder's tokenizer.
  public let tokenizer: Tokenizer
  private let templates: [String]

  /// Creates a model with start values and a CLIP folder's text encoder.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - clip: The CLIP model's weights.
  ///   - stream: Where it runs.
  ///   - isSupplied: Says of a parameter of the detector whether a file that is loaded next holds it.
  /// - Throws: `CheckpointError`, `TokenizerError` or `FormatError` when the CLIP folder does not
  ///   fit; `OpenCLError` when memory runs out.
  public init(
    configuration: RunConfiguration, clip: CLIPWeights, stream: ComputeStream,
    isSupplied: @escaping (String) -> Bool = { _ in false }
  ) throws {
    self.stream = stream
    templates = configuration.clip.templates
    try configuration.check(clip: clip.configuration)
    let seed = UInt64(configuration.training.seed)
    textEncoder = try TextEncoder(
      clip, store: ParameterStore(stream: stream, seed: seed) { _ in true })
    tokenizer = try Tokenizer(folder: configuration.clip.folder)
    guard tokenizer.vocabularySize <= clip.configuration.vocabularySize else {
      throw CheckpointError.configuration(
        path: configuration.clip.folder, field: "vocab_size",
        reason: "the tokenizer has \(tokenizer.vocabularySize) tokens, the weights only "
          + "\(clip.configuration.vocabularySize); take both from one model")
    }
    let detectorConfiguration = configuration.detector(clip: clip.configuration)
    regionEncoder = RegionTextEncoder(
      textEncoder, output: configuration.textOutput(clip: clip.configuration))
    store = ParameterStore(stream: stream, seed: seed, isSupplied: isSupplied)
    detector = try FasterRCNN(store.root, detectorConfiguration)
  }

  /// The embeddings of class names.
  ///
  /// - Parameters:
  ///   - names: Class names.
  ///   - isBase: For each class whether training has boxes of it.
  /// - Returns: The vocabulary.
  /// - Throws: `DatasetError` when there is no name; `TokenizerError` for a name that is too long;
  ///   `OpenCLError`.
  public func vocabulary(_ names: [String], isBase: [Bool]) throws -> ClassVocabulary {
    guard !names.isEmpty else {
      throw DatasetError.record(
        file: "vocabulary", place: "", field: "", reason: "is empty; give at least one class name")
    }
    let embeddings = try stream.withoutGradients {
      try ClassEmbeddings.encode(
        names, tokenizer: tokenizer, encoder: textEncoder, output: regionEncoder.output,
        templates: { PromptTemplates.texts(for: $0, templates: templates) })
    }
    return ClassVocabulary(embeddings: embeddings, isBase: isBase)
  }
}
