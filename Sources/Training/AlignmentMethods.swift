import Baron
import CLIP
import Checkpoints
import Layers
import Loading
import Tensors

extension RunConfiguration {
  /// The streams that the configured methods look at.
  var alignmentStreams: Set<ImageStream> {
    var streams: Set<ImageStream> = []
    if alignment.kind != .none { streams.insert(.alignment) }
    if captions.enabled { streams.insert(.captions) }
    return streams
  }

  /// The configured methods.
  ///
  /// - Parameters:
  ///   - model: The student; the methods' parameters join its own.
  ///   - clip: The CLIP model's weights.
  ///   - teacher: The teacher's stream.
  /// - Returns: The methods, in the order of their losses.
  /// - Throws: `CheckpointError` when the CLIP folder does not fit; `OpenCLError`.
  func methods(
    for model: OpenVocabularyModel, clip: CLIPWeights, teacher: ComputeStream
  ) throws -> [any AlignmentMethod] {
    var methods: [any AlignmentMethod] = []
    if let settings = distillation {
      let store = ParameterStore(stream: teacher, seed: UInt64(training.seed)) { _ in true }
      methods.append(
        try BagDistillation(
          model.store.root / "roi_head" / "baron_kd", settings: settings,
          words: self.model.head.words, text: model.textEncoder,
          teacher: try ImageEncoder(clip, store: store)))
    }
    if let settings = captionSupervision {
      methods.append(
        try CaptionSupervision(
          model.store.root / "roi_head" / "baron_caption", settings: settings,
          words: self.model.head.words, text: model.textEncoder, tokenizer: model.tokenizer))
    }
    return methods
  }
}
