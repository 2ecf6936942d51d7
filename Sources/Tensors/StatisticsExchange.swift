/// Adds up the statistics of batch norm over the devices that normalise together.
///
/// Every participant has to ask for the same sums in the same order, also with no rows of its own.
package protocol StatisticsExchange: AnyObject {
  /// Replaces numbers by their sums over all participants.
  ///
  /// - Parameters:
  ///   - values: As many on each of them.
  ///   - layer: Whose statistics; the same on all of them.
  /// - Throws: What keeps them from working together.
  func sum(_ values: inout [Double], of layer: String) throws
}

/// A layer that normalises together with its like on other devices.
package struct SharedStatistics {
  /// Adds up.
  let exchange: any StatisticsExchange
  /// The layer's name.
  let layer: String

  package init(_ exchange: any StatisticsExchange, layer: String) {
    self.exchange = exchange
    self.layer = layer
  }

  /// The sums over all devices of two rows of numbers and of the rows that they were made of.
  ///
  /// - Parameters:
  ///   - rows: The rows of this device.
  ///   - pairs: For each channel two numbers.
  ///   - direction: What is exchanged.
  /// - Returns: The rows of all devices, and the sums.
  func sum(
    rows: Int, _ pairs: [(Double, Double)], _ direction: String
  ) throws -> (rows: Double, pairs: [(Double, Double)]) {
    var values = [Double(rows)] + pairs.map(\.0) + pairs.map(\.1)
    try exchange.sum(&values, of: "\(layer) \(direction)")
    let sums = pairs.indices.map { (values[1 + $0], values[1 + pairs.count + $0]) }
    return (values[0], sums)
  }
}
