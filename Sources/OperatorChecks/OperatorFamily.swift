/// What is known of the operators of one kind beside their kernels: checks against the host, which
/// the self-test and the tests run, and the cases of the benchmarks.
///
/// A new operator adds its entries to the family that it belongs to; a test compares the operators
/// that exist with those that the checks name.
package struct OperatorFamily {
  package let checks: [OperatorCheck]
  package let cases: [BenchCase]

  /// All families, in the order in which they are checked and timed.
  package static var all: [OperatorFamily] {
    [
      products, convolutions, attention, norms, rows, pointwise, maps, regions, losses, similarity,
      selection, anchors, updates, roof,
    ]
  }
}
