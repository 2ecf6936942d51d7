import Baron
import Detection
import Distribution
import Formats
import Layers
import Loading
import OpenCL
import Tensors

/// One training step: forward and backward of each replica, update.
package final class TrainingStep {
  /// The student's stream.
  package let student: ComputeStream
  /// The teacher's stream.
  package let teacher: ComputeStream
  /// The detector with its text encoder.
  package let model: OpenVocabularyModel
  /// The ways in which the detector is aligned with teachers, in the order of their losses.
  package let methods: [any AlignmentMethod]
  /// The replicas of this process, with what each remembers of its own steps.
  package internal(set) var replicas: [Replica]
  /// How many replicas the run has, and which of them are those of this process.
  package let share: ReplicaShare
  /// How the parameters follow their gradients; its moments are part of a checkpoint.
  package let update: ParameterUpdate
  /// The processes that carry the replicas.
  package let world: any World
  private let preparation: BatchPreparation
  private let vocabulary: ClassVocabulary
  private let seed: UInt64

  /// Puts a step together.
  ///
  /// - Parameters:
  ///   - model: The detector with its text encoder.
  ///   - methods: The ways in which the detector is aligned with teachers.
  ///   - teacher: The teacher's stream.
  ///   - vocabulary: The classes of training.
  ///   - preparation: How images reach the device.
  ///   - update: How the model's parameters follow the gradients of ``share``.
  ///   - share: The replicas of the run and of this process.
  ///   - world: The processes that carry them.
  ///   - seed: The run's seed.
  package init(
    model: OpenVocabularyModel, methods: [any AlignmentMethod], teacher: ComputeStream,
    vocabulary: ClassVocabulary, preparation: BatchPreparation, update: ParameterUpdate,
    share: ReplicaShare = .single, among world: any World = Alone(), seed: UInt64
  ) {
    self.world = world
    if world.size > 1 { model.store.statistics = RankStatistics(world) }
    student = model.stream
    self.teacher = teacher
    self.model = model
    self.methods = methods
    self.vocabulary = vocabulary
    self.preparation = preparation
    self.update = update
    self.share = share
    self.seed = seed
    replicas = share.own.map { number in
      Replica(number: number, queues: methods.map(\.state.queues))
    }
  }

  /// Runs one step.
  ///
  /// - Parameters:
  ///   - iteration: The step, counted from 0.
  ///   - learningRate: Its rate.
  ///   - batch: Gives, for each replica of this process in turn, images of detection and of every
  ///     stream that a method looks at.
  /// - Returns: What the step gives, still on its way from the device.
  /// - Throws: `OpenCLError` when the device fails; `TokenizerError`; what `batch` throws.
  package func run(
    _ iteration: Int, learningRate: Float, batch: (_ replica: Int) throws -> LoadedBatch
  ) throws -> PendingLosses {
    try update.begin()
    var written = BoxCacheWrites(methods: methods.count)
    let losses = try replicas.indices.map { index in
      let batch = try batch(replicas[index].number)
      enter(index)
      defer { leave(index, written: &written) }
      return try carry(batch)
    }
    try written.exchange(among: world, methods, iteration: iteration)
    written.apply(to: methods)
    let norm = try student.phase("optimizer") {
      try update.apply(iteration: iteration, learningRate: learningRate)
    }
    let pending = try PendingLosses(
      iteration: iteration, learningRate: learningRate, replicas: losses, gradientNorm: norm,
      lossScale: try update.currentLossScale())
    update.clearGradients()
    return pending
  }

  /// Runs one step of a single replica.
  ///
  /// - Parameters:
  ///   - batch: Images of detection and of every stream that a method looks at.
  ///   - learningRate: The rate of this step.
  package func run(_ batch: LoadedBatch, learningRate: Float) throws -> PendingLosses {
    try run(batch.iteration, learningRate: learningRate) { _ in batch }
  }

  /// Forward and backward of one replica.
  private func carry(_ batch: LoadedBatch) throws -> ReplicaLosses {
    // The student may still read what the teacher gave it before.
    try teacher.queue.wait(for: student.queue)
    let random = StepRandom(seed: seed, iteration: batch.iteration)
    let forward = try start(batch, random: random)
    var losses = try model.detector.detectionLosses(
      forward.detection, vocabulary: vocabulary, textEncoder: model.regionEncoder)
    var counts = try forward.detection.positives()
    for (number, method) in methods.enumerated() {
      guard let images = forward.aligned[method.stream] else { continue }
      // The student may still read what the teacher gave it for the method before.
      if number > 0 { try teacher.queue.wait(for: student.queue) }
      let result = try method.losses(
        images.batch, images.proposed, detector: model.detector, random: random)
      losses.merge(result.losses) { $1 }
      counts.merge(result.counts) { $1 }
    }
    let ordered = losses.sorted { $0.key < $1.key }.map(\.value)
    let total = try ordered.dropFirst().reduce(ordered[0]) { try $0.adding($1) }
    try student.phase("backward") { try update.differentiate(total) }
    return ReplicaLosses(
      imageCount: batch.imageCount, counts: counts, losses: losses, total: total)
  }

  /// The images of a step on the device, up to their proposals.
  private struct Forward {
    let detection: StartedDetection
    var aligned: [ImageStream: (batch: AlignmentBatch, proposed: ProposedImages)] = [:]
  }

  /// Sends the maps and proposals of all images to the device before the host reads any of them:
  /// it has work while the host samples.
  private func start(_ batch: LoadedBatch, random: StepRandom) throws -> Forward {
    let detector = model.detector
    var forward = Forward(
      detection: try detector.startDetection(
        try student.phase("data") {
          try preparation.detectionBatch(batch.streams[.detection] ?? [], on: student)
        }, classes: vocabulary.count, random: random))
    for stream in ImageStream.allCases {
      let methods = methods.filter { $0.stream == stream }
      guard !methods.isEmpty, let samples = batch.streams[stream] else { continue }
      let images = try student.phase("data") {
        try preparation.alignmentBatch(
          samples, student: student,
          teacher: methods.contains { $0.showsTeacherImages } ? teacher : nil)
      }
      forward.aligned[stream] = (
        images, try detector.propose(images.images, frames: images.frames, training: true)
      )
    }
    return forward
  }
}
