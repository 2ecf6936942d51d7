import Formats
import Foundation

/// How a parameter starts; random values are a pure function of (seed, parameter name).
package enum Initializer: Sendable, Equatable {
  /// One value everywhere.
  case constant(Float)
  /// Normal with mean 0.
  case normal(standardDeviation: Float)
  /// Uniform in [-bound, bound].
  case uniform(bound: Float)
  /// Uniform with bound sqrt(6 / (inputs + outputs)).
  case xavierUniform(inputs: Int, outputs: Int)
  /// Normal with standard deviation sqrt(2 / fan), for layers followed by ReLU.
  case kaimingNormal(fan: Int)
  /// Uniform with bound 1 / sqrt(inputs): what PyTorch gives linear and convolution layers.
  case torchDefault(inputs: Int)

  /// All zero.
  package static let zeros = Initializer.constant(0)

  /// The values of a parameter.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - seed: The run's seed.
  ///   - name: The parameter's name.
  /// - Returns: The values, equal for equal arguments on every machine.
  package func values(count: Int, seed: UInt64, name: String) -> [Float] {
    var random = CounterRandom(
      seed: seed, CounterRandom.key("initialisation"), CounterRandom.key(name))
    func uniform(_ bound: Float) -> [Float] {
      (0..<count).map { _ in Float(random.uniform(Double(-bound), Double(bound))) }
    }
    func normal(_ deviation: Float) -> [Float] {
      (0..<count).map { _ in
        // Box–Muller; 1 - u is never 0.
        let radius = (-2 * log(1 - random.uniform())).squareRoot()
        return deviation * Float(radius * cos(2 * .pi * random.uniform()))
      }
    }
    return switch self {
    case .constant(let value): [Float](repeating: value, count: count)
    case .normal(let deviation): normal(deviation)
    case .uniform(let bound): uniform(bound)
    case .xavierUniform(let inputs, let outputs):
      uniform((6 / Float(inputs + outputs)).squareRoot())
    case .kaimingNormal(let fan): normal((2 / Float(fan)).squareRoot())
    case .torchDefault(let inputs): uniform(1 / Float(inputs).squareRoot())
    }
  }
}
