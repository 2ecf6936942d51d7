import Tensors

/// Embeddings in host memory, one a row.
package struct EmbeddingMatrix: Sendable, Equatable {
  /// The numbers, row by row.
  package let values: [Float]
  /// The length of a row.
  package let width: Int

  /// The number of rows.
  package var count: Int { values.count / width }

  /// Wraps numbers.
  package init(_ values: [Float], width: Int) {
    precondition(
      width > 0 && values.count % width == 0, "\(values.count) values in rows of \(width)")
    self.values = values
    self.width = width
  }

  /// One embedding.
  package subscript(row: Int) -> ArraySlice<Float> { values[row * width..<(row + 1) * width] }

  /// The embeddings on a device.
  ///
  /// - Parameter stream: Where the tensor lives.
  /// - Returns: `[count, width]`, a constant.
  package func tensor(on stream: ComputeStream) throws -> Tensor {
    try Tensor(values, shape: [count, width], on: stream, label: "class embeddings")
  }

  /// The unit mean of rows, for each list of them.
  ///
  /// - Parameter groups: Lists of rows; of one row the row itself, every bit of it.
  /// - Returns: One row a list.
  package func unitMeans(of groups: [[Int]]) -> EmbeddingMatrix {
    var means: [Float] = []
    means.reserveCapacity(groups.count * width)
    for group in groups {
      guard group.count != 1 else {
        means += self[group[0]]
        continue
      }
      var sum = [Double](repeating: 0, count: width)
      for row in group {
        for (index, value) in self[row].enumerated() { sum[index] += Double(value) }
      }
      // The mean's scale does not matter.
      means += Self.unit(sum)
    }
    return EmbeddingMatrix(means, width: width)
  }

  /// All rows brought to unit length; rows that have it keep every bit.
  ///
  /// - Returns: The rows; a zero row stays zero.
  package func unitRows() -> EmbeddingMatrix {
    var units: [Float] = []
    units.reserveCapacity(values.count)
    for row in 0..<count {
      let length = squaredLength(row)
      if abs(length - 1) < 1e-6 {
        units += self[row]
      } else {
        units += Self.unit(self[row].map(Double.init))
      }
    }
    return EmbeddingMatrix(units, width: width)
  }

  /// The square of a row's length.
  func squaredLength(_ row: Int) -> Double {
    self[row].reduce(0) { $0 + Double($1) * Double($1) }
  }

  private static func unit(_ row: [Double]) -> [Float] {
    let length = max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
    return row.map { Float($0 / length) }
  }
}
