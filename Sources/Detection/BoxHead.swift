import Layers
import Tensors

/// Turns pseudo words into one text feature per region; the model behind it is frozen, but
/// gradients pass through it to the words.
package protocol PseudoTextEncoder {
  /// Encodes each row of words as a sentence of its own.
  ///
  /// - Parameters:
  ///   - words: `[R, K, D]`.
  ///   - keep: Which words of each row stay in the sentence, at least one; nil keeps all.
  /// - Returns: `[R, D']`, unit rows.
  func encode(words: Tensor, keep: [[Bool]]?) throws -> Tensor
}

/// Words, class logits and box deltas of pooled regions (spec detector 2.7).
package struct BoxHead {
  /// What the head is built from.
  package let configuration: BoxHeadConfiguration
  /// Trunk and words of detection.
  package let main: WordHead
  /// Trunk and words of the alignment losses; `main` unless there is a second one.
  package let alignment: WordHead
  private let regressor: [Linear]
  private let background: Background
  private let logitBias: Parameter?
  private let embeddingWidth: Int

  private enum Background {
    case learned(Parameter, Parameter)
    case zero(Parameter)
  }

  /// Creates the head.
  ///
  /// - Parameters:
  ///   - scope: Where `shared_convs`, `shared_fcs`, `fc_cls`, `fc_reg`, `bg_embedding`, `cls_bias`
  ///     and `kd` are named.
  ///   - configuration: Its shape.
  ///   - widths: What arrives and what the words are for.
  package init(
    _ scope: ParameterScope, _ configuration: BoxHeadConfiguration, _ widths: BoxHeadWidths
  ) throws {
    self.configuration = configuration
    embeddingWidth = widths.text.embedding
    main = try WordHead(
      scope, configuration, widths, initializer: .normal(standardDeviation: 0.01))
    let width = main.featureWidth
    regressor = try [(0, width), (2, 4)].map { index, outputs in
      try Linear(
        scope / "fc_reg" / "\(index)", inputs: width, outputs: outputs,
        initializer: .normal(standardDeviation: 0.001))
    }
    let length = widths.text.embedding
    switch configuration.background {
    case .learned:
      let place = scope / "bg_embedding"
      background = .learned(
        try place.parameter("weight", [length, 1], .xavierUniform(inputs: 1, outputs: length)),
        try place.parameter("bias", [length], .zeros))
    case .zero:
      background = .zero(
        try scope.parameter("bg_embedding", [1, length], .zeros, role: .frozen))
    }
    logitBias = try configuration.logitBias.map {
      try scope.parameter("cls_bias", [1], .constant($0))
    }
    alignment =
      configuration.ensemble != nil
      ? try WordHead(scope / "kd", configuration, widths, initializer: nil) : main
  }

  /// Class-agnostic box deltas.
  ///
  /// - Parameter features: The main trunk's output `[R, F]`.
  /// - Returns: `[R, 4]`.
  package func deltas(_ features: Tensor) throws -> Tensor {
    try regressor[1](try regressor[0](features, then: .activated(.relu))).converted(to: .float32)
  }

  /// Scaled cosines of text features and class embeddings, the background last.
  ///
  /// - Parameters:
  ///   - textFeatures: `[R, D']`, unit rows.
  ///   - classEmbeddings: `[C, D']`, unit rows.
  ///   - training: Chooses the temperature, and adds the logit bias if there is one.
  /// - Returns: `[R, C + 1]`.
  package func classLogits(
    _ textFeatures: Tensor, classEmbeddings: Tensor, training: Bool
  ) throws -> Tensor {
    let embeddings = try Tensor.concatenated(
      [classEmbeddings, try backgroundEmbedding()], axis: 0)
    let logits = try textFeatures.cosineSimilarity(
      embeddings,
      temperature: training ? configuration.temperatureTrain : configuration.temperatureTest)
    guard training, let logitBias else { return logits }
    return try logits.reshaped([logits.count, 1]).addingRow(logitBias.value)
      .reshaped(logits.shape)
  }

  /// The logit bias as it stands, read from the device; 0 when there is none.
  ///
  /// - Returns: The bias that training adds to every logit.
  package func currentLogitBias() throws -> Float {
    try logitBias?.value.floats().first ?? 0
  }

  private func backgroundEmbedding() throws -> Tensor {
    switch background {
    case .zero(let zero): return zero.value
    case .learned(let weight, let bias):
      let row = [1, embeddingWidth]
      return try weight.value.reshaped(row).adding(bias.value.reshaped(row)).l2Normalized()
    }
  }
}
