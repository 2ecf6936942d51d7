import Tensors

extension OperatorFamily {
  /// Steps of the optimizers.
  static var updates: OperatorFamily {
    func step(
      _ name: String, _ operators: [String], _ tolerance: Double,
      _ update: @escaping (Tensor, Tensor) throws -> Void,
      _ host: @escaping (Double, Double, [Double]) -> Double
    ) -> OperatorCheck {
      OperatorCheck(
        name: name, operators: operators, shapes: [[1000], [1000]], tolerance: tolerance,
        hasGradient: false,
        device: {
          let parameter = try $0[0].copied()
          try update(parameter, try $0[1].copied())
          return parameter
        }, host: { x in zip(x[0], x[1]).map { host($0, $1, x[1]) } })
    }
    let checks: [OperatorCheck] = [
      step(
        "SGD", ["sgd"], 1e-5,
        { parameter, gradient in
          try Optimizers.sgd(
            parameter: parameter, gradient: gradient,
            momentum: try Tensor(repeating: 0.5, shape: [1000], on: parameter.stream), rate: 0.1,
            momentumFactor: 0.9, weightDecay: 0.01)
        }, { p, g, _ in p - 0.1 * (0.45 + g + 0.01 * p) }),
      step(
        "AdamW", ["adamW"], 1e-5,
        { parameter, gradient in
          let stream = parameter.stream
          try Optimizers.adamW(
            parameter: parameter, gradient: gradient,
            firstMoment: try Tensor(repeating: 0, shape: [1000], on: stream),
            secondMoment: try Tensor(repeating: 0, shape: [1000], on: stream), step: 1, rate: 0.1,
            weightDecay: 0.01)
        }, { p, g, _ in p * (1 - 0.001) - 0.1 * g / (abs(g) + 1e-8) }),
      step(
        "gradient clipping", ["norm", "sgd"], 1e-4,
        { parameter, gradient in
          let factor = try Optimizers.norm(
            of: gradient, blocks: GradientBlocks([0..<1000], on: gradient.stream), limit: 2
          ).factor
          try Optimizers.sgd(
            parameter: parameter, gradient: gradient,
            momentum: try Tensor(repeating: 0, shape: [1000], on: parameter.stream),
            correction: GradientCorrection(factor: factor), rate: 1,
            momentumFactor: 0, weightDecay: 0)
        },
        { p, g, all in
          p - g * min(1, 2 / (all.reduce(0) { $0 + $1 * $1 }.squareRoot() + 1e-6))
        }),
    ]
    let cases: [BenchCase] = [
      BenchCase.elementwise("rows/sgd_momentum_41M", [41_000_000], passes: 5) { x, _ in
        let gradient = try Tensor(repeating: 1e-3, shape: x.shape, on: x.stream)
        let momentum = try Tensor(repeating: 0, shape: x.shape, on: x.stream)
        return {
          try Optimizers.sgd(
            parameter: x, gradient: gradient, momentum: momentum, rate: 1e-5, momentumFactor: 0.9,
            weightDecay: 1e-4)
        }
      },
      BenchCase.elementwise("ours/adamw_41M", [41_000_000], passes: 7) { x, _ in
        let gradient = try Tensor(repeating: 1e-3, shape: x.shape, on: x.stream)
        let moments = try (0..<2).map { _ in
          try Tensor(repeating: 0, shape: x.shape, on: x.stream)
        }
        return {
          try Optimizers.adamW(
            parameter: x, gradient: gradient, firstMoment: moments[0], secondMoment: moments[1],
            step: 1, rate: 1e-4, weightDecay: 1e-2)
        }
      },
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }
}
