import Formats
import Foundation

/// The world of a process without others: nothing is exchanged.
package final class Alone: World {
  package let rank = 0
  package let size = 1
  package let node = NodePlace(rank: 0, size: 1)
  package var host: String { Machine.name }
  package let progress = RankProgress()

  package init() {}

  package func sum(_ values: UnsafeMutableBufferPointer<Float>, _ exchange: Exchange, on lane: Lane)
  {}

  package func sum(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) {}

  package func highest(
    _ values: UnsafeMutableBufferPointer<Double>, _ exchange: Exchange, on lane: Lane
  ) {}

  package func union(
    _ words: UnsafeMutableBufferPointer<UInt64>, _ exchange: Exchange, on lane: Lane
  ) {}

  package func broadcast(_ bytes: [UInt8], _ exchange: Exchange, on lane: Lane) -> [UInt8] { bytes }

  package func gather(
    _ bytes: [UInt8], _ exchange: Exchange, on lane: Lane, _ take: (Int, [UInt8]) -> Void
  ) { take(0, bytes) }

  package func barrier(_ exchange: Exchange, on lane: Lane) {}

  package func post(_ note: [UInt8]) {}

  package func posted() -> [(rank: Int, note: [UInt8])] { [] }

  package func abort(code: Int32) { exit(code) }

  package func close() {}
}
