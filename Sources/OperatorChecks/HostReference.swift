import Foundation

/// Double-precision references of operators, written from their formulas; those of a kind of
/// operators stand beside its checks.
package enum HostReference {
  /// `[rows, inner] x [inner, columns]`.
  package static func product(
    _ a: [Double], _ b: [Double], _ rows: Int, _ inner: Int, _ columns: Int
  ) -> [Double] {
    (0..<rows * columns).map { place in
      let (row, column) = (place / columns, place % columns)
      return (0..<inner).reduce(0) { $0 + a[row * inner + $1] * b[$1 * columns + column] }
    }
  }

  /// Swaps the two axes of `[rows, columns]`.
  package static func transposed(_ a: [Double], _ rows: Int, _ columns: Int) -> [Double] {
    (0..<rows * columns).map { a[$0 % rows * columns + $0 / rows] }
  }

  /// Applies a function to each row of a given width.
  package static func rows(
    _ x: [Double], _ width: Int, _ body: (ArraySlice<Double>) -> [Double]
  ) -> [Double] {
    stride(from: 0, to: x.count, by: width).flatMap { body(x[$0..<$0 + width]) }
  }

  package static func softmax(_ row: some Collection<Double>) -> [Double] {
    let largest = row.max() ?? 0
    let powers = row.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }

  package static func logSumExp(_ row: some Collection<Double>) -> Double {
    let largest = row.max() ?? 0
    guard largest.isFinite else { return largest }
    return largest + log(row.reduce(0) { $0 + exp($1 - largest) })
  }

  package static func logSoftmax(_ row: some Collection<Double>) -> [Double] {
    let sum = logSumExp(row)
    return row.map { $0 - sum }
  }

  package static func unit(_ row: some Collection<Double>) -> [Double] {
    let length = max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
    return row.map { $0 / length }
  }

  /// (x - mean) / sqrt(variance + 1e-5) of each row.
  package static func standardised(_ row: some Collection<Double>) -> [Double] {
    let mean = row.reduce(0, +) / Double(row.count)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
    return row.map { ($0 - mean) / (variance + 1e-5).squareRoot() }
  }

  package static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// x times the integral of the standard normal distribution up to x.
  package static func gelu(_ x: Double) -> Double { x * erfc(-x / 2.squareRoot()) / 2 }
}
