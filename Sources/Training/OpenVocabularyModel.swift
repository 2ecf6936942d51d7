import Annotations
import Baron
import CLIP
import Checkpoints
import Detection
import Layers
import Tensors

/// A detector with the frozen text encoder that names its regions.
package final class OpenVocabularyModel {
  /// Where it runs.
  package let stream: ComputeStream
  /// The detector.
  package let detector: FasterRCNN
  /// The detector's parameters and those of the method; what a checkpoint holds.
  package let store: ParameterStore
  /// The text encoder.
  package let textEncoder: TextEncoder
  /// The text encoder as the box head uses it.
  package let regionEncoder: RegionTextEncoder
  /// The text encoder's tokenizer.
  package var tokenizer: Tokenizer { source.embedder.tokenizer }
  private let source: ClassEmbeddingSource

  /// Creates a model with start values and a CLIP folder's text encoder.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - clip: The CLIP model's weights.
  ///   - stream: Where it runs.
  ///   - isSupplied: Says of a parameter of the detector whether a file that is loaded next holds it.
  /// - Throws: `CheckpointError`, `TokenizerError` or `FormatError` when the CLIP folder does not
  ///   fit; `OpenCLError` when memory runs out.
  package init(
    configuration: RunConfiguration, clip: CLIPWeights, stream: ComputeStream,
    isSupplied: @escaping (String) -> Bool = { _ in false }
  ) throws {
    self.stream = stream
    try configuration.check(clip: clip.configuration)
    let seed = UInt64(configuration.training.seed)
    textEncoder = try TextEncoder(
      clip, store: ParameterStore(stream: stream, seed: seed) { _ in true })
    source = try ClassEmbeddingSource(configuration, encoder: textEncoder)
    regionEncoder = RegionTextEncoder(
      textEncoder, output: configuration.textOutput(clip: clip.configuration))
    store = ParameterStore(stream: stream, seed: seed, isSupplied: isSupplied)
    detector = try FasterRCNN(
      store.root, configuration.model, text: configuration.textWidths(clip: clip.configuration))
  }

  /// The classes of the run's data set.
  ///
  /// - Parameters:
  ///   - names: Class names by ascending id.
  ///   - isBase: For each class whether training has boxes of it.
  /// - Throws: As ``vocabulary(_:isBase:note:)``.
  package func vocabulary(_ names: [String], isBase: [Bool]) throws -> ClassVocabulary {
    try vocabulary(.dataSet(names), isBase: isBase)
  }

  /// The classes that are looked for, with their embeddings.
  ///
  /// - Parameters:
  ///   - vocabulary: The classes.
  ///   - isBase: For each class whether training has boxes of it.
  ///   - note: Gets one line when `clip.class_embeddings` is set and cannot serve.
  /// - Throws: `DatasetError` when there is no name; `TokenizerError` for a name that is too long;
  ///   `CheckpointError` when `clip.class_embeddings` does not fit the data set; `OpenCLError`.
  package func vocabulary(
    _ vocabulary: Vocabulary, isBase: [Bool], note: (String) -> Void = { _ in }
  ) throws -> ClassVocabulary {
    guard !vocabulary.names.isEmpty else {
      throw DatasetError.record(
        file: "vocabulary", place: "", field: "", reason: "is empty; give at least one class name")
    }
    let embeddings = try source.embeddings(of: vocabulary, note: note)
    return ClassVocabulary(embeddings: try embeddings.tensor(on: stream), isBase: isBase)
  }

  /// The rows of `clip.class_embeddings` for classes, or nil when it does not have all of them.
  func storedEmbeddings(of classes: [ClassName]) throws -> EmbeddingMatrix? {
    try source.stored(classes)
  }

  /// The rows that the text encoder gives for classes.
  func encode(_ classes: [ClassName]) throws -> EmbeddingMatrix { try source.encode(classes) }
}
