import Formats
import Foundation

/// Times of another program for the same cases, to set beside ours.
package struct BenchComparison {
  private var peers: [String: (wall: Double, processor: Double)] = [:]

  /// Reads JSON lines with `case`, `median_s` and `cpu_s`; of equal cases the last counts.
  ///
  /// - Parameter path: The file.
  /// - Throws: `FormatError` when it cannot be read.
  package init(contentsOf path: String) throws {
    for line in try RegularFile.text(path).split(separator: "\n") {
      let fields = try JSONValue(parsing: String(line), source: path)
      guard let name = fields["case"]?.string, let wall = fields["median_s"]?.number,
        let processor = fields["cpu_s"]?.number
      else { continue }
      peers[name] = (wall, processor)
    }
  }

  /// Seconds that the peer took for a case by the wall clock; nil when it has no such case.
  func wallSeconds(of name: String) -> Double? { peers[name]?.wall }

  /// A Markdown table of both sides; a ratio above 1 means that ours is faster.
  ///
  /// - Parameter results: Our times.
  package func table(of results: [BenchResult]) -> String {
    var lines = [
      "| case | ours, cpu ms | peer, cpu ms | cpu ratio | wall ratio |",
      "| --- | ---: | ---: | ---: | ---: |",
    ]
    for result in results {
      guard let peer = peers[result.name] else { continue }
      lines.append(
        String(
          format: "| %@ | %.3f | %.3f | %.2f | %.2f |", result.name,
          1e3 * result.processorSeconds, 1e3 * peer.processor,
          peer.processor / result.processorSeconds, peer.wall / result.medianSeconds))
    }
    return lines.joined(separator: "\n")
  }
}
