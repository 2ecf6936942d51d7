import OpenCL

/// What losses share.
extension Tensor {
  /// The sum of row losses in a fixed order, a constant scalar.
  package func total() throws -> Tensor {
    let result = try Tensor(uninitialized: [], on: stream, label: "loss")
    try stream.launchRows(
      try stream.library.kernel("cross_entropy_total_forward", in: "CrossEntropy"), rows: 1,
      [.buffer(buffer), .buffer(result.buffer), .int(count)],
      work: Work(operations: Double(count), bytes: 4 * Double(count)))
    return result
  }

  /// Elements of a block of an element-wise loss, `BLOCK` of `CrossEntropy.cl` and `BoxLoss.cl`.
  package static let lossBlock = 4096
}
