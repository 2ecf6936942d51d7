import Distribution
import Formats
import Layers
import Tensors

/// How the parameters of a model follow their gradients, with the state that this needs.
package struct ParameterUpdate {
  /// How gradients are kept small.
  package enum Clipping: Sendable, Equatable {
    /// Not at all; the norm is still measured.
    case none
    /// By their global L2 norm.
    case norm(Float)
    /// Element by element.
    case value(Float)
  }

  /// How gradients change parameters.
  package enum Rule: Sendable, Equatable {
    /// Stochastic gradient descent; the factor of the momentum.
    case sgd(momentum: Float)
    /// Adam with decoupled weight decay; how much of the first and second moment stays.
    case adamW(Float, Float)
  }

  /// Bytes of gradients that several processes exchange together (spec distributed 2).
  package static let bucketBytes = 25 << 20

  /// Momentum (AdamW: first moment) by parameter name; part of a checkpoint.
  package let momentum: [String: Tensor]
  /// AdamW's second moment by parameter name; part of a checkpoint.
  package let secondMoment: [String: Tensor]
  /// What losses are multiplied by and how many finite steps that has lasted, `[2]`.
  ///
  /// Part of a checkpoint; nil unless activations are float16.
  package let lossScale: Tensor?
  private let arena: ParameterArena
  private let moments: [Tensor]
  private let rule: Rule
  private let clipping: Clipping
  private let weightDecay: Float
  private let share: ReplicaShare
  /// Adds up the gradients of several processes; nil where there is one.
  private let exchange: GradientExchange?
  let buckets: GradientBuckets?
  private let step = StepGradients()
  private let blocks = BlockCache()

  /// What the replicas of a step have brought so far.
  private final class StepGradients {
    /// For each parameter whether a gradient of one of them has reached it.
    var reached: [Bool] = []
    /// The sum of their gradients where a process carries several of them; made once.
    var sum: Tensor?
    /// How many replicas of the process were differentiated.
    var count = 0
  }

  /// The blocks of the last step; most steps reach the same parameters.
  private final class BlockCache {
    var last: (ranges: [Range<Int>], blocks: GradientBlocks)?
  }

  /// Moves the trained parameters into an arena and starts with moments of 0.
  ///
  /// - Parameters:
  ///   - store: The model; its trained parameters change.
  ///   - rule: How gradients change parameters.
  ///   - clipping: How gradients are kept small.
  ///   - weightDecay: Pull towards 0.
  ///   - share: The replicas whose mean gradient counts, and those of this process.
  ///   - world: The processes that carry the others.
  ///   - bucketBytes: Bytes of gradients that are exchanged together.
  package init(
    _ store: ParameterStore, rule: Rule, clipping: Clipping, weightDecay: Float,
    share: ReplicaShare = .single, among world: any World = Alone(),
    bucketBytes: Int = Self.bucketBytes
  ) throws {
    self.share = share
    let arena = try ParameterArena(store.trained, on: store.stream)
    self.arena = arena
    exchange = world.size > 1 ? GradientExchange(world) : nil
    buckets = exchange.map { GradientBuckets(arena, $0, bytes: bucketBytes) }
    self.rule = rule
    self.clipping = clipping
    self.weightDecay = weightDecay
    let names = store.trained.map(\.name)
    let first = try arena.zeros(label: "momentum")
    momentum = Dictionary(uniqueKeysWithValues: zip(names, first.parts))
    if case .adamW = rule {
      let second = try arena.zeros(label: "second moment")
      secondMoment = Dictionary(uniqueKeysWithValues: zip(names, second.parts))
      moments = [first.arena, second.arena]
    } else {
      secondMoment = [:]
      moments = [first.arena]
    }
    lossScale =
      store.stream.activationType == .float16
      ? try Tensor([LossScaling.start, 0], shape: [2], on: store.stream, label: "loss scale")
      : nil
  }

  /// A checksum of all parameters, which is the same on all ranks while they work alike.
  ///
  /// - Parameter store: The model.
  /// - Throws: `OpenCLError`.
  static func checksum(of store: ParameterStore) throws -> UInt32 {
    let sums = try store.parameters.map { parameter in
      try parameter.value.floats().withUnsafeBytes { Checksum.crc32($0) }
    }
    return sums.withUnsafeBytes { Checksum.crc32($0) }
  }

  /// Starts as a configuration says.
  ///
  /// - Parameters:
  ///   - store: The model; its trained parameters change.
  ///   - optimizer: The configuration's section.
  ///   - share: The replicas whose mean gradient counts, and those of this process.
  ///   - world: The processes that carry the others.
  init(
    _ store: ParameterStore, _ optimizer: RunConfiguration.Optimizer, share: ReplicaShare = .single,
    among world: any World = Alone()
  ) throws {
    let limit = Float(optimizer.gradientLimit.limit)
    let momentum = Float(optimizer.momentum)
    let clipping: Clipping =
      switch optimizer.gradientLimit.kind {
      case .none: .none
      case .norm: .norm(limit)
      case .value: .value(limit)
      }
    try self.init(
      store,
      rule: optimizer.kind == .sgd
        ? .sgd(momentum: momentum) : .adamW(momentum, Float(optimizer.secondMomentum)),
      clipping: clipping, weightDecay: Float(optimizer.weightDecay), share: share,
      among: world)
  }

  /// Forgets the gradients of the step before and rounds the parameters for this one.
  package func begin() throws {
    clearGradients()
    step.reached = []
    step.count = 0
    try arena.round(to: arena.values.stream.activationType)
  }

  /// Forgets all gradients.
  package func clearGradients() {
    for parameter in arena.parameters { parameter.value.node?.clearGradient() }
  }

  /// Differentiates the loss of a replica, times the loss scale if there is one, by the number of
  /// replicas: the gradient of a step is the mean over them.
  ///
  /// - Parameter loss: A scalar.
  package func differentiate(_ loss: Tensor) throws {
    var start = try currentLossScale()
    if share.count > 1 {
      let part = 1 / Float(share.count)
      start =
        try start?.scaled(by: part)
        ?? Tensor(repeating: part, shape: loss.shape, on: loss.stream, label: "gradient")
    }
    step.count += 1
    let isLast = step.count == share.own.count
    if isLast, let buckets {
      try buckets.prepare(addingTo: share.own.count > 1 ? step.sum : nil)
      loss.stream.gradientObserver = buckets
    }
    defer { loss.stream.gradientObserver = nil }
    if let start { try loss.backward(from: start) } else { try loss.backward() }
    if share.count > 1 { try collect(isExchanged: isLast && buckets != nil) }
  }

  /// Takes what a replica has brought into the sum of the step.
  ///
  /// - Parameter isExchanged: Whether the buckets have done so already.
  private func collect(isExchanged: Bool) throws {
    if !isExchanged { try arena.clearUnreached() }
    let isFirst = step.reached.isEmpty
    let reached = arena.reached
    step.reached = isFirst ? reached : zip(step.reached, reached).map { $0 || $1 }
    guard share.own.count > 1 else { return }
    let sum = try step.sum ?? arena.zeros(label: "sum of gradients").arena
    step.sum = sum
    if isFirst {
      try sum.copy(from: arena.gradients)
    } else if !isExchanged {
      try sum.add(arena.gradients)
    }
    clearGradients()
  }

  /// A copy of what losses are multiplied by now, a scalar; nil when they are not scaled.
  package func currentLossScale() throws -> Tensor? {
    try lossScale?.sliced(axis: 0, 0..<1).reshaped([])
  }

  /// Changes every parameter that a gradient of any replica has reached.
  ///
  /// - Parameters:
  ///   - iteration: The step, counted from 0.
  ///   - learningRate: Its rate.
  /// - Returns: The L2 norm of all gradients before they were bounded, a scalar on the device. With
  ///   a loss scale it may be infinite or NaN; then nothing has changed.
  package func apply(iteration: Int, learningRate: Float) throws -> Tensor {
    try exchange?.unite(&step.reached, iteration: iteration)
    let gradients = try buckets?.finish() ?? step.sum ?? arena.gradients
    let reached = arena.runs(of: share.count > 1 ? step.reached : arena.reached)
    let blocks: GradientBlocks
    if let last = self.blocks.last, last.ranges == reached.each {
      blocks = last.blocks
    } else {
      blocks = try GradientBlocks(reached.each, on: arena.values.stream)
      self.blocks.last = (reached.each, blocks)
    }
    var (most, limit) = (Float.infinity, Float.infinity)
    switch clipping {
    case .none: break
    case .norm(let norm): most = norm
    case .value(let value): limit = value
    }
    let (norm, factor) = try Optimizers.norm(
      of: gradients, blocks: blocks, limit: most, scaling: lossScale,
      patience: LossScaling.patience)
    let correction = GradientCorrection(factor: factor, limit: limit)
    for run in reached.runs {
      switch rule {
      case .sgd(let momentum):
        try Optimizers.sgd(
          parameter: arena.values, gradient: gradients, momentum: moments[0], range: run,
          correction: correction, rate: learningRate, momentumFactor: momentum,
          weightDecay: weightDecay)
      case .adamW(let first, let second):
        try Optimizers.adamW(
          parameter: arena.values, gradient: gradients, firstMoment: moments[0],
          secondMoment: moments[1], range: run, correction: correction, step: iteration + 1,
          rate: learningRate, betas: (first, second), weightDecay: weightDecay)
      }
    }
    arena.forgetRounded()
    return norm
  }
}
