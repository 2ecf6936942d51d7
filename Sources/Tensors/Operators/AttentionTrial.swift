import Formats
import Foundation
import OpenCL

extension AttentionCores {
  /// The largest error that is no fault, beside the largest number of a result.
  var tolerance: Double {
    switch format {
    case "bf16": 4e-2
    case "f16": 5e-3
    case "tf32": 1e-2
    default: 2e-5
    }
  }

  /// Compiles and runs a small attention with edges and compares it with the host.
  ///
  /// - Parameters:
  ///   - stream: Where to run.
  ///   - limit: The largest error that is no fault; nil takes ``tolerance``.
  /// - Returns: What is wrong, in one line; nil when nothing is.
  func fault(on stream: ComputeStream, within limit: Double? = nil) -> String? {
    do {
      let error = try stream.withoutGradients { try worstError(on: stream) }
      // Written so that NaN is a fault.
      guard error <= limit ?? tolerance else {
        return "the device computes it wrong, by \(error) of its results; update its driver"
      }
      return nil
    } catch {
      return TrialFault.line(error)
    }
  }

  private func worstError(on stream: ComputeStream) throws -> Double {
    let (length, headWidth) = (37, 64)
    let sizes = AttentionSizes(
      batch: 1, length: length, heads: 1, headWidth: headWidth, causal: true, maskIsShared: true,
      elementType: elementType)
    var random = CounterRandom(seed: 1)
    func operand(_ columns: Int) throws -> Tensor {
      try Tensor(
        random.floats(length * columns), shape: [length, columns], on: stream,
        label: "attention trial"
      ).converted(to: elementType)
    }
    let (input, gradient) = (try operand(3 * headWidth), try operand(headWidth))
    let output = try Tensor(like: gradient, label: "attention trial")
    let inputGradient = try Tensor(like: input, label: "attention trial")
    let sums = try (0..<2).map { _ in
      try Tensor(uninitialized: [length], on: stream, label: "attention trial")
    }
    func arguments(_ tensors: [Tensor]) -> [KernelArgument] {
      var all = tensors.map { KernelArgument.buffer($0.buffer) }
      all.insert(.null, at: 1)
      return all
    }
    try forward(arguments([input, output, sums[0]]), sizes: sizes, on: stream)
    try backward(
      query: arguments([input, output, gradient, sums[0], sums[1], inputGradient]),
      key: arguments([input, gradient, sums[0], sums[1], inputGradient]), sizes: sizes, on: stream)
    let wanted = HostAttention(
      try input.floats().map(Double.init), gradient: try gradient.floats().map(Double.init),
      length: length, width: headWidth)
    var worst = 0.0
    for (got, want) in [(output, wanted.output), (inputGradient, wanted.inputGradient)] {
      let largest = want.reduce(0) { max($0, abs($1)) }
      for (got, want) in zip(try got.floats(), want) {
        let error = abs(Double(got) - want) / largest
        if !(error <= worst) { worst = error }
      }
    }
    return worst
  }
}

/// Causal attention of one head and its gradient in float64.
private struct HostAttention {
  var output: [Double]
  var inputGradient: [Double]

  init(_ qkv: [Double], gradient: [Double], length: Int, width: Int) {
    var output = [Double](repeating: 0, count: length * width)
    var inputGradient = [Double](repeating: 0, count: 3 * length * width)
    let scale = 1 / Double(width).squareRoot()
    func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int) -> Double {
      (0..<width).reduce(0) { $0 + a[i + $1] * b[j + $1] }
    }
    for i in 0..<length {
      let (query, row) = (3 * width * i, width * i)
      let keys = (0...i).map { 3 * width * $0 + width }
      let powers = keys.map { exp(dot(qkv, query, qkv, $0) * scale) }
      let sum = powers.reduce(0, +)
      let slopes = keys.map { dot(gradient, row, qkv, $0 + width) }
      let mean = zip(powers, slopes).reduce(0) { $0 + $1.0 * $1.1 } / sum
      for (j, key) in keys.enumerated() {
        let weight = powers[j] / sum
        let slope = weight * (slopes[j] - mean) * scale
        for c in 0..<width {
          output[row + c] += weight * qkv[key + width + c]
          inputGradient[query + c] += slope * qkv[key + c]
          inputGradient[key + c] += slope * qkv[query + c]
          inputGradient[key + width + c] += weight * gradient[row + c]
        }
      }
    }
    self.output = output
    self.inputGradient = inputGradient
  }
}
