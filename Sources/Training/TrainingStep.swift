import Baron
import Detection
import Layers
import Loading
import OpenCL
import Tensors

/// One training step: forward, backward, update (design 6).
public final class TrainingStep {
  /// The student's stream.
  public let student: ComputeStream
  /// The teacher's stream.
  public let teacher: ComputeStream
  /// The detector with its text encoder.
  public let model: OpenVocabularyModel
  /// The method with CLIP's image encoder as teacher, or nil without it.
  public let distillation: BagDistillation?
  /// The method with captions as teacher, or nil without it.
  public let captions: CaptionSupervision?
  /// How the parameters follow their gradients; its moments are part of a checkpoint.
  public let update: ParameterUpdate
  private let preparation: BatchPreparation
  private let vocabulary: ClassVocabulary
  private let seed: UInt64

  /// Puts a step together.
  ///
  /// - Parameters:
  ///   - model: The detector with its text encoder.
  ///   - distillation: The method with CLIP's image encoder as teacher, or nil.
  ///   - captions: The method with captions as teacher, or nil.
  ///   - teacher: The teacher's stream.
  ///   - vocabulary: The classes of training.
  ///   - preparation: How images reach the device.
  ///   - update: How the model's parameters follow their gradients.
  ///   - seed: The run's seed.
  public init(
    model: OpenVocabularyModel, distillation: BagDistillation?, captions: CaptionSupervision?,
    teacher: ComputeStream, vocabulary: ClassVocabulary, preparation: BatchPreparation,
    update: ParameterUpdate, seed: UInt64
  ) {
    student = model.stream
    self.teacher = teacher
    self.model = model
    self.distillation = distillation
    self.captions = captions
    self.vocabulary = vocabulary
    self.preparation = preparation
    self.update = update
    self.seed = seed
  }

  /// Runs one step.
  ///
  /// - Parameters:
  ///   - batch: Detection samples first, then alignment samples if CLIP's image encoder teaches, then
  ///     caption samples if captions do.
  ///   - learningRate: The rate of this step.
  /// - Returns: What the step gives, still on its way from the device.
  /// - Throws: `OpenCLError` when the device fails; `TokenizerError`.
  public func run(_ batch: LoadedBatch, learningRate: Float) throws -> PendingLosses {
    // The student may still read what the teacher gave it in the step before.
    try teacher.queue.wait(for: student.queue)
    try update.begin()
    let forward = try start(batch)
    var losses = try model.detector.detectionLosses(
      forward.detection, vocabulary: vocabulary, textEncoder: model.regionEncoder)
    var counts: [String: Int] = [:]
    if let distillation, let bags = forward.bags {
      let result = try distillation.losses(
        bags.batch, bags.proposed, detector: model.detector, seed: seed,
        iteration: batch.iteration)
      losses.merge(result.losses) { $1 }
      counts = result.counts
    }
    if let captions, let described = forward.described {
      let result = try captions.losses(
        described.batch, described.proposed, detector: model.detector, seed: seed,
        iteration: batch.iteration)
      losses.merge(result.losses) { $1 }
      counts.merge(result.counts) { $1 }
    }
    let ordered = losses.sorted { $0.key < $1.key }.map(\.value)
    let total = try ordered.dropFirst().reduce(ordered[0]) { try $0.adding($1) }
    try student.phase("backward") { try update.differentiate(total) }
    let norm = try student.phase("optimizer") {
      try update.apply(iteration: batch.iteration, learningRate: learningRate)
    }
    losses["loss"] = total
    losses["gradient_norm"] = norm
    losses[LossScaling.name] = try update.currentLossScale()
    let pending = try PendingLosses(
      iteration: batch.iteration, learningRate: learningRate, counts: counts, scalars: losses)
    update.clearGradients()
    return pending
  }

  /// The images of a step on the device, up to their proposals.
  private struct Forward {
    let detection: StartedDetection
    var bags: (batch: DistillationBatch, proposed: ProposedImages)?
    var described: (batch: CaptionBatch, proposed: ProposedImages)?
  }

  /// Sends the maps and proposals of all images to the device before the host reads any of them:
  /// it has work while the host samples.
  private func start(_ batch: LoadedBatch) throws -> Forward {
    let detector = model.detector
    var forward = Forward(
      detection: try detector.startDetection(
        try student.phase("data") {
          try preparation.detectionBatch(batch.streams[0], on: student)
        }, classes: vocabulary.count, seed: seed, iteration: batch.iteration))
    var rest = batch.streams.dropFirst()
    if distillation != nil, let samples = rest.popFirst() {
      let images = try student.phase("data") {
        try preparation.distillationBatch(samples, student: student, teacher: teacher)
      }
      forward.bags = (
        images, try detector.propose(images.images, frames: images.frames, training: true)
      )
    }
    if captions != nil, let samples = rest.popFirst() {
      let images = try student.phase("data") {
        try preparation.captionBatch(samples, on: student)
      }
      forward.described = (
        images, try detector.propose(images.images, frames: images.frames, training: true)
      )
    }
    return forward
  }
}
