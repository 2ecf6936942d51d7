/// The processes that train together, as one of them sees it.
///
/// Each call that exchanges something returns when this rank has its result; every rank has to make
/// the same calls in the same order on a lane, and `Exchange` tells which call it is.
package protocol World: AnyObject, Sendable {
  /// This process among all, from 0 on.
  var rank: Int { get }
  /// How many there are.
  var size: Int { get }
  /// This process among those of its machine.
  var node: NodePlace { get }
  /// The machine's name.
  var host: String { get }
  /// Where this process is, for the watchdog.
  var progress: RankProgress { get }

  /// Adds the values of all ranks, in place; the same bits on all ranks.
  ///
  /// - Parameters:
  ///   - values: As many on each rank.
  ///   - exchange: Which sum it is.
  ///   - lane: The lane of the calling thread.
  /// - Throws: ``WorldError``.
  func sum(
    _ values: UnsafeMutableBufferPointer<Float>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError)

  /// Adds the values of all ranks, in place; the same bits on all ranks.
  ///
  /// - Parameters:
  ///   - values: As many on each rank.
  ///   - exchange: Which sum it is.
  ///   - lane: The lane of the calling thread.
  /// - Throws: ``WorldError``.
  func sum(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError)

  /// Replaces each value by the highest of all ranks.
  ///
  /// - Parameters:
  ///   - values: As many on each rank; none is NaN.
  ///   - exchange: Which comparison it is.
  ///   - lane: The lane of the calling thread.
  /// - Throws: ``WorldError``.
  func highest(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError)

  /// Replaces each word by the union of all ranks' bits.
  ///
  /// - Parameters:
  ///   - words: As many on each rank.
  ///   - exchange: Which union it is.
  ///   - lane: The lane of the calling thread.
  /// - Throws: ``WorldError``.
  func union(
    _ words: UnsafeMutableBufferPointer<UInt64>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError)

  /// Gives every rank the bytes of rank 0.
  ///
  /// - Parameters:
  ///   - bytes: The bytes on rank 0; not looked at elsewhere.
  ///   - exchange: Which broadcast it is.
  ///   - lane: The lane of the calling thread.
  /// - Returns: Rank 0's bytes.
  /// - Throws: ``WorldError``.
  func broadcast(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) -> [UInt8]

  /// Gives rank 0 the bytes of every rank, one rank after the other.
  ///
  /// - Parameters:
  ///   - bytes: This rank's bytes, as many as it likes.
  ///   - exchange: Which gathering it is.
  ///   - lane: The lane of the calling thread.
  ///   - take: Gets rank and bytes, by rank; is called on rank 0 only.
  /// - Throws: ``WorldError``.
  func gather(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane, _ take: (Int, [UInt8]) -> Void
  ) throws(WorldError)

  /// Waits until every rank is here.
  ///
  /// - Parameters:
  ///   - exchange: Which barrier it is.
  ///   - lane: The lane of the calling thread.
  /// - Throws: ``WorldError``.
  func barrier(_ exchange: Exchange, on lane: Lane) throws(WorldError)

  /// Sends a short note to rank 0 without waiting for it; on lane `control`.
  ///
  /// - Parameter note: At most 240 bytes; what is longer is cut.
  /// - Throws: ``WorldError``.
  func post(_ note: [UInt8]) throws(WorldError)

  /// The notes that have come since the last call, on rank 0; on lane `control`.
  ///
  /// - Throws: ``WorldError``.
  func posted() throws(WorldError) -> [(rank: Int, note: [UInt8])]

  /// Ends all ranks with this exit code; returns where ranks are no processes.
  func abort(code: Int32)

  /// Leaves the world; the last call of each rank.
  ///
  /// - Throws: ``WorldError``.
  func close() throws(WorldError)
}

/// Where exchanges run beside each other: a thread keeps to its lane.
package enum Lane: Int, Sendable, CaseIterable {
  /// Sums of gradients, by the communication thread.
  case gradients
  /// All that the training thread exchanges, in one order: statistics of layers, losses, flags, files.
  case statistics
  /// Signs of life, by the watchdog.
  case control
}

/// A process among those of its machine.
package struct NodePlace: Sendable, Equatable {
  /// From 0 on.
  package let rank: Int
  package let size: Int

  package init(rank: Int, size: Int) {
    self.rank = rank
    self.size = size
  }
}

extension World {
  /// Adds the values of all ranks; see the protocol.
  package func sum(
    _ values: inout [Float], _ exchange: Exchange, on lane: Lane = .statistics
  ) throws(WorldError) {
    try values.withUnsafeMutableBufferPointer { (values) throws(WorldError) in
      try sum(values, exchange, on: lane)
    }
  }

  /// Adds the values of all ranks; see the protocol.
  package func sum(
    _ values: inout [Double], _ exchange: Exchange, on lane: Lane = .statistics
  ) throws(WorldError) {
    try values.withUnsafeMutableBufferPointer { (values) throws(WorldError) in
      try sum(values, exchange, on: lane)
    }
  }

  /// Takes the highest of all ranks; see the protocol.
  package func highest(
    _ values: inout [Double], _ exchange: Exchange, on lane: Lane = .statistics
  ) throws(WorldError) {
    try values.withUnsafeMutableBufferPointer { (values) throws(WorldError) in
      try highest(values, exchange, on: lane)
    }
  }

  /// Unites the bits of all ranks; see the protocol.
  package func union(
    _ words: inout [UInt64], _ exchange: Exchange, on lane: Lane = .statistics
  ) throws(WorldError) {
    try words.withUnsafeMutableBufferPointer { (words) throws(WorldError) in
      try union(words, exchange, on: lane)
    }
  }

  /// Gives every rank the bytes of rank 0; see the protocol.
  package func broadcast(_ bytes: [UInt8], _ exchange: Exchange) throws(WorldError) -> [UInt8] {
    try broadcast(bytes, exchange, on: .statistics)
  }

  /// Waits until every rank is here; see the protocol.
  package func barrier(_ exchange: Exchange) throws(WorldError) {
    try barrier(exchange, on: .statistics)
  }

  /// The bytes of every rank, by rank, on rank 0; empty elsewhere.
  ///
  /// - Parameters:
  ///   - bytes: This rank's bytes.
  ///   - exchange: Which gathering it is.
  /// - Throws: ``WorldError``.
  package func gathered(
    _ bytes: [UInt8], _ exchange: Exchange
  ) throws(WorldError) -> [[UInt8]] {
    var all: [[UInt8]] = []
    try gather(bytes, exchange, on: .statistics) { all.append($1) }
    return all
  }

  /// Which ranks have other bytes than rank 0, the same answer on every rank.
  ///
  /// - Parameters:
  ///   - digest: The digest of what has to be alike.
  ///   - exchange: Which comparison it is.
  /// - Throws: ``WorldError``.
  package func compared(_ digest: [UInt8], _ exchange: Exchange) throws(WorldError) -> [Int] {
    let all = try gathered(digest, exchange)
    var others = [UInt64](repeating: 0, count: (size + 63) / 64)
    for (rank, digest) in all.enumerated() where digest != all[0] {
      others[rank / 64] |= 1 << UInt64(rank % 64)
    }
    try union(&others, exchange)
    return (0..<size).filter { others[$0 / 64] & 1 << UInt64($0 % 64) != 0 }
  }
}
