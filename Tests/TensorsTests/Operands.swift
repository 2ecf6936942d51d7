import Tensors
import TestSupport

/// A trained tensor of random values, and the values.
struct Operand {
  let values: [Double]
  let tensor: Tensor

  init(
    _ shape: [Int], seed: UInt64, in range: ClosedRange<Float> = -1...1, on stream: ComputeStream
  ) throws {
    let floats = randomFloats(shape.reduce(1, *), seed: seed, in: range)
    values = floats.map(Double.init)
    tensor = try Tensor(floats, shape: shape, on: stream).trained("operand \(seed)")
  }
}

/// Differentiates sum(result * gradient) for a random gradient.
///
/// - Returns: The gradient's values.
func backward(_ result: Tensor, seed: UInt64) throws -> [Double] {
  let floats = randomFloats(result.count, seed: seed)
  try result.backward(from: try Tensor(floats, shape: result.shape, on: result.stream))
  return floats.map(Double.init)
}

extension Fixture {
  /// A trained tensor, rank-4 ones as NHWC.
  func trained(
    _ key: String, on stream: ComputeStream, channelsLast turned: Bool = true
  ) throws -> Tensor {
    try tensor(key, on: stream, channelsLast: turned).trained(key)
  }
}
