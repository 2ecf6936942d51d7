import Distribution
import Foundation
import Synchronization

/// A rank that is slow, fails or ends at given exchanges; all else is left to the world it wraps.
package final class FaultyWorld: World {
  /// What happens at an exchange, before it.
  package enum Fault: Sendable {
    case delay(seconds: Double)
    case fail(WorldError)
    /// Ends all ranks with this code.
    case end(code: Int32)
  }

  private let world: any World
  private let fault: @Sendable (Exchange, Int) -> Fault?
  private let count = Mutex(0)

  /// Wraps a world.
  ///
  /// - Parameters:
  ///   - world: The world without faults.
  ///   - fault: Gets an exchange and how many this rank had before; gives what goes wrong.
  package init(_ world: any World, _ fault: @escaping @Sendable (Exchange, Int) -> Fault?) {
    self.world = world
    self.fault = fault
  }

  package var rank: Int { world.rank }
  package var size: Int { world.size }
  package var node: NodePlace { world.node }
  package var host: String { world.host }
  package var progress: RankProgress { world.progress }

  private func meetFault(_ exchange: Exchange) throws(WorldError) {
    let before = count.withLock { count in
      defer { count += 1 }
      return count
    }
    switch fault(exchange, before) {
    case .delay(let seconds): Thread.sleep(forTimeInterval: seconds)
    case .fail(let error): throw error
    case .end(let code):
      world.abort(code: code)
      throw .aborted(code: code)
    case nil: break
    }
  }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Float>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    try meetFault(exchange)
    try world.sum(values, exchange, on: lane)
  }

  package func sum(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    try meetFault(exchange)
    try world.sum(values, exchange, on: lane)
  }

  package func highest(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    try meetFault(exchange)
    try world.highest(values, exchange, on: lane)
  }

  package func union(
    _ words: UnsafeMutableBufferPointer<UInt64>, _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) {
    try meetFault(exchange)
    try world.union(words, exchange, on: lane)
  }

  package func broadcast(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane
  ) throws(WorldError) -> [UInt8] {
    try meetFault(exchange)
    return try world.broadcast(bytes, exchange, on: lane)
  }

  package func gather(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane, _ take: (Int, [UInt8]) -> Void
  ) throws(WorldError) {
    try meetFault(exchange)
    try world.gather(bytes, exchange, on: lane, take)
  }

  package func barrier(_ exchange: Exchange, on lane: Lane) throws(WorldError) {
    try meetFault(exchange)
    try world.barrier(exchange, on: lane)
  }

  package func post(_ note: [UInt8]) throws(WorldError) { try world.post(note) }

  package func posted() throws(WorldError) -> [(rank: Int, note: [UInt8])] { try world.posted() }

  package func abort(code: Int32) { world.abort(code: code) }

  package func close() throws(WorldError) { try world.close() }
}
