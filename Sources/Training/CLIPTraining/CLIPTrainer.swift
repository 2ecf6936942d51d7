import CLIP
import Formats
import Foundation
import KernelLibrary
import Layers
import OpenCL
import Tensors

/// Trains a CLIP model on image-caption pairs and writes it as a Hugging Face folder.
///
/// Source: Radford et al. 2021, sections 2.3 to 2.5, with the start values of the released code.
public final class CLIPTrainer {
  /// What happens while training.
  public enum Event {
    /// A line about the run.
    case note(String)
    /// Something odd that does not stop the run.
    case warning(String)
    /// A step's loss has arrived.
    case step(MetricRecord, total: Int)
    /// A checkpoint is on disk.
    case checkpoint(String)
    /// The model is written and names objects so well.
    case scored(ZeroShotScore)
  }

  private let configuration: CLIPTrainingConfiguration
  private let run: RunFolder
  /// Where the model lives.
  public let stream: ComputeStream
  private let data: CLIPTrainingData
  private let tokenizer: Tokenizer
  private let model: ContrastiveModel
  private let update: ParameterUpdate
  private let schedule: Schedule
  private let log: MetricLog
  private let onEvent: (Event) -> Void
  private let firstIteration: Int
  private var pending: (losses: PendingLosses, started: Double)?
  private var lastSettled = 0.0

  /// The folder of the finished model inside a run's.
  ///
  /// - Parameter run: The run's folder.
  /// - Returns: The path.
  public static func modelFolder(of run: String) -> String { "\(run)/clip" }

  /// The configuration that a run was started with.
  ///
  /// - Parameter run: The run's folder.
  /// - Returns: The configuration.
  /// - Throws: ``RunFolderError`` when there is no run; ``ConfigurationError``.
  public static func configuration(of run: String) throws -> CLIPTrainingConfiguration {
    let file = "\(run)/config.yaml"
    guard FileManager.default.fileExists(atPath: file) else {
      throw RunFolderError.missing(path: run)
    }
    return try CLIPTrainingConfiguration.load(file)
  }

  /// The score of the finished model.
  ///
  /// - Parameter run: The run's folder.
  /// - Returns: nil when the run is not finished or has no validation set.
  public static func score(of run: String) -> ZeroShotScore? {
    (try? JSONValue(contentsOf: "\(run)/zero_shot.json")).flatMap { ZeroShotScore($0) }
  }

  /// Prepares a run, from the start or from its newest checkpoint.
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
    configuration: CLIPTrainingConfiguration, run: RunFolder, context: Context,
    profiler: Profiler? = nil, resumes: Bool = false, onEvent: @escaping (Event) -> Void
  ) throws {
    try configuration.requirePaths()
    self.configuration = configuration
    self.run = run
    self.onEvent = onEvent
    data = try CLIPTrainingData(configuration)
    // The captions give the same vocabulary whenever the run goes on.
    let folder = Self.partialFolder(of: run.path)
    try? FileManager.default.removeItem(atPath: folder)
    try RunFolder.makeFolder(folder)
    let tokens = try Tokenizer.writeVocabulary(
      of: Array(Set(data.regions.pairs.map(\.caption))).sorted(), to: folder)
    tokenizer = try Tokenizer(folder: folder)
    stream = try ComputeStream(
      context: context, name: "clip",
      library: KernelLibrary(context: context, configuration: configuration.kernelChoices),
      profiler: profiler,
      activationType: try configuration.training.precision.activationType(on: context))
    model = try ContrastiveModel(
      ParameterStore(stream: stream, seed: UInt64(configuration.training.seed)),
      configuration: configuration.model.configuration(vocabulary: tokens))
    update = try ParameterUpdate(model.store, configuration.optimizer)
    schedule = Schedule(
      configuration.optimizer, iterations: configuration.training.iterations)
    onEvent(
      .note(
        "\(data.regions.pairs.count) captions of \(data.regions.images.count) images, \(tokens) "
          + "tokens, \(model.configuration.weightCount) weights"))
    var first = 0
    if resumes {
      guard let checkpoint = run.checkpoints.latest(warn: { onEvent(.warning($0)) })
      else { throw RunFolderError.noCheckpoint(path: run.path) }
      first = try ModelState.restore(
        checkpoint.path, store: model.store, update: update
      ).iteration
      onEvent(.note("resuming at iteration \(first) from \(checkpoint.path)"))
    }
    firstIteration = first
    log = try MetricLog(path: run.metricsPath, startingAt: first)
  }

  private static func partialFolder(of run: String) -> String { modelFolder(of: run) + ".partial" }

  /// Trains, writes the model and scores it.
  ///
  /// - Parameters:
  ///   - shouldStop: Asked before each step; true saves a checkpoint and stops.
  ///   - afterStep: Runs after each step, for the profiler.
  /// - Throws: ``TrainingError``, or what data, disk or device throw; the last checkpoint stays.
  public func train(
    shouldStop: () -> Bool = { false }, afterStep: (Int) throws -> Void = { _ in }
  ) throws {
    let total = configuration.training.iterations
    for iteration in firstIteration..<max(firstIteration, total) {
      if shouldStop() {
        try settle()
        try save(iteration)
        throw TrainingError.interrupted(iteration: iteration, run: run.path)
      }
      let started = Self.now()
      let losses = try step(iteration)
      try settle()
      pending = (losses, started)
      try afterStep(iteration)
      let done = iteration + 1
      if done % configuration.training.checkpointEvery == 0 || done == total {
        try settle()
        try save(done)
        try stream.library.storePrograms(whenEmpty: [stream.queue]) { onEvent(.note($0)) }
      }
    }
    try finish()
  }

  private func step(_ iteration: Int) throws -> PendingLosses {
    let batch = try stream.phase("data") {
      try data.batch(
        iteration, tokenizer: tokenizer, context: configuration.model.contextLength, on: stream
      ) { onEvent(.warning($0)) }
    }
    try update.begin()
    let loss = try stream.phase("encoders") {
      try model.loss(crops: batch.crops, ids: batch.ids, groups: batch.groups)
    }
    try stream.phase("backward") { try update.differentiate(loss) }
    let rate = Float(schedule.rate(at: iteration))
    let norm = try stream.phase("optimizer") {
      try update.apply(iteration: iteration, learningRate: rate)
    }
    update.clearGradients()
    return try PendingLosses(
      iteration: iteration, learningRate: rate, imageCount: configuration.training.batch,
      losses: ["loss_contrastive": loss], total: loss, gradientNorm: norm,
      lossScale: try update.currentLossScale(),
      measures: ["logit_scale": try model.logitScale.value.copied()])
  }

  /// Logs the step whose loss is still on its way.
  private func settle() throws {
    guard let (losses, started) = pending else { return }
    pending = nil
    var scalars = try losses.scalars()
    let scaled = LossScaling.settle(&scalars)
    let seconds = Self.now() - max(started, lastSettled)
    lastSettled = Self.now()
    let bad = scalars.notFinite
    guard bad.isEmpty else {
      throw TrainingError.notFinite(iteration: losses.iteration, names: bad, run: run.path)
    }
    let record = MetricRecord(
      iteration: losses.iteration,
      losses: scalars.losses,
      measures: scaled.merging(["temperature": exp(scalars.measures["logit_scale"] ?? 0)]) { $1 },
      learningRate: Double(losses.learningRate), gradientNorm: scalars.gradientNorm,
      imagesPerSecond: Double(losses.imageCount) / seconds, dataWaitShare: 0,
      memoryPeak: stream.queue.pool.total.peak, seconds: seconds)
    try log.append(record)
    onEvent(.step(record, total: configuration.training.iterations))
  }

  private func save(_ done: Int) throws {
    let checkpoint = try run.checkpoints.write(iteration: done) { folder in
      try ModelState.save(to: folder, store: model.store, update: update, iteration: done)
    }
    try run.checkpoints.prune(keeping: configuration.training.keepCheckpoints)
    onEvent(.checkpoint(checkpoint.path))
  }

  /// Writes the model beside its tokenizer, moves the folder into place and scores it.
  private func finish() throws {
    let (partial, folder) = (Self.partialFolder(of: run.path), Self.modelFolder(of: run.path))
    try model.write(to: partial)
    try? FileManager.default.removeItem(atPath: folder)
    guard rename(partial, folder) == 0 else {
      throw RunFolderError.system(
        path: folder, reason: "cannot be renamed: \(String(cString: strerror(errno)))")
    }
    onEvent(.note("model: \(folder)"))
    guard !configuration.data.validationAnnotations.isEmpty else { return }
    let score = try ZeroShotScore(folder: folder, data: configuration.data, on: stream)
    try AtomicFile.write(
      Data((score.json.text(pretty: true) + "\n").utf8), to: "\(run.path)/zero_shot.json")
    onEvent(.scored(score))
  }

  private static func now() -> Double { Double(Profiler.now()) / 1e9 }
}
