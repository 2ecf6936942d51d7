import Loading
import Settings
import Tensors

extension Precision: SettingsChoice {}

extension RunConfiguration {
  /// How weights are changed (spec training 4.2).
  package struct Optimizer: Sendable, Equatable {
    /// The method.
    package enum Kind: String, Sendable, CaseIterable, SettingsChoice {
      /// Stochastic gradient descent with momentum.
      case sgd
      /// Adam with decoupled weight decay.
      case adamw
    }

    /// How the rate falls after warm-up.
    package enum Decay: String, Sendable, CaseIterable, SettingsChoice {
      /// By ``factor`` at each of the ``milestones``.
      case steps
      /// Along half a cosine, to 0 after the last iteration.
      case cosine
    }

    /// The method.
    package var kind = Kind.sgd
    /// The learning rate after warm-up.
    package var rate = 0.04
    /// The detection images of a step, over all replicas, that ``rate`` and the lengths of the
    /// schedule are meant for; 0 when they are meant for any.
    ///
    /// Another batch changes nothing by itself: see ``RunConfiguration/scaledToBatch()``.
    package var referenceBatch = 32
    /// Share of the last change that is added to the next; of AdamW the first factor.
    package var momentum = 0.9
    /// AdamW's second factor: how much of the mean square of gradients stays.
    package var secondMomentum = 0.999
    /// Share of a weight that is added to its gradient.
    package var weightDecay = 2.5e-5
    /// Iterations until the full rate.
    package var warmupIterations = 1000
    /// Share of the rate at iteration 0.
    package var warmupFactor = 0.001
    /// How the rate falls after warm-up.
    package var decay = Decay.steps
    /// Iterations, counted from 0, from which the rate is multiplied by ``factor``.
    package var milestones = [60_000, 80_000]
    /// What the rate is multiplied by at each milestone.
    package var factor = 0.1
    /// The bound of gradients.
    package var gradientLimit = GradientLimit()

    /// Creates the published optimizer.
    package init() {}
  }

  /// The bound of gradients.
  package struct GradientLimit: Sendable, Equatable {
    /// What is bounded.
    package enum Kind: String, Sendable, CaseIterable, SettingsChoice {
      /// Nothing.
      case none
      /// The length of all gradients together, by scaling them (L2).
      case norm
      /// Each value, by clipping it.
      case value
    }

    /// What is bounded.
    package var kind = Kind.none
    /// The bound; unused with kind `none`.
    package var limit = 35.0

    /// Creates a limit that bounds nothing.
    package init() {}
  }

  /// How long a run is and what it writes.
  package struct Training: Sendable, Equatable {
    /// Steps of the run.
    package var iterations = 90_000
    /// Batches of a step whose mean gradient counts, each with images, queues and losses of its own;
    /// a process carries several one after the other, and 0 takes one a process.
    package var replicas = 0
    /// Images of a step and replica that train the detector.
    package var detectionBatch = 2
    /// Images of a step and replica that are aligned with the teacher.
    package var alignmentBatch = 2
    /// Images of a step and replica that are aligned with their captions.
    package var captionBatch = 2
    /// How activations and their gradients are stored, also when the run's model is used.
    package var precision = Precision.automatic
    /// What all random choices follow from.
    package var seed = 0
    /// Iterations between checkpoints; the last iteration always has one.
    package var checkpointEvery = 5000
    /// Checkpoints kept, the newest ones.
    package var keepCheckpoints = 2
    /// The measure whose best checkpoint is kept beside the newest ones, `novel.AP50` or `AP50` for
    /// example; empty for none.
    package var keepBest = ""
    /// Iterations between evaluations; 0 for none.
    package var evaluateEvery = 10_000
    /// Iterations between log lines.
    package var logEvery = 50
    /// Whether the run's folder gets event files for TensorBoard, with every ``logEvery``-th step.
    package var tensorboard = true

    /// Creates the published schedule.
    package init() {}

    /// Images of a step and replica of a stream.
    func batch(of stream: ImageStream) -> Int {
      switch stream {
      case .detection: detectionBatch
      case .alignment: alignmentBatch
      case .captions: captionBatch
      }
    }

    /// The key of a stream's images.
    func batchKey(of stream: ImageStream) -> String {
      switch stream {
      case .detection: "detection_batch"
      case .alignment: "alignment_batch"
      case .captions: "caption_batch"
      }
    }
  }
}

extension RunConfiguration.Optimizer: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("rate", &rate, .positive)
    try keys.field("reference_batch", &referenceBatch, .atLeast(0))
    try keys.field("momentum", &momentum, .number(0...1))
    try keys.field("second_momentum", &secondMomentum, .number(0...1))
    try keys.field("weight_decay", &weightDecay, .number(0...1))
    try keys.field("warmup_iterations", &warmupIterations, .atLeast(0))
    try keys.field("warmup_factor", &warmupFactor, .number(0...1))
    try keys.field("decay", &decay)
    try keys.field("milestones", &milestones, .list(atLeast: 0, .atLeast(1)))
    try keys.field("factor", &factor, .number(0...1))
    try keys.section("gradient_limit", &gradientLimit)
  }
}

extension RunConfiguration.GradientLimit: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("kind", &kind)
    try keys.field("limit", &limit, .positive)
  }
}

extension RunConfiguration.Training: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("iterations", &iterations, .atLeast(1))
    try keys.field("replicas", &replicas, .whole(0...4096))
    try keys.field("detection_batch", &detectionBatch, .whole(1...4096))
    try keys.field("alignment_batch", &alignmentBatch, .whole(0...4096))
    try keys.field("caption_batch", &captionBatch, .whole(0...4096))
    try keys.field("precision", &precision)
    try keys.field("seed", &seed, .seed)
    try keys.field("checkpoint_every", &checkpointEvery, .atLeast(1))
    try keys.field("keep_checkpoints", &keepCheckpoints, .atLeast(1))
    try keys.field(
      "keep_best", &keepBest, ValueRule("the name of a measure, AP50 or novel.AP50") { _ in true })
    try keys.field("evaluate_every", &evaluateEvery, .atLeast(0))
    try keys.field("log_every", &logEvery, .atLeast(1))
    try keys.field("tensorboard", &tensorboard)
  }
}
