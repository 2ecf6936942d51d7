import Formats
import Foundation
import Geometry
import OpenCL
import Tensors

/// One thing to time.
package struct BenchCase {
  /// The name, equal to that of the PyTorch yardstick's case.
  package let name: String
  /// Useful arithmetic of one call in 10^9 operations (a multiply-add is 2), or nil.
  let gflop: Double?
  /// Least traffic: every operand read once, every result written once; nil for whole models.
  let bytes: Double?
  /// Sizes, for the report.
  let shape: [(String, [Int])]
  /// Whether the operands are activations, which a stream may store in 16 bits; `bytes` counts
  /// float32.
  var ofActivations = false
  /// Whether it takes minutes on a CPU: only run there when it is named.
  var isLarge = false
  /// What differs from the yardstick's case of this name, or nil.
  var note: String?
  /// Makes the operands; what it returns enqueues one call.
  let prepare: (ComputeStream) throws -> () throws -> Void

  /// All cases, in the order in which they run.
  package static var all: [BenchCase] {
    matrixCases + convolutionCases + attentionCases + rowCases + detectionCases + contrastCases
      + encoderCases + detectorCases + ownCases + anchorCases + roofCases
  }

  /// The cases whose names match one of some shell patterns.
  ///
  /// - Parameters:
  ///   - patterns: Names or shell patterns.
  ///   - isGPU: Whether large cases match patterns too, and not only their names.
  /// - Returns: The cases in their order.
  package static func matching(_ patterns: [String], isGPU: Bool) -> [BenchCase] {
    all.filter { item in
      patterns.contains {
        item.isLarge && !isGPU ? $0 == item.name : fnmatch($0, item.name, 0) == 0
      }
    }
  }

  /// Least traffic with activations of a type.
  func bytes(with type: ElementType) -> Double? {
    bytes.map { ofActivations ? $0 * Double(type.bytes) / 4 : $0 }
  }
}

/// Runs a differentiable computation and its backward pass anew at each call.
///
/// - Parameters:
///   - leaves: The tensors that collect gradients.
///   - body: Gives a scalar.
/// - Returns: One call.
func forwardAndBackward(
  _ leaves: [Tensor], _ body: @escaping () throws -> Tensor
) -> () throws -> Void {
  {
    for leaf in leaves { leaf.node?.clearGradient() }
    try body().backward()
  }
}

/// Operands that look random and are the same in every run.
struct BenchValues {
  private var random = CounterRandom(seed: 0)

  /// A constant tensor of uniform values with a standard deviation of `scale`.
  mutating func tensor(_ shape: [Int], scale: Float = 1, on stream: ComputeStream) throws -> Tensor
  {
    let half = scale * 1.7320508
    let values = random.floats(shape.reduce(1, *), in: -half...half)
    return try Tensor(values, shape: shape, on: stream, label: "bench operand")
  }

  /// The same, stored as the stream stores activations.
  mutating func activation(_ shape: [Int], on stream: ComputeStream) throws -> Tensor {
    try tensor(shape, on: stream).asActivation()
  }

  /// A number in a range.
  mutating func number(in range: ClosedRange<Float>) -> Float {
    Float(random.uniform(Double(range.lowerBound), Double(range.upperBound)))
  }

  /// Whole numbers below a limit.
  mutating func integers(_ count: Int, below limit: Int) -> [Int32] {
    (0..<count).map { _ in min(Int32(limit - 1), Int32(number(in: 0...Float(limit)))) }
  }

  /// Boxes inside an image.
  mutating func boxes(
    _ count: Int, sides: ClosedRange<Float>, width: Float, height: Float
  ) -> [Box] {
    (0..<count).map { _ in
      let size = (width: number(in: sides), height: number(in: sides))
      let (x, y) = (number(in: 0...width - size.width), number(in: 0...height - size.height))
      return Box(x: x, y: y, width: size.width, height: size.height)
    }
  }
}
