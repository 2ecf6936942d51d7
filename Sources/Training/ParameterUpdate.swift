import Layers
import Tensors

/// How the parameters of a model follow their gradients, with the state that this needs.
public struct ParameterUpdate {
  /// How gradients are kept small.
  public enum Clipping: Sendable, Equatable {
    /// Not at all; the norm is still measured.
    case none
    /// By their global L2 norm.
    case norm(Float)
    /// Element by element.
    case value(Float)
  }

  /// How gradients change parameters.
  public enum Rule: Sendable, Equatable {
    /// Stochastic gradient descent; the factor of the momentum.
    case sgd(momentum: Float)
    /// Adam with decoupled weight decay; how much of the first and second moment stays.
    case adamW(Float, Float)
  }

  /// The parameters that change.
  public let parameters: [Parameter]
  /// Momentum (AdamW: first moment) by parameter name; part of a checkpoint.
  public let momentum: [String: Tensor]
  /// AdamW's second moment by parameter name; part of a checkpoint.
  public let secondMoment: [String: Tensor]
  private let rule: Rule
  private let clipping: Clipping
  private let weightDecay: Float

  /// Starts with moments of 0.
  ///
  /// - Parameters:
  ///   - store: The model; its trained parameters change.
  ///   - rule: How gradients change parameters.
  ///   - clipping: How gradients are kept small.
  ///   - weightDecay: Pull towards 0.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(_ store: ParameterStore, rule: Rule, clipping: Clipping, weightDecay: Float) throws {
    parameters = store.trained
    self.rule = rule
    self.clipping = clipping
    self.weightDecay = weightDecay
    func zeros(_ label: String) throws -> [String: Tensor] {
      var tensors: [String: Tensor] = [:]
      for parameter in store.trained {
        tensors[parameter.name] = try Tensor(
          repeating: 0, shape: parameter.value.shape, on: store.stream, label: label)
      }
      return tensors
    }
    momentum = try zeros("momentum")
    if case .adamW = rule {
      secondMoment = try zeros("second moment")
    } else {
      secondMoment = [:]
    }
  }

  /// Starts as a configuration says.
  ///
  /// - Parameters:
  ///   - store: The model; its trained parameters change.
  ///   - optimizer: The configuration's section.
  /// - Throws: `OpenCLError` when memory runs out.
  init(_ store: ParameterStore, _ optimizer: RunConfiguration.Optimizer) throws {
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
      clipping: clipping, weightDecay: Float(optimizer.weightDecay))
  }

  /// Forgets the gradients of the step before.
  public func clearGradients() {
    for parameter in parameters { parameter.value.node?.clearGradient() }
  }

  /// Changes every parameter that a gradient has reached.
  ///
  /// - Parameters:
  ///   - iteration: The step, counted from 0.
  ///   - learningRate: Its rate.
  /// - Returns: The L2 norm of all gradients before they were bounded, a scalar on the device.
  /// - Throws: `OpenCLError` when the device fails.
  public func apply(iteration: Int, learningRate: Float) throws -> Tensor {
    let reached = parameters.compactMap { parameter in
      parameter.gradient.map { (parameter: parameter, gradient: $0) }
    }
    let gradients = reached.map(\.gradient)
    let norm: Tensor
    switch clipping {
    case .none: norm = try Optimizers.clip(gradients: gradients, toNorm: .infinity)
    case .norm(let limit): norm = try Optimizers.clip(gradients: gradients, toNorm: limit)
    case .value(let limit):
      // First the norm: a limited gradient no longer tells that it was infinite.
      norm = try Optimizers.clip(gradients: gradients, toNorm: .infinity)
      try Optimizers.clip(gradients: gradients, toValue: limit)
    }
    for (parameter, gradient) in reached {
      try change(parameter, gradient, iteration: iteration, learningRate: learningRate)
    }
    return norm
  }

  private func change(
    _ parameter: Parameter, _ gradient: Tensor, iteration: Int, learningRate: Float
  ) throws {
    guard let momentum = momentum[parameter.name] else { return }
    switch rule {
    case .sgd(let factor):
      try Optimizers.sgd(
        parameter: parameter.value, gradient: gradient, momentum: momentum, rate: learningRate,
        momentumFactor: factor, weightDecay: weightDecay)
    case .adamW(let first, let second):
      guard let squares = secondMoment[parameter.name] else { return }
      try Optimizers.adamW(
        parameter: parameter.value, gradient: gradient, firstMoment: momentum,
        secondMoment: squares, step: iteration + 1, rate: learningRate, betas: (first, second),
        weightDecay: weightDecay)
    }
  }
}
