/// What a device reaches at most: arithmetic without memory, memory without arithmetic.
package struct Roof: Sendable, Equatable {
  /// Floating-point operations per second of multiply-adds in registers; a multiply-add counts 2.
  package let operationsPerSecond: Double
  /// Bytes per second, read and written, of a copy that no cache holds.
  package let bytesPerSecond: Double

  package init(operationsPerSecond: Double, bytesPerSecond: Double) {
    self.operationsPerSecond = operationsPerSecond
    self.bytesPerSecond = bytesPerSecond
  }

  /// The share of the roof that some work reached.
  ///
  /// At 1 neither arithmetic nor memory could have been faster. Work whose operands lie in a cache,
  /// or whose algorithm needs less arithmetic than was counted, may pass 1.
  ///
  /// - Parameters:
  ///   - work: What was done.
  ///   - seconds: How long it took.
  /// - Returns: The share, or nil when the work is not known or took no time.
  package func share(of work: Work, seconds: Double) -> Double? {
    guard seconds > 0, work.operations + work.bytes > 0 else { return nil }
    let least = max(work.operations / operationsPerSecond, work.bytes / bytesPerSecond)
    return least / seconds
  }
}
