import CLIP
import Formats
import Foundation
import KernelLibrary
import Layers
import OpenCL
import Tensors

/// The training of a CLIP model on image-caption pairs, written as a Hugging Face folder at its end.
///
/// Source: Radford et al. 2021, sections 2.3 to 2.5, with the start values of the released code.
package final class CLIPTraining: TrainingJob {
  package static let command = "clip-train"

  package let plan: TrainingPlan
  /// Where the model lives.
  package let stream: ComputeStream
  private let configuration: CLIPTrainingConfiguration
  private let data: CLIPTrainingData
  private let tokenizer: Tokenizer
  private let model: ContrastiveModel
  private let update: ParameterUpdate
  private let files: [String: String]

  /// The folder of the finished model inside a run's.
  ///
  /// - Parameter run: The run's folder.
  package static func modelFolder(of run: String) -> String { "\(run)/clip" }

  private static func partialFolder(of run: String) -> String { modelFolder(of: run) + ".partial" }

  /// The score of the finished model.
  ///
  /// - Parameter run: The run's folder.
  /// - Returns: nil when the run is not finished or has no validation set.
  package static func score(of run: String) -> ZeroShotScore? {
    (try? JSONValue(contentsOf: "\(run)/zero_shot.json")).flatMap { ZeroShotScore($0) }
  }

  /// Reads data, makes the tokenizer and the model.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - run: The run's folder, which gets the tokenizer.
  ///   - context: The device.
  ///   - profiler: Records kernel times, or nil.
  ///   - onEvent: Gets notes and warnings.
  /// - Throws: `ConfigurationError`, `DatasetError`, `FormatError` or `OpenCLError`, each one line
  ///   about what is wrong.
  init(
    configuration: CLIPTrainingConfiguration, run: RunFolder, context: Context,
    profiler: Profiler?, onEvent: (TrainingEvent) -> Void
  ) throws {
    try configuration.requirePaths()
    self.configuration = configuration
    data = try Activity.during("reading captions") { try CLIPTrainingData(configuration) }
    files = DataState.digests(of: [("data.train_captions", configuration.data.trainCaptions)])
    // The captions give the same vocabulary whenever the run goes on.
    let folder = Self.partialFolder(of: run.path)
    try? FileManager.default.removeItem(atPath: folder)
    try RunFolder.makeFolder(folder)
    let tokens = try Tokenizer.writeVocabulary(
      of: Array(Set(data.regions.pairs.map(\.caption))).sorted(), to: folder)
    tokenizer = try Tokenizer(folder: folder)
    stream = try ComputeStream(
      context: context, name: "clip",
      library: KernelLibrary(
        context: context, configuration: configuration.kernelChoices,
        precision: configuration.training.precision,
        typical: CLIPTrainingConfiguration.typicalPrograms),
      profiler: profiler,
      activationType: try configuration.training.precision.activationType(on: context))
    model = try ContrastiveModel(
      ParameterStore(stream: stream, seed: UInt64(configuration.training.seed)),
      configuration: configuration.model.configuration(vocabulary: tokens))
    update = try ParameterUpdate(model.store, configuration.optimizer)
    let training = configuration.training
    plan = TrainingPlan(
      iterations: training.iterations, checkpointEvery: training.checkpointEvery,
      keepCheckpoints: training.keepCheckpoints,
      // Only the finished model is scored.
      evaluateEvery: configuration.data.validationAnnotations.isEmpty ? 0 : training.iterations,
      keepBest: "",
      schedule: Schedule(configuration.optimizer, iterations: training.iterations))
    onEvent(
      .note(
        "\(data.regions.pairs.count, "caption") of \(data.regions.images.count, "image"), "
          + "\(tokens) tokens, \(model.configuration.weightCount, "weight")"))
  }

  package var streams: [ComputeStream] { [stream] }

  package func step(
    _ iteration: Int, learningRate: Float, warn: (String) -> Void
  ) throws -> PendingLosses {
    let batch = try stream.phase("data") {
      try data.batch(
        iteration, tokenizer: tokenizer, context: configuration.model.contextLength, on: stream,
        warn: warn)
    }
    try update.begin()
    let loss = try stream.phase("encoders") {
      try model.loss(crops: batch.crops, ids: batch.ids, groups: batch.groups)
    }
    try stream.phase("backward") { try update.differentiate(loss) }
    let norm = try stream.phase("optimizer") {
      try update.apply(iteration: iteration, learningRate: learningRate)
    }
    update.clearGradients()
    return try PendingLosses(
      iteration: iteration, learningRate: learningRate,
      replicas: [
        ReplicaLosses(
          imageCount: configuration.training.batch, losses: ["loss_contrastive": loss],
          total: loss, measures: ["logit_scale": try model.logitScale.value.copied()])
      ], gradientNorm: norm, lossScale: try update.currentLossScale())
  }

  package func measures(of scalars: StepScalars) -> [String: Double] {
    ["temperature": exp(scalars.measures["logit_scale"] ?? 0)]
  }

  package func save(to folder: String?, iteration: Int) throws {
    guard let folder else { return }
    try ModelState.save(to: folder, store: model.store, update: update, iteration: iteration)
    try DataState(files: files).write(to: folder)
  }

  package func restore(_ folder: String, warn: (String) -> Void) throws -> Int {
    if let old = try DataState.read(from: folder) {
      for line in DataState(files: files).changes(since: old) { warn(line) }
    }
    return try ModelState.restore(folder, store: model.store, update: update).iteration
  }

  /// Writes the model beside its tokenizer and moves the folder into place.
  package func finish(in run: RunFolder, note: (String) -> Void) throws {
    let (partial, folder) = (Self.partialFolder(of: run.path), Self.modelFolder(of: run.path))
    try model.write(to: partial)
    try WholeFolder.replace(folder, by: partial, aside: folder + ".old")
    note("model: \(folder)")
  }

  package func evaluate(
    _ done: Int, in run: RunFolder?, progress: (Int, Int) throws -> Void, warn: (String) -> Void
  ) throws -> TrainingScore? {
    guard let run else { return nil }
    let score = try ZeroShotScore(
      folder: Self.modelFolder(of: run.path), data: configuration.data, on: stream,
      progress: progress)
    try AtomicFile.write(
      Data((score.json.text(pretty: true) + "\n").utf8), to: "\(run.path)/zero_shot.json")
    return .zeroShot(score)
  }
}

extension TrainingLoop where Job == CLIPTraining {
  /// Prepares the training of a CLIP model, from the start or from the run's newest checkpoint.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - run: The run's folder.
  ///   - context: The device.
  ///   - profiler: Records kernel times, or nil.
  ///   - onEvent: Gets what happens.
  /// - Throws: `ConfigurationError`, `DatasetError`, `CheckpointError`, ``RunFolderError``,
  ///   `FormatError` or `OpenCLError`, each one line about what is wrong.
  package convenience init(
    configuration: CLIPTrainingConfiguration, run: RunFolder, context: Context,
    profiler: Profiler? = nil, onEvent: @escaping (TrainingEvent) -> Void
  ) throws {
    let checkpoint = try run.newestCheckpoint { onEvent(.warning($0)) }
    try self.init(
      CLIPTraining(
        configuration: configuration, run: run, context: context, profiler: profiler,
        onEvent: onEvent),
      in: run, from: checkpoint, onEvent: onEvent)
  }
}
