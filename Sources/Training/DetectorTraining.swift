import Baron
import CLIP
import Checkpoints
import Distribution
import Evaluation
import Formats
import Foundation
import KernelLibrary
import Layers
import Loading
import OpenCL
import Tensors

/// The training of a detector: ``TrainingStep`` with data, checkpoints and validation.
package final class DetectorTraining: TrainingJob {
  package static let command = "train"

  /// The step.
  package let step: TrainingStep
  package let plan: TrainingPlan
  private let configuration: RunConfiguration
  private let data: TrainingData
  private let validation: ValidationRun?
  private let warnings = WarningBox()
  private var loader: Loader?
  private let files: [String: String]
  /// Images that are left out, by stream, from what a checkpoint says.
  private var leftOut: [String: [String]] = [:]
  /// Whether a checkpoint may be of another number of replicas.
  private let changesReplicas: Bool

  /// Reads data and models.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - context: The device.
  ///   - profiler: Records kernel times, or nil.
  ///   - isRestored: Whether a checkpoint replaces all values, so that none is to be drawn.
  ///   - changesReplicas: Whether that checkpoint may be of another number of replicas.
  ///   - world: The processes that train together.
  ///   - onEvent: Gets notes and warnings.
  /// - Throws: `ConfigurationError`, `DatasetError`, `CheckpointError`, `EvaluationError`,
  ///   ``ValidationRunError``, `FormatError` or `OpenCLError`, each one line about what is wrong.
  init(
    configuration: RunConfiguration, context: Context, profiler: Profiler?, isRestored: Bool,
    changesReplicas: Bool = false, among world: any World = Alone(),
    onEvent: (TrainingEvent) -> Void
  ) throws {
    let share = try ReplicaShare(
      of: configuration.training.replicas, rank: world.rank, processes: world.size)
    self.configuration = configuration
    self.changesReplicas = changesReplicas
    data = try Activity.during("reading annotations") { try TrainingData(configuration) }
    files = DataState.digests(of: configuration.data.files)
    for line in data.summary { onEvent(.note(line)) }
    for line in data.warnings { onEvent(.warning(line)) }
    plan = TrainingPlan(
      iterations: configuration.training.iterations,
      checkpointEvery: configuration.training.checkpointEvery,
      keepCheckpoints: configuration.training.keepCheckpoints,
      evaluateEvery: configuration.training.evaluateEvery,
      keepBest: configuration.training.keepBest,
      schedule: Schedule(
        configuration.optimizer, iterations: configuration.training.iterations))
    let evaluates = plan.evaluateEvery > 0
    validation = try Activity.during("looking at the validation set") {
      let validation = evaluates ? try ValidationRun(configuration) : nil
      // What would end an evaluation is told before the first step.
      try validation?.check { onEvent(.warning($0)) }
      return validation
    }
    if let line = configuration.foreignBatchWarning { onEvent(.warning(line)) }
    if let line = configuration.batchNormWarning(share) { onEvent(.warning(line)) }
    let start =
      isRestored || configuration.model.start.isEmpty
      ? nil : try StartWeights(start: configuration.model.start)
    // No value is drawn that a checkpoint or a start replaces.
    step = try Activity.during("building the models") { [data] in
      try Self.step(
        configuration, share: share, among: world, data: data, context: context,
        profiler: profiler
      ) {
        isRestored || start?.name(of: $0) != nil
      }
    }
    if let start {
      onEvent(.note(try start.load(into: step.model.store).summary))
      if let warning = start.warning(for: configuration.model) { onEvent(.warning(warning)) }
    }
  }

  private static func step(
    _ configuration: RunConfiguration, share: ReplicaShare, among world: any World,
    data: TrainingData, context: Context, profiler: Profiler?,
    isSupplied: @escaping (String) -> Bool
  ) throws -> TrainingStep {
    let library = KernelLibrary(
      context: context, configuration: configuration.kernelChoices,
      precision: configuration.training.precision,
      typical: RunConfiguration.typicalPrograms)
    func stream(_ name: String) throws -> ComputeStream {
      try ComputeStream(
        context: context, name: name, library: library, profiler: profiler,
        activationType: try configuration.training.precision.activationType(on: context))
    }
    let (student, teacher) = (try stream("student"), try stream("teacher"))
    let clip = try CLIPWeights(folder: configuration.clip.folder)
    let model = try OpenVocabularyModel(
      configuration: configuration, clip: clip, stream: student, isSupplied: isSupplied)
    let parts = AlignmentParts(
      model.store.root / "roi_head", words: configuration.model.head.words,
      text: model.textEncoder, tokenizer: model.tokenizer
    ) {
      // Frozen: its start values are all supplied.
      try ImageEncoder(
        clip,
        store: ParameterStore(stream: teacher, seed: UInt64(configuration.training.seed)) { _ in
          true
        })
    }
    return TrainingStep(
      model: model, methods: try configuration.methods.map { try $0.method(parts) },
      teacher: teacher,
      vocabulary: try model.vocabulary(data.classNames, isBase: data.isBase),
      preparation: configuration.preparation,
      update: try ParameterUpdate(model.store, configuration.optimizer, share: share, among: world),
      share: share, among: world, seed: UInt64(configuration.training.seed))
  }

  package var streams: [ComputeStream] { [step.student, step.teacher] }

  package var share: ReplicaShare { step.share }

  package var world: any World { step.world }

  package func start(at iteration: Int) throws {
    // Of another version, or after a fault, ranks may have loaded other values.
    try requireLikeParameters(iteration)
    loader = try Loader(
      streams: data.streams, seed: UInt64(configuration.training.seed), startingAt: iteration,
      replicas: step.share.own, of: step.share.count, threads: configuration.data.threads,
      prefetch: configuration.data.prefetch, leavingOut: leftOut,
      warn: { [warnings] in warnings.add($0) })
  }

  package func stop() { loader = nil }

  package func step(
    _ iteration: Int, learningRate: Float, warn: (String) -> Void
  ) throws -> PendingLosses {
    guard let loader else { preconditionFailure("a step before the loader was started") }
    var waited = 0.0
    var losses = try step.run(iteration, learningRate: learningRate) { _ in
      let began = MonotonicClock.nanoseconds
      world.progress.enter("data wait", iteration: iteration)
      let batch = try step.student.phase("data wait") { try loader.next() }
      world.progress.enter("step")
      waited += Double(MonotonicClock.nanoseconds - began) / 1e9
      for line in warnings.take() { warn(line) }
      return batch
    }
    losses.dataWait = waited
    return losses
  }

  package func save(to folder: String?, iteration: Int) throws {
    try requireLikeParameters(iteration)
    try TrainingState.save(to: folder, step: step, iteration: iteration)
    var state = DataState(files: files, leftOut: loader?.leftOut(before: iteration) ?? leftOut)
    try state.unite(among: step.world, share: step.share, iteration: iteration)
    if let folder { try state.write(to: folder) }
  }

  /// Looks whether the parameters of all ranks are the same.
  private func requireLikeParameters(_ iteration: Int) throws {
    guard step.world.size > 1 else { return }
    let sum = try ParameterUpdate.checksum(of: step.model.store)
    let apart = try step.world.compared([sum].bytes, Exchange("parameters", iteration))
    guard apart.isEmpty else { throw TrainingError.apart(iteration: iteration, ranks: apart) }
  }

  package func restore(_ folder: String, warn: (String) -> Void) throws -> Int {
    if let old = try DataState.read(from: folder) {
      leftOut = old.leftOut(of: step.share.own)
      for line in DataState(files: files).changes(since: old) { warn(line) }
    }
    let state = try TrainingState(
      restoring: folder, into: step, otherReplicas: changesReplicas)
    if state.replicas != step.share.count {
      warn(
        "the run goes on with \(step.share.count, "replica") instead of \(state.replicas): a "
          + "replica takes over the queues of an old one, in turn, and the steps are no longer "
          + "those of one uninterrupted run")
    }
    return state.iteration
  }

  package func evaluate(
    _ done: Int, in run: RunFolder?, progress: (Int, Int) throws -> Void, warn: (String) -> Void
  ) throws -> TrainingScore? {
    let (validation, detector) = try Agreement.together("evaluation", in: step.world) {
      let validation = try self.validation ?? ValidationRun(configuration)
      return (
        validation,
        try ObjectDetector(
          model: step.model, configuration: configuration,
          vocabulary: .dataSet(validation.vocabulary))
      )
    }
    guard let run else {
      try validation.assist(
        detector, among: step.world, progress: { try progress($0, validation.imageCount) },
        warn: warn)
      return nil
    }
    return .detection(
      try validation.run(
        detector, writingTo: "\(run.detectionsPath)/iteration-\(done).json", among: step.world,
        progress: { try progress($0, validation.imageCount) }, warn: warn))
  }
}

extension TrainingLoop where Job == DetectorTraining {
  /// Prepares the training of a detector, from the start or from the run's newest checkpoint.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - run: The run's folder; nil on ranks other than 0.
  ///   - context: The device.
  ///   - profiler: Records kernel times, or nil.
  ///   - changesReplicas: Whether the run may have had another number of replicas.
  ///   - world: The processes that train together.
  ///   - talk: What carries warnings to rank 0; made where there are several and none is given.
  ///   - onEvent: Gets what happens.
  /// - Throws: `ConfigurationError`, `DatasetError`, `CheckpointError`, ``RunFolderError``,
  ///   `FormatError`, `OpenCLError` or `WorldError`, each one line about what is wrong.
  package convenience init(
    configuration: RunConfiguration, run: RunFolder?, context: Context, profiler: Profiler? = nil,
    changesReplicas: Bool = false, among world: any World = Alone(), talk: RankTalk? = nil,
    onEvent: @escaping (TrainingEvent) -> Void
  ) throws {
    let talk = world.size > 1 ? talk ?? RankTalk(world) : nil
    func see(_ event: TrainingEvent) {
      talk?.see(event)
      onEvent(event)
    }
    let checkpoint = try run?.newestCheckpoint { see(.warning($0)) }
    let isRestored = try world.decided(checkpoint != nil, Exchange("whether a checkpoint is there"))
    // What is wrong on any rank ends all, with one line.
    let job = try Agreement.together("preparation", in: world) {
      try DetectorTraining(
        configuration: configuration, context: context, profiler: profiler,
        isRestored: isRestored, changesReplicas: changesReplicas, among: world, onEvent: see)
    }
    try self.init(job, in: run, from: checkpoint, talk: talk, onEvent: see)
  }
}
