internal import Annotations
internal import Formats
internal import Training

/// A training run: its folder with configuration, checkpoints, measures and scores.
public struct TrainingRun: Sendable {
  /// A step of a training.
  public struct Step: Sendable, Equatable {
    /// The iteration, counted from 0.
    public let iteration: Int
    /// Weighted losses by name.
    public let losses: [String: Double]
    /// The learning rate.
    public let learningRate: Double
    /// The time of the step in seconds.
    public let seconds: Double

    /// The sum of all losses.
    public var loss: Double { losses.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value } }

    init(_ record: MetricRecord) {
      iteration = record.iteration
      losses = record.losses
      learningRate = record.learningRate
      seconds = record.seconds
    }
  }

  /// What a training tells while it goes on.
  public enum Event: Sendable {
    /// A step is done.
    case step(Step)
    /// A checkpoint of so many iterations is on disk, in this folder.
    case checkpoint(String, iteration: Int)
    /// A line about the run.
    case note(String)
    /// A line about something odd that does not stop it.
    case warning(String)
  }

  /// The run's folder.
  public let path: String

  /// Takes up a run that is there.
  ///
  /// - Parameter path: The run's name below `runs`, or its folder.
  /// - Throws: ``BaronError`` when there is no run.
  public init(_ path: String) throws(BaronError) {
    let folder = RunFolder.path(for: path)
    try BaronError.wrapping { _ = try RunFolder.configuration(of: folder) }
    self.path = folder
  }

  /// Trains a detector until its last iteration.
  ///
  /// - Parameters:
  ///   - configuration: A preset's name or a YAML file.
  ///   - path: The run's name below `runs`, or its new folder.
  ///   - settings: Changes of the configuration, each `section.key=value`.
  ///   - device: Index, type (`gpu`, `cpu`) or part of the name of the OpenCL device; nil takes the
  ///     first GPU, else the first device.
  ///   - onEvent: Gets what happens.
  ///   - shouldStop: Asked before each step; true saves a checkpoint and throws.
  /// - Returns: The run.
  /// - Throws: ``BaronError`` for a configuration or data that do not fit, a run that exists, a device
  ///   that fails, or a training that was stopped.
  public static func train(
    _ configuration: String, in path: String, settings: [String] = [], device: String? = nil,
    onEvent: @escaping (Event) -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws(BaronError) -> TrainingRun {
    try BaronError.wrapping {
      let configuration = try RunConfiguration.load(configuration, overrides: settings)
      let context = try Compute.context(on: device) { onEvent(.warning($0)) }
      let run = try RunFolder.create(
        at: RunFolder.path(for: path), yaml: configuration.yaml(),
        note: { onEvent(.warning($0)) })
      try TrainingLoop<DetectorTraining>(configuration: configuration, run: run, context: context) {
        if let event = Event($0) { onEvent(event) }
      }.train(shouldStop: shouldStop)
    }
    return try TrainingRun(path)
  }

  /// The iterations that the newest whole checkpoint has seen; nil without one.
  public var iterations: Int? {
    CheckpointFolders(path: "\(path)/checkpoints").all { _ in }.last?.iteration
  }

  /// The names of the classes of the run's data by ascending id.
  ///
  /// - Throws: ``BaronError`` when they cannot be read.
  public func classNames() throws(BaronError) -> [String] {
    try BaronError.wrapping { try ModelLocation(run: path) { _ in }.classNames() }
  }

  /// The steps so far.
  ///
  /// - Throws: ``BaronError`` when the file is damaged.
  public func steps() throws(BaronError) -> [Step] {
    try BaronError.wrapping {
      try MetricLog.records(in: "\(path)/metrics.jsonl").map { Step($0) }
    }
  }

  /// The best evaluation so far by a measure.
  ///
  /// - Parameter measure: `AP50` for all classes, `novel.AP50` for those of a group.
  /// - Returns: After how many iterations it was, and the number in 0...1; nil without one.
  public func best(_ measure: String) -> (iterations: Int, value: Double)? {
    RunScores(folder: "\(path)/scores").best(by: measure).map { ($0.iteration, $0.value) }
  }
}

extension TrainingRun.Event {
  /// Progress of evaluations has no event of its own.
  fileprivate init?(_ event: TrainingEvent) {
    switch event {
    case .step(let record): self = .step(TrainingRun.Step(record))
    case .checkpoint(let path, let iteration): self = .checkpoint(path, iteration: iteration)
    case .note(let line): self = .note(line)
    case .warning(let line): self = .warning(line)
    case .starting, .validating, .validated: return nil
    }
  }
}
