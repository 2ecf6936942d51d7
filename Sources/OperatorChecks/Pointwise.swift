import Foundation
import OpenCL
import Tensors

extension OperatorFamily {
  /// Operators on each element.
  static var pointwise: OperatorFamily {
    let shape = [7, 43]
    func each(
      _ name: String, _ operators: [String], _ device: @escaping (Tensor) throws -> Tensor,
      _ host: @escaping (Double) -> Double
    ) -> OperatorCheck {
      OperatorCheck(
        name: name, operators: operators, shapes: [shape], range: -3...3, activations: 1,
        device: { try device($0[0]) }, host: { $0[0].map(host) })
    }
    let checks: [OperatorCheck] = [
      each("ReLU", ["relu"], { try $0.relu() }, { max($0, 0) }),
      each(
        "QuickGELU", ["quickGELU"], { try $0.quickGELU() },
        { $0 * HostReference.sigmoid(1.702 * $0) }),
      each("GELU", ["gelu"], { try $0.gelu() }, HostReference.gelu),
      each("sigmoid", ["sigmoid"], { try $0.sigmoid() }, HostReference.sigmoid),
      each("storage of activations", ["asActivation"], { try $0.asActivation() }, { $0 }),
      rounding(to: .bfloat16) { value in
        // To the nearest, ties to even.
        let bits = value.bitPattern
        return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
      },
      rounding(to: .float16) { Float(Float16($0)) },
      OperatorCheck(
        name: "scale by an exponential", operators: ["scaled"], shapes: [shape, []],
        device: { try $0[0].scaled(byExponentialOf: $0[1]) },
        host: { x in x[0].map { exp(x[1][0]) * $0 } }),
      OperatorCheck(
        name: "sum and product", operators: ["multiplied", "adding", "subtracting"],
        shapes: [shape, shape],
        activations: 2,
        device: { try $0[0].multiplied(by: $0[1]).adding($0[0]).subtracting($0[1]) },
        host: { x in zip(x[0], x[1]).map { $0 * $1 + $0 - $1 } }),
      OperatorCheck(
        name: "sum in place", operators: ["add"], shapes: [shape, shape], hasGradient: false,
        activations: 2,
        device: {
          let sum = try $0[0].copied()
          try sum.add($0[1])
          return sum
        }, host: { x in zip(x[0], x[1]).map { $0 + $1 } }),
      OperatorCheck(
        name: "sum with a row", operators: ["addingRow"], shapes: [shape, [shape[1]]],
        activations: 1, device: { try $0[0].addingRow($0[1]) },
        host: { x in x[0].enumerated().map { $1 + x[1][$0 % shape[1]] } }),
    ]
    let cases: [BenchCase] = [
      BenchCase.activations("rows/quick_gelu_1600x3072", [1600, 3072], passes: 2) { x, _ in
        { _ = try x.quickGELU() }
      },
      BenchCase.activations("rows/gelu_1600x3072", [1600, 3072], passes: 2) { x, _ in
        { _ = try x.gelu() }
      },
      BenchCase.elementwise("ours/scale_exponential_1600x512", [1600, 512], passes: 4) {
        x, values in
        let exponent = try Tensor([2.66], shape: [], on: x.stream).trained("exponent")
        let leaf = x.trained("features")
        return forwardAndBackward([leaf, exponent]) {
          try leaf.scaled(byExponentialOf: exponent).sum()
        }
      },
      // A thousand kernels of one element: what the host and the driver take for a launch.
      BenchCase.elementwise("ours/launches_1000", [1], passes: 2000) { x, _ in
        { for _ in 0..<500 { _ = try x.scaled(by: 2).adding(x) } }
      },
    ]
    return OperatorFamily(checks: checks, cases: cases)
  }

  /// Rounding to 16 bits, which must be exact.
  private static func rounding(
    to type: ElementType, _ host: @escaping (Float) -> Float
  ) -> OperatorCheck {
    OperatorCheck(
      name: "rounding to \(type.rawValue)", operators: ["converted", "round"], shapes: [[7, 43]],
      tolerance: 0, hasGradient: false,
      device: { try $0[0].converted(to: type).converted(to: .float32) },
      host: { $0[0].map { Double(host(Float($0))) } })
  }
}
