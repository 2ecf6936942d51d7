import OpenCL

extension Tensor {
  /// Probabilities over the last axis.
  ///
  /// Entries of -inf get 0; a row of nothing but -inf gives zeros.
  package func softmax() throws -> Tensor {
    let result = try softmaxPass("softmax_forward", operations: 25)
    return result.differentiable(from: [self], "softmax") { gradient in
      [try result.softmaxPass("softmax_backward", gradient, operations: 4)]
    }
  }

  /// Logarithms of the probabilities over the last axis.
  ///
  /// Entries of -inf stay -inf, even where the whole row is.
  package func logSoftmax() throws -> Tensor {
    let result = try softmaxPass("softmax_log_forward", operations: 25)
    return result.differentiable(from: [self], "logSoftmax") { gradient in
      [try result.softmaxPass("softmax_log_backward", gradient, operations: 25)]
    }
  }

  private func softmaxPass(
    _ name: String, _ gradient: Tensor? = nil, operations: Double
  ) throws -> Tensor {
    let (rows, channels) = rowsAndChannels
    let result = try Tensor(uninitialized: shape, on: stream, label: "softmax")
    guard count > 0 else { return result }
    let operands = gradient.map { [self, $0, result] } ?? [self, result]
    try stream.launchRows(
      try stream.library.kernel(name, in: "Softmax"), rows: rows,
      operands.map { .buffer($0.buffer) } + [.int(channels)],
      work: Work(
        operations: operations * Double(count), bytes: 4 * Double(operands.count * count)))
    return result
  }
}
