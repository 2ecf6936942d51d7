import Baron
import Datasets
import Detection
import Layers
import OpenCL
import Tensors

/// One training step: forward, backward, update (design 6).
public final class TrainingStep {
  /// What a step costs to learn: its losses arrive from the device a step later.
  public struct Pending {
    /// The step.
    public let iteration: Int
    /// The learning rate that it used.
    public let learningRate: Float
    /// Numbers worth logging.
    public let counts: [String: Int]
    private let names: [String]
    private let read: PendingRead

    fileprivate init(
      iteration: Int, learningRate: Float, counts: [String: Int], scalars: [String: Tensor]
    ) throws {
      self.iteration = iteration
      self.learningRate = learningRate
      self.counts = counts
      names = scalars.keys.sorted()
      let packed = try Tensor.concatenated(
        names.compactMap { scalars[$0]?.detached().reshaped([1]) }, axis: 0)
      read = try packed.readLater()
    }

    /// Waits for the losses.
    ///
    /// - Returns: Every loss, `loss` (their sum) and `gradient_norm`, by name.
    /// - Throws: `OpenCLError` when the device failed.
    public func scalars() throws -> [String: Double] {
      Dictionary(
        zip(names, try read.floats().map(Double.init)), uniquingKeysWith: { first, _ in first })
    }
  }

  /// How gradients are kept small.
  public enum Clipping: Sendable, Equatable {
    /// Not at all; the norm is still measured.
    case none
    /// By their global L2 norm.
    case norm(Float)
    /// Element by element.
    case value(Float)
  }

  /// How gradients change parameters.
  public enum UpdateRule: Sendable, Equatable {
    /// Stochastic gradient descent; the factor of the momentum.
    case sgd(momentum: Float)
    /// Adam with decoupled weight decay; how much of the first and second moment stays.
    case adamW(Float, Float)
  }

  /// The student's stream.
  public let student: ComputeStream
  /// The teacher's stream.
  public let teacher: ComputeStream
  /// The detector with its text encoder.
  public let model: OpenVocabularyModel
  /// The method, or nil for the baseline without distillation.
  public let distillation: BagDistillation?
  /// Momentum (AdamW: first moment) by parameter name; part of a checkpoint.
  public let momentum: [String: Tensor]
  /// AdamW's second moment by parameter name; part of a checkpoint.
  public let secondMoment: [String: Tensor]
  private let preparation: BatchPreparation
  private let vocabulary: ClassVocabulary
  private let clipping: Clipping
  private let rule: UpdateRule
  private let weightDecay: Float
  private let seed: UInt64

  /// Puts a step together.
  ///
  /// - Parameters:
  ///   - model: The detector with its text encoder.
  ///   - distillation: The method, or nil.
  ///   - teacher: The teacher's stream.
  ///   - vocabulary: The classes of training.
  ///   - preparation: How images reach the device.
  ///   - clipping: How gradients are kept small.
  ///   - rule: How gradients change parameters.
  ///   - weightDecay: Added to the gradient, times the parameter.
  ///   - seed: The run's seed.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(
    model: OpenVocabularyModel, distillation: BagDistillation?, teacher: ComputeStream,
    vocabulary: ClassVocabulary, preparation: BatchPreparation, clipping: Clipping,
    rule: UpdateRule, weightDecay: Float, seed: UInt64
  ) throws {
    student = model.stream
    self.teacher = teacher
    self.model = model
    self.distillation = distillation
    self.vocabulary = vocabulary
    self.preparation = preparation
    self.clipping = clipping
    self.rule = rule
    self.weightDecay = weightDecay
    self.seed = seed
    func zeros(_ label: String) throws -> [String: Tensor] {
      var tensors: [String: Tensor] = [:]
      for parameter in model.store.trained {
        tensors[parameter.name] = try Tensor(
          repeating: 0, shape: parameter.value.shape, on: model.stream, label: label)
      }
      return tensors
    }
    momentum = try zeros("momentum")
    if case .adamW = rule {
      secondMoment = try zeros("second moment")
    } else {
      secondMoment = [:]
    }
  }

  /// Runs one step.
  ///
  /// - Parameters:
  ///   - batch: Detection samples first, then alignment samples if the method is on.
  ///   - learningRate: The rate of this step.
  /// - Returns: What the step gives, still on its way from the device.
  /// - Throws: `OpenCLError` when the device fails.
  public func run(_ batch: LoadedBatch, learningRate: Float) throws -> Pending {
    // The student may still read what the teacher gave it in the step before.
    try teacher.queue.wait(for: student.queue)
    let trained = model.store.trained
    for parameter in trained { parameter.value.node?.clearGradient() }
    var losses = try model.detector.detectionLosses(
      try student.phase("data") {
        try preparation.detectionBatch(batch.streams[0], on: student)
      }, vocabulary: vocabulary, textEncoder: model.regionEncoder, seed: seed,
      iteration: batch.iteration)
    var counts: [String: Int] = [:]
    if let distillation, batch.streams.count > 1 {
      let result = try distillation.losses(
        try student.phase("data") {
          try preparation.distillationBatch(batch.streams[1], student: student, teacher: teacher)
        }, detector: model.detector, seed: seed, iteration: batch.iteration)
      losses.merge(result.losses) { $1 }
      counts = result.counts
    }
    let ordered = losses.sorted { $0.key < $1.key }.map(\.value)
    let total = try ordered.dropFirst().reduce(ordered[0]) { try $0.adding($1) }
    try student.phase("backward") { try total.backward() }
    let norm = try student.phase("optimizer") {
      try update(trained, iteration: batch.iteration, learningRate: learningRate)
    }
    losses["loss"] = total
    losses["gradient_norm"] = norm
    let pending = try Pending(
      iteration: batch.iteration, learningRate: learningRate, counts: counts, scalars: losses)
    for parameter in trained { parameter.value.node?.clearGradient() }
    return pending
  }

  private func update(
    _ trained: [Parameter], iteration: Int, learningRate: Float
  ) throws -> Tensor {
    let reached = trained.compactMap { parameter in
      parameter.gradient.map { (parameter: parameter, gradient: $0) }
    }
    let gradients = reached.map(\.gradient)
    let norm: Tensor
    switch clipping {
    case .none: norm = try Optimizers.clip(gradients: gradients, toNorm: .infinity)
    case .norm(let limit): norm = try Optimizers.clip(gradients: gradients, toNorm: limit)
    case .value(let limit):
      // First the norm: a limited gradient no longer tells that it was infinite.
      norm = try Optimizers.clip(gradients: gradients, toNorm: .infinity)
      try Optimizers.clip(gradients: gradients, toValue: limit)
    }
    for (parameter, gradient) in reached {
      try change(parameter, gradient, iteration: iteration, learningRate: learningRate)
    }
    return norm
  }

  private func change(
    _ parameter: Parameter, _ gradient: Tensor, iteration: Int, learningRate: Float
  ) throws {
    guard let momentum = momentum[parameter.name] else { return }
    switch rule {
    case .sgd(let factor):
      try Optimizers.sgd(
        parameter: parameter.value, gradient: gradient, momentum: momentum, rate: learningRate,
        momentumFactor: factor, weightDecay: weightDecay)
    case .adamW(let first, let second):
      guard let squares = secondMoment[parameter.name] else { return }
      try Optimizers.adamW(
        parameter: parameter.value, gradient: gradient, firstMoment: momentum,
        secondMoment: squares, step: iteration + 1, rate: learningRate, betas: (first, second),
        weightDecay: weightDecay)
    }
  }
}
