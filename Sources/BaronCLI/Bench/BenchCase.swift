import OpenCL
import Tensors

/// One thing to time.
struct BenchCase {
  /// The name, equal to that of the PyTorch yardstick's case.
  let name: String
  /// Useful arithmetic of one call in 10^9 operations (a multiply-add is 2), or nil.
  let gflop: Double?
  /// Least traffic: every operand read once, every result written once; nil for whole models.
  let bytes: Double?
  /// Sizes, for the report.
  let shape: [(String, [Int])]
  /// Makes the operands; what it returns enqueues one call.
  let prepare: (ComputeStream) throws -> () throws -> Void

  /// All cases, in the order in which they run.
  static var all: [BenchCase] { matrixCases + convolutionCases }
}

/// Operands that look random and are the same in every run.
struct BenchValues {
  private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// A constant tensor of uniform values with a standard deviation of `scale`.
  mutating func tensor(_ shape: [Int], scale: Float = 1, on stream: ComputeStream) throws -> Tensor
  {
    let width = scale * 3.4641016
    let values = (0..<shape.reduce(1, *)).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Float(state >> 40) / Float(1 << 24) - 0.5) * width
    }
    return try Tensor(values, shape: shape, on: stream, label: "bench operand")
  }
}
