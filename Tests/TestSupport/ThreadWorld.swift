import Distribution
import Formats
import Foundation

/// One of several ranks that are threads of this process; sums are made in the order of ranks.
///
/// A rank that ends, by an error or without, lets no other wait for it: they get an error.
package final class ThreadWorld: World {
  package let rank: Int
  package var size: Int { hub.hosts.count }
  package var host: String { hub.hosts[rank] }
  package let progress = RankProgress()
  private let hub: Hub

  private init(rank: Int, hub: Hub) {
    self.rank = rank
    self.hub = hub
  }

  package var node: NodePlace {
    NodePlace(
      rank: hub.hosts[..<rank].count { $0 == host }, size: hub.hosts.count { $0 == host })
  }

  /// Runs every rank on a thread of its own and waits for all.
  ///
  /// - Parameters:
  ///   - size: How many ranks there are.
  ///   - hosts: The machine of each rank; all on one unless given.
  ///   - patience: Seconds after which a rank that waits gets an error.
  ///   - body: What a rank does.
  /// - Returns: What each rank gave, or the error with which it ended.
  package static func outcomes<Value: Sendable>(
    _ size: Int, hosts: [String]? = nil, patience: Double = 300,
    _ body: @escaping @Sendable (ThreadWorld) throws -> Value
  ) -> [Result<Value, any Error>] {
    let hub = Hub(
      hosts: hosts ?? Array(repeating: "here", count: size), patience: patience)
    let outcomes = Outcomes<Value>()
    for rank in 0..<size {
      let thread = Thread {
        let outcome = Result { try body(ThreadWorld(rank: rank, hub: hub)) }
        hub.leave(rank)
        outcomes.put(outcome, of: rank)
      }
      thread.stackSize = 16 << 20
      thread.start()
    }
    return outcomes.all(size)
  }

  /// Runs every rank on a thread of its own and waits for all.
  ///
  /// - Parameters:
  ///   - size: How many ranks there are.
  ///   - hosts: The machine of each rank; all on one unless given.
  ///   - patience: Seconds after which a rank that waits gets an error.
  ///   - body: What a rank does.
  /// - Returns: What each rank gave.
  /// - Throws: The first error that is not about another rank's end, else the first one.
  @discardableResult
  package static func run<Value: Sendable>(
    _ size: Int, hosts: [String]? = nil, patience: Double = 300,
    _ body: @escaping @Sendable (ThreadWorld) throws -> Value
  ) throws -> [Value] {
    let outcomes = outcomes(size, hosts: hosts, patience: patience, body)
    let errors = outcomes.compactMap { outcome -> (any Error)? in
      guard case .failure(let error) = outcome else { return nil }
      return error
    }
    if let cause = errors.first(where: { !isConsequence($0) }) ?? errors.first { throw cause }
    return try outcomes.map { try $0.get() }
  }

  private static func isConsequence(_ error: any Error) -> Bool {
    switch error as? WorldError {
    case .lost, .aborted: true
    default: false
    }
  }

  private func meet(
    _ lane: Lane, _ exchange: Exchange, _ shape: ExchangeShape, _ bytes: [UInt8] = []
  ) throws(WorldError) -> [[UInt8]] {
    try progress.during(exchange, on: lane) { () throws(WorldError) in
      try hub.meet(rank, lane, Hub.Offer(exchange: exchange, shape: shape, bytes: bytes))
    }
  }

  /// Combines the values of all ranks, in the order of ranks.
  private func combine<Element>(
    _ values: UnsafeMutableBufferPointer<Element>, _ kind: ExchangeShape.Kind,
    _ exchange: Exchange, _ lane: Lane, by merge: (Element, Element) -> Element
  ) throws(WorldError) {
    let all = try meet(
      lane, exchange, ExchangeShape(kind, count: values.count),
      Array(UnsafeRawBufferPointer(values)))
    for (rank, bytes) in all.enumerated() {
      bytes.withUnsafeBytes { bytes in
        for index in values.indices {
          let value = bytes.loadUnaligned(
            fromByteOffset: index * MemoryLayout<Element>.stride, as: Element.self)
          values[index] = rank == 0 ? value : merge(values[index], value)
        }
      }
    }
  }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Float>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) { try combine(values, .floatSum, exchange, lane, by: +) }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) { try combine(values, .doubleSum, exchange, lane, by: +) }

  package func highest(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) { try combine(values, .highest, exchange, lane, by: max) }

  package func union(
    _ words: UnsafeMutableBufferPointer<UInt64>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) { try combine(words, .union, exchange, lane, by: |) }

  package func broadcast(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) -> [UInt8] {
    try meet(lane, exchange, ExchangeShape(.broadcast), rank == 0 ? bytes : [])[0]
  }

  package func gather(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane, _ take: (Int, [UInt8]) -> Void
  ) throws(WorldError) {
    let all = try meet(lane, exchange, ExchangeShape(.gather), bytes)
    if rank == 0 { for (rank, bytes) in all.enumerated() { take(rank, bytes) } }
  }

  package func barrier(_ exchange: Exchange, on lane: Lane) throws(WorldError) {
    _ = try meet(lane, exchange, ExchangeShape(.barrier))
  }

  package func post(_ note: [UInt8]) throws(WorldError) { try hub.post(note, from: rank) }

  package func posted() -> [(rank: Int, note: [UInt8])] { rank == 0 ? hub.takeNotes() : [] }

  package func abort(code: Int32) { hub.abort(code) }

  package func close() throws(WorldError) { try barrier(Exchange("end"), on: .statistics) }
}

/// What the threads of a world share.
private final class Hub: @unchecked Sendable {
  // Sendable: the variables are touched while `condition` is locked only.
  let hosts: [String]
  private let patience: Double
  private let condition = NSCondition()
  private var meetings: [Meeting]
  private var gone: Set<Int> = []
  private var code: Int32?
  private var notes: [(rank: Int, note: [UInt8])] = []

  /// What a rank brings to an exchange.
  struct Offer {
    let exchange: Exchange
    let shape: ExchangeShape
    let bytes: [UInt8]
  }

  private struct Meeting {
    var offers: [Offer?]
    /// How many ranks have still to take what all brought; 0 while they arrive.
    var leaving = 0
  }

  init(hosts: [String], patience: Double) {
    self.hosts = hosts
    self.patience = patience
    meetings = Lane.allCases.map { _ in
      Meeting(offers: Array(repeating: nil, count: hosts.count))
    }
  }

  /// Waits until all ranks are at an exchange of the lane and gives what they brought, by rank.
  func meet(_ rank: Int, _ lane: Lane, _ offer: Offer) throws(WorldError) -> [[UInt8]] {
    condition.lock()
    defer { condition.unlock() }
    let end = MonotonicClock.seconds + patience
    // Others have still to take what the last exchange brought.
    try wait(at: lane, offer, until: end) { $0.offers[rank] == nil && $0.leaving == 0 }
    meetings[lane.rawValue].offers[rank] = offer
    if !meetings[lane.rawValue].offers.contains(where: { $0 == nil }) {
      meetings[lane.rawValue].leaving = hosts.count
      condition.broadcast()
    }
    try wait(at: lane, offer, until: end) { $0.leaving > 0 }
    let offers = meetings[lane.rawValue].offers.compactMap { $0 }
    meetings[lane.rawValue].leaving -= 1
    if meetings[lane.rawValue].leaving == 0 {
      meetings[lane.rawValue].offers = Array(repeating: nil, count: hosts.count)
      condition.broadcast()
    }
    if let error = WorldError.mixed(offers.map { ("\($0.exchange)", "\($0.shape)") }) {
      throw error
    }
    return offers.map(\.bytes)
  }

  private func wait(
    at lane: Lane, _ offer: Offer, until end: Double, _ isReady: (Meeting) -> Bool
  ) throws(WorldError) {
    while !isReady(meetings[lane.rawValue]) {
      if let code { throw .aborted(code: code) }
      let missing = hosts.indices.filter { meetings[lane.rawValue].offers[$0] == nil }
      if meetings[lane.rawValue].leaving == 0, let lost = missing.first(where: gone.contains) {
        throw .lost(rank: lost, exchange: "\(offer.exchange)")
      }
      guard MonotonicClock.seconds < end else {
        throw .hangs(exchange: "\(offer.exchange)", missing: missing, seconds: patience)
      }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.2))
    }
  }

  func leave(_ rank: Int) {
    condition.withLock {
      gone.insert(rank)
      condition.broadcast()
    }
  }

  func abort(_ code: Int32) {
    condition.withLock {
      self.code = self.code ?? code
      condition.broadcast()
    }
  }

  func post(_ note: [UInt8], from rank: Int) throws(WorldError) {
    condition.lock()
    defer { condition.unlock() }
    if let code { throw .aborted(code: code) }
    notes.append((rank, Array(note.prefix(240))))
  }

  func takeNotes() -> [(rank: Int, note: [UInt8])] {
    condition.withLock {
      defer { notes = [] }
      return notes
    }
  }
}

/// What the threads ended with.
private final class Outcomes<Value: Sendable>: @unchecked Sendable {
  // Sendable: `values` is touched while `condition` is locked only.
  private let condition = NSCondition()
  private var values: [Int: Result<Value, any Error>] = [:]

  func put(_ value: Result<Value, any Error>, of rank: Int) {
    condition.withLock {
      values[rank] = value
      condition.broadcast()
    }
  }

  func all(_ size: Int) -> [Result<Value, any Error>] {
    condition.withLock {
      while values.count < size { condition.wait() }
      return (0..<size).compactMap { values[$0] }
    }
  }
}

extension ThreadWorld {
  /// Runs two things side by side, the first on a thread of its own, and waits for both.
  ///
  /// - Throws: What they throw; of two errors the second's.
  package static func beside(
    _ first: @escaping @Sendable () throws -> Void, and second: () throws -> Void
  ) throws {
    let outcomes = Outcomes<Void>()
    Thread.detachNewThread { outcomes.put(Result { try first() }, of: 0) }
    defer { _ = outcomes.all(1) }
    try second()
    try outcomes.all(1)[0].get()
  }
}
