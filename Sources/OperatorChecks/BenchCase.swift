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
  package let gflop: Double?
  /// Least traffic: every operand read once, every result written once; nil for whole models.
  package let bytes: Double?
  /// Sizes, for the report.
  package let shape: [(String, [Int])]
  /// Whether the operands are activations, which a stream may store in 16 bits; `bytes` counts
  /// float32.
  package var ofActivations = false
  /// Whether it takes minutes on a CPU: only run there when it is named.
  package var isLarge = false
  /// What differs from the yardstick's case of this name, or nil.
  package var note: String?
  /// Makes the operands; what it returns enqueues one call.
  package let prepare: (ComputeStream) throws -> () throws -> Void

  package init(
    name: String, gflop: Double?, bytes: Double?, shape: [(String, [Int])],
    ofActivations: Bool = false, isLarge: Bool = false, note: String? = nil,
    prepare: @escaping (ComputeStream) throws -> () throws -> Void
  ) {
    self.name = name
    self.gflop = gflop
    self.bytes = bytes
    self.shape = shape
    self.ofActivations = ofActivations
    self.isLarge = isLarge
    self.note = note
    self.prepare = prepare
  }

  /// Least traffic with activations of a type.
  package func bytes(with type: ElementType) -> Double? {
    bytes.map { ofActivations ? $0 * Double(type.bytes) / 4 : $0 }
  }

  /// The same for an operator on activations.
  static func activations(
    _ name: String, _ shape: [Int], passes: Double, note: String? = nil,
    prepare: @escaping (Tensor, inout BenchValues) throws -> () throws -> Void
  ) -> BenchCase {
    var result = elementwise(name, shape, passes: passes, note: note) { x, values in
      try prepare(try x.asActivation(), &values)
    }
    result.ofActivations = true
    return result
  }

  /// A case that reads or writes `passes` tensors of one shape.
  static func elementwise(
    _ name: String, _ shape: [Int], passes: Double, note: String? = nil,
    prepare: @escaping (Tensor, inout BenchValues) throws -> () throws -> Void
  ) -> BenchCase {
    BenchCase(
      name: name, gflop: nil, bytes: 4 * passes * Double(shape.reduce(1, *)),
      shape: [("x", shape)], note: note
    ) { stream in
      var values = BenchValues()
      let x = try values.tensor(shape, on: stream)
      return try prepare(x, &values)
    }
  }
}

/// Runs a differentiable computation and its backward pass anew at each call.
///
/// - Parameters:
///   - leaves: The tensors that collect gradients.
///   - body: Gives a scalar.
/// - Returns: One call.
package func forwardAndBackward(
  _ leaves: [Tensor], _ body: @escaping () throws -> Tensor
) -> () throws -> Void {
  {
    for leaf in leaves { leaf.node?.clearGradient() }
    try body().backward()
  }
}

/// Operands that look random and are the same in every run.
package struct BenchValues {
  private var random = CounterRandom(seed: 0)

  /// Operands from their start.
  package init() {}

  /// A constant tensor of uniform values with a standard deviation of `scale`.
  package mutating func tensor(_ shape: [Int], scale: Float = 1, on stream: ComputeStream) throws
    -> Tensor
  {
    let half = scale * 1.7320508
    let values = random.floats(shape.reduce(1, *), in: -half...half)
    return try Tensor(values, shape: shape, on: stream, label: "bench operand")
  }

  /// The same, stored as the stream stores activations.
  package mutating func activation(_ shape: [Int], on stream: ComputeStream) throws -> Tensor {
    try tensor(shape, on: stream).asActivation()
  }

  /// A number in a range.
  package mutating func number(in range: ClosedRange<Float>) -> Float {
    Float(random.uniform(Double(range.lowerBound), Double(range.upperBound)))
  }

  /// Whole numbers below a limit.
  package mutating func integers(_ count: Int, below limit: Int) -> [Int32] {
    (0..<count).map { _ in min(Int32(limit - 1), Int32(number(in: 0...Float(limit)))) }
  }

  /// Boxes inside an image.
  package mutating func boxes(
    _ count: Int, sides: ClosedRange<Float>, width: Float, height: Float
  ) -> [Box] {
    (0..<count).map { _ in
      let size = (width: number(in: sides), height: number(in: sides))
      let (x, y) = (number(in: 0...width - size.width), number(in: 0...height - size.height))
      return Box(x: x, y: y, width: size.width, height: size.height)
    }
  }
}
