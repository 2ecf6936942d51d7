import Formats
import OpenCL
import Tensors

/// One operator of the self-test: random inputs, the device's answer and the host's.
///
/// The gradient is checked along random directions: the device's gradient times a direction against
/// the central difference of the host's answer in double precision.
package struct OperatorCheck {
  /// What a check found.
  package struct Outcome {
    /// Largest difference, relative to the largest wanted value.
    package let error: Double
    /// What is allowed.
    package let tolerance: Double

    package var isGood: Bool { error <= tolerance }
  }

  package let name: String
  /// The names of the functions that it checks.
  package let operators: [String]
  /// Shapes of the random inputs.
  let shapes: [[Int]]
  /// Bounds of the random inputs.
  var range: ClosedRange<Float> = -1...1
  var tolerance = 1e-4
  /// Whether the operator has a gradient to its inputs.
  var hasGradient = true
  /// How many of the first inputs are activations, which may be stored in 16 bits; nil where the
  /// operator is for float32 alone.
  var activations: Int?
  let device: ([Tensor]) throws -> Tensor
  let host: ([[Double]]) -> [Double]

  /// All checks, in order.
  package static var all: [OperatorCheck] { OperatorFamily.all.flatMap(\.checks) }

  private static let directions = 3
  private static let step = 1e-5

  /// Whether the check says something about a storage of activations.
  package func applies(to type: ElementType) -> Bool { type == .float32 || activations != nil }

  /// Runs the check, with activations stored as the stream stores them.
  ///
  /// - Parameter stream: Where it runs.
  /// - Returns: What was found.
  package func run(on stream: ComputeStream) throws -> Outcome {
    var random = CounterRandom(seed: 17, CounterRandom.key(name))
    func values(_ count: Int, _ low: Float, _ high: Float) -> [Float] {
      (0..<count).map { _ in Float(random.uniform(Double(low), Double(high))) }
    }
    let inputs = shapes.map { values($0.reduce(1, *), range.lowerBound, range.upperBound) }
    // What 16-bit results may be off by: a few of their last places.
    let tolerance =
      switch stream.activationType {
      case .bfloat16: tolerance + 1.5e-2
      case .float16: tolerance + 2e-3
      default: tolerance
      }
    let tensors = try zip(inputs, shapes).enumerated().map { index, input in
      var tensor = try Tensor(input.0, shape: input.1, on: stream)
      if index < activations ?? 0 { tensor = try tensor.asActivation() }
      return hasGradient ? tensor.trained("input \(index)") : tensor
    }
    let exact = try tensors.map { try $0.floats().map(Double.init) }
    let result = try device(tensors)
    let got =
      result.elementType == .int32
      ? try result.integers().map(Double.init) : try result.floats().map(Double.init)
    var error = Self.difference(got, host(exact))
    guard hasGradient else { return Outcome(error: error, tolerance: tolerance) }
    let upstream = try Tensor(values(result.count, -1, 1), shape: result.shape, on: stream)
      .converted(to: result.elementType)
    let weights = try upstream.floats()
    try result.backward(from: upstream)
    for (index, tensor) in tensors.enumerated() {
      guard let gradient = try tensor.gradient?.floats() else {
        return Outcome(error: .infinity, tolerance: tolerance)
      }
      for _ in 0..<Self.directions {
        let direction = values(gradient.count, -1, 1).map(Double.init)
        func answer(_ sign: Double) -> [Double] {
          var moved = exact
          for place in direction.indices {
            moved[index][place] += sign * Self.step * direction[place]
          }
          return host(moved)
        }
        let change = zip(zip(answer(1), answer(-1)), weights).reduce(0.0) {
          $0 + ($1.0.0 - $1.0.1) * Double($1.1) / (2 * Self.step)
        }
        let along = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * $1.1 }
        let size = zip(gradient, direction).reduce(0.0) { $0 + abs(Double($1.0) * $1.1) }
        let apart = abs(along - change) / max(size, 1e-3)
        error = max(error, apart.isNaN ? .infinity : apart)
      }
    }
    return Outcome(error: error, tolerance: tolerance)
  }

  private static func difference(_ got: [Double], _ want: [Double]) -> Double {
    guard got.count == want.count else { return .infinity }
    let largest = want.reduce(1e-3) { max($0, abs($1)) }
    return zip(got, want).reduce(0) { worst, pair in
      let apart = pair.0 == pair.1 ? 0 : abs(pair.0 - pair.1) / largest
      return max(worst, apart.isNaN ? .infinity : apart)
    }
  }
}
