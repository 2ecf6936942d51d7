import Baron
import CLIP
import Checkpoints
import Evaluation
import Foundation
import KernelLibrary
import Layers
import Loading
import OpenCL
import Tensors

/// What stops a training run.
public enum TrainingError: Error, CustomStringConvertible {
  /// A loss or the gradient is not a finite number.
  case notFinite(iteration: Int, names: [String], run: String)
  /// The user asked to stop; the run can be resumed.
  case interrupted(iteration: Int, run: String)

  /// One line with the remedy.
  public var description: String {
    switch self {
    case .notFinite(let iteration, let names, let run):
      "iteration \(iteration): \(names.joined(separator: ", ")) is not a finite number; lower "
        + "optimizer.rate or set optimizer.gradient_limit in a new run, or go on from the last "
        + "checkpoint with --resume \(run)"
    case .interrupted(let iteration, let run):
      "stopped after \(iteration) iterations; 'baron train --resume \(run)' goes on from there"
    }
  }
}

/// Trains a detector: the loop around ``TrainingStep`` with data, logs, checkpoints and validation.
public final class Trainer {
  /// What happens while training.
  public enum Event {
    /// A line about the run before the first step.
    case note(String)
    /// Something odd that does not stop the run.
    case warning(String)
    /// A step's losses have arrived.
    case step(MetricRecord, total: Int)
    /// A checkpoint is on disk.
    case checkpoint(String)
    /// Images of the validation set that are done.
    case validating(Int, of: Int)
    /// The validation set is scored.
    case validated(EvaluationSummary, iteration: Int)
  }

  /// The step.
  public let step: TrainingStep
  private let configuration: RunConfiguration
  private let run: RunFolder
  private let data: TrainingData
  private let schedule: Schedule
  private let log: MetricLog
  private let onEvent: (Event) -> Void
  private let firstIteration: Int
  private var lastSettled = 0.0
  private var pending: (step: PendingLosses, started: Double, waited: Double)?

  /// Prepares a run, from the start or from the run's newest checkpoint.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - run: The run's folder.
  ///   - context: The device.
  ///   - profiler: Records kernel times, or nil.
  ///   - resumes: Whether to go on from the newest checkpoint.
  ///   - onEvent: Gets what happens.
  /// - Throws: `ConfigurationError`, `DatasetError`, `CheckpointError`, `RunFolderError`,
  ///   `FormatError` or `OpenCLError`, each one line about what is wrong.
  public init(
    configuration: RunConfiguration, run: RunFolder, context: Context, profiler: Profiler? = nil,
    resumes: Bool = false, onEvent: @escaping (Event) -> Void
  ) throws {
    self.configuration = configuration
    self.run = run
    self.onEvent = onEvent
    data = try TrainingData(configuration)
    for line in data.summary { onEvent(.note(line)) }
    for line in data.warnings { onEvent(.warning(line)) }
    schedule = Schedule(configuration.optimizer, iterations: configuration.training.iterations)
    if let reference = configuration.foreignReferenceBatch {
      onEvent(
        .warning(
          "optimizer.rate \(configuration.optimizer.rate) and the schedule are meant for "
            + "\(reference) detection images per step, but training.detection_batch is "
            + "\(configuration.training.detectionBatch); --scale-lr scales both in proportion"))
    }
    let start =
      resumes || configuration.model.start.isEmpty
      ? nil : try StartWeights(path: configuration.model.start)
    // No value is drawn that a checkpoint or a start replaces.
    step = try Self.step(
      configuration, data: data, context: context, profiler: profiler
    ) { resumes || start?.name(of: $0) != nil }
    var first = 0
    if resumes {
      guard let checkpoint = run.checkpoints.latest(warn: { onEvent(.warning($0)) }) else {
        throw RunFolderError.noCheckpoint(path: run.path)
      }
      first = try TrainingState(restoring: checkpoint.path, into: step).iteration
      onEvent(.note("resuming at iteration \(first) from \(checkpoint.path)"))
    } else if let start {
      onEvent(.note(try start.load(into: step.model.store).summary))
      if let warning = start.warning(for: configuration.model) { onEvent(.warning(warning)) }
    }
    firstIteration = first
    log = try MetricLog(path: run.metricsPath, startingAt: first)
  }

  private static func step(
    _ configuration: RunConfiguration, data: TrainingData, context: Context, profiler: Profiler?,
    isSupplied: @escaping (String) -> Bool
  ) throws -> TrainingStep {
    let library = KernelLibrary(context: context, configuration: configuration.kernelChoices)
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
      update: try ParameterUpdate(model.store, configuration.optimizer),
      seed: UInt64(configuration.training.seed))
  }

  /// Trains until the configured number of iterations.
  ///
  /// - Parameters:
  ///   - shouldStop: Asked before each step; true saves a checkpoint and stops.
  ///   - afterStep: Runs after each step, for the profiler.
  /// - Throws: ``TrainingError``, or what data, disk or device throw; the last checkpoint stays.
  public func train(
    shouldStop: () -> Bool = { false }, afterStep: (Int) throws -> Void = { _ in }
  ) throws {
    let total = configuration.training.iterations
    guard firstIteration < total else {
      onEvent(.note("all \(total) iterations are done already"))
      return
    }
    let warnings = WarningBox()
    let loader = try Loader(
      streams: data.streams, seed: UInt64(configuration.training.seed),
      startingAt: firstIteration, threads: configuration.data.threads,
      prefetch: configuration.data.prefetch, warn: { warnings.add($0) })
    defer { loader.stop() }
    for iteration in firstIteration..<total {
      if shouldStop() {
        try settle()
        try save(iteration)
        throw TrainingError.interrupted(iteration: iteration, run: run.path)
      }
      let started = Self.now()
      let batch = try step.student.phase("data wait") { try loader.next() }
      let waited = Self.now() - started
      for line in warnings.take() { onEvent(.warning(line)) }
      let result = try step.run(batch, learningRate: Float(schedule.rate(at: iteration)))
      // The losses of the step before have arrived by now: nothing waits for them.
      try settle()
      pending = (result, started, waited)
      try afterStep(iteration)
      try milestone(iteration + 1, total: total)
    }
  }

  /// Checkpoints and validates when it is time to.
  private func milestone(_ done: Int, total: Int) throws {
    let training = configuration.training
    if done % training.checkpointEvery == 0 || done == total {
      try settle()
      try save(done)
      try step.student.library.storePrograms(
        whenEmpty: [step.student.queue, step.teacher.queue]
      ) { onEvent(.note($0)) }
    }
    if training.evaluateEvery > 0, done % training.evaluateEvery == 0 || done == total {
      try settle()
      try validate(done)
    }
  }

  /// Logs the step whose losses are still on their way.
  private func settle() throws {
    guard let (step, started, waited) = pending else { return }
    pending = nil
    var scalars = try step.scalars()
    let scaled = LossScaling.settle(&scalars)
    let bad = scalars.notFinite
    // Steps overlap; what counts is the time from one step's losses to the next one's.
    let seconds = Self.now() - max(started, lastSettled)
    lastSettled = Self.now()
    let record = MetricRecord(
      iteration: step.iteration, losses: scalars.losses,
      measures: step.counts.mapValues(Double.init).merging(scaled) { $1 },
      learningRate: Double(step.learningRate), gradientNorm: scalars.gradientNorm,
      imagesPerSecond: Double(step.imageCount) / seconds, dataWaitShare: waited / seconds,
      memoryPeak: self.step.student.queue.pool.total.peak
        + self.step.teacher.queue.pool.total.peak, seconds: seconds)
    guard bad.isEmpty else {
      throw TrainingError.notFinite(iteration: step.iteration, names: bad, run: run.path)
    }
    try log.append(record)
    onEvent(.step(record, total: configuration.training.iterations))
  }

  private func save(_ done: Int) throws {
    let checkpoint = try run.checkpoints.write(iteration: done) { folder in
      try TrainingState.save(to: folder, step: step, iteration: done)
    }
    try run.checkpoints.prune(keeping: configuration.training.keepCheckpoints)
    onEvent(.checkpoint(checkpoint.path))
  }

  private func validate(_ done: Int) throws {
    let validation = try ValidationRun(configuration)
    let detector = try ObjectDetector(
      model: step.model, configuration: configuration,
      vocabulary: .dataSet(validation.vocabulary))
    let summary = try validation.run(
      detector, writingTo: "\(run.detectionsPath)/iteration-\(done).json",
      progress: { onEvent(.validating($0, of: validation.imageCount)) },
      warn: { onEvent(.warning($0)) })
    onEvent(.validated(summary, iteration: done))
  }

  private static func now() -> Double { Double(Profiler.now()) / 1e9 }
}
