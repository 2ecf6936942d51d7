import Distribution
import Evaluation
import Formats
import Tensors

/// What a ``TrainingLoop`` drives: a model with its data, a step at a time.
package protocol TrainingJob: AnyObject {
  /// How long the run is and what it writes when.
  var plan: TrainingPlan { get }
  /// Where it computes; their kernels are of one library.
  var streams: [ComputeStream] { get }
  /// The replicas of the run and of this process.
  var share: ReplicaShare { get }
  /// The processes that train together.
  var world: any World { get }
  /// The command that trains, `train` for example.
  static var command: String { get }

  /// Begins to load data; ``stop()`` ends that.
  func start(at iteration: Int) throws
  /// Runs one step, whose losses are still on their way when this returns.
  func step(
    _ iteration: Int, learningRate: Float, warn: (String) -> Void
  ) throws -> PendingLosses
  func stop()
  /// What a log line holds besides losses and counts, from the scalars of a step.
  func measures(of scalars: StepScalars) -> [String: Double]

  /// Writes into an empty folder what another process needs to go on bit for bit; on ranks other than
  /// 0 the folder is nil.
  func save(to folder: String?, iteration: Int) throws
  /// Reads that back and gives the next iteration.
  func restore(_ folder: String, warn: (String) -> Void) throws -> Int

  /// Writes what the run is for, once the last step is done; doing it twice does no harm.
  func finish(in run: RunFolder, note: (String) -> Void) throws
  /// Scores the model as it is now; `progress` gets how much of it is done and may stop it. Ranks
  /// other than 0 have no folder and get no score.
  func evaluate(
    _ done: Int, in run: RunFolder?, progress: (_ done: Int, _ of: Int) throws -> Void,
    warn: (String) -> Void
  ) throws -> TrainingScore?
}

extension TrainingJob {
  package var share: ReplicaShare { .single }
  package var world: any World { Alone() }
  package func start(at iteration: Int) throws {}
  package func stop() {}
  package func measures(of scalars: StepScalars) -> [String: Double] { [:] }
  package func finish(in run: RunFolder, note: (String) -> Void) throws {}
}

/// How long a run is and what it writes when.
package struct TrainingPlan {
  package let iterations: Int
  let checkpointEvery: Int
  let keepCheckpoints: Int
  /// 0 for no evaluation at all.
  let evaluateEvery: Int
  /// The measure whose best checkpoint is kept, empty for none.
  let keepBest: String
  let schedule: Schedule

  /// Whether a checkpoint is due after so many iterations.
  func saves(after done: Int) -> Bool { done % checkpointEvery == 0 || done == iterations }

  /// Whether an evaluation is due after so many iterations.
  func evaluates(after done: Int) -> Bool {
    evaluateEvery > 0 && (done % evaluateEvery == 0 || done == iterations)
  }
}

/// What an evaluation found.
package enum TrainingScore {
  case detection(EvaluationSummary)
  case zeroShot(ZeroShotScore)

  /// All numbers.
  package var json: JSONValue {
    switch self {
    case .detection(let summary): summary.json
    case .zeroShot(let score): score.json
    }
  }
}

/// What happens while training.
package enum TrainingEvent {
  /// A line about the run.
  case note(String)
  /// Something odd that does not stop the run.
  case warning(String)
  /// The next step is this one.
  case starting(at: Int)
  /// A step's losses have arrived.
  case step(MetricRecord)
  /// A checkpoint is on disk.
  case checkpoint(String, iteration: Int)
  /// How much of an evaluation is done.
  case validating(Int, of: Int)
  /// The model is scored.
  case validated(TrainingScore, iteration: Int)
}
