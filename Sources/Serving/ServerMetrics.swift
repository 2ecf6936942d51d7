import Formats
import Foundation
import Synchronization

/// What a server has done, in Prometheus' text format.
final class ServerMetrics: Sendable {
  /// Bounds of the times in seconds.
  private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

  private struct Times {
    var buckets = [Int](repeating: 0, count: bounds.count)
    var count = 0
    var sum = 0.0
  }

  /// What stands in the queue and the caches just now.
  struct Gauges: Sendable {
    /// Open connections.
    var connections = 0
    /// Requests that wait for the device.
    var queued = 0
    /// Pictures that are kept, and their bytes.
    var pictures = 0
    var pictureBytes = 0
    /// Embeddings of words that are kept.
    var words = 0
  }

  private struct State {
    var requests: [String: Int] = [:]
    var times: [String: Times] = [:]
    var counters: [Counter: Double] = [:]
  }

  /// What only grows.
  enum Counter: String, CaseIterable {
    case pictureHits = "baron_picture_cache_hits_total"
    case pictureMisses = "baron_picture_cache_misses_total"
    case encodedWords = "baron_words_encoded_total"
    case deviceSeconds = "baron_device_seconds_total"
    case refused = "baron_refused_total"

    var help: String {
      switch self {
      case .pictureHits: "Requests whose picture had been seen."
      case .pictureMisses: "Requests whose picture went through the backbone."
      case .encodedWords: "Words that went through the text encoder."
      case .deviceSeconds: "Seconds that the device was at work for requests."
      case .refused: "Requests that were refused because too many were waiting."
      }
    }
  }

  private let state = Mutex(State())
  private let begun = Date()

  /// Counts an answer.
  ///
  /// - Parameters:
  ///   - path: The path, one of those that are served, or "other".
  ///   - status: The answer's status.
  ///   - seconds: From the last byte of the request to the answer.
  func answered(_ path: String, _ status: HTTPStatus, seconds: Double) {
    state.withLock { state in
      state.requests["path=\"\(path)\",code=\"\(status.rawValue)\"", default: 0] += 1
      var times = state.times[path] ?? Times()
      for (index, bound) in Self.bounds.enumerated() where seconds <= bound {
        times.buckets[index] += 1
      }
      times.count += 1
      times.sum += seconds
      state.times[path] = times
    }
  }

  /// Adds to a counter.
  func add(_ amount: Double = 1, to counter: Counter) {
    state.withLock { $0.counters[counter, default: 0] += amount }
  }

  /// The text of all metrics.
  func text(_ gauges: Gauges) -> String {
    let state = state.withLock { $0 }
    var text = ""
    func family(_ name: String, _ type: String, _ help: String, _ rows: [(String, String)]) {
      text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
      for (suffix, value) in rows { text += "\(name)\(suffix) \(value)\n" }
    }
    family(
      "baron_requests_total", "counter", "Answers by path and status.",
      state.requests.sorted { $0.key < $1.key }.map { ("{\($0.key)}", "\($0.value)") })
    family(
      "baron_request_seconds", "histogram", "Time from the whole request to its answer.",
      state.times.sorted { $0.key < $1.key }.flatMap { path, times in
        Self.rows(times, path: path)
      })
    for counter in Counter.allCases {
      family(
        counter.rawValue, "counter", counter.help,
        [("", Self.text(state.counters[counter] ?? 0))])
    }
    let now: [(String, String, Int)] = [
      ("baron_connections", "Open connections.", gauges.connections),
      ("baron_queue_length", "Requests that wait for the device.", gauges.queued),
      ("baron_picture_cache_entries", "Pictures that are kept.", gauges.pictures),
      ("baron_picture_cache_bytes", "Bytes of the pictures that are kept.", gauges.pictureBytes),
      ("baron_word_cache_entries", "Words whose embeddings are kept.", gauges.words),
      ("process_resident_memory_bytes", "Resident memory.", Self.residentBytes),
    ]
    for (name, help, value) in now { family(name, "gauge", help, [("", "\(value)")]) }
    family(
      "process_start_time_seconds", "gauge", "Start of the server, in seconds since 1970.",
      [("", Self.text(begun.timeIntervalSince1970))])
    return text
  }

  private static func rows(_ times: Times, path: String) -> [(String, String)] {
    zip(bounds, times.buckets).map {
      ("_bucket{path=\"\(path)\",le=\"\(text($0))\"}", "\($1)")
    } + [
      ("_bucket{path=\"\(path)\",le=\"+Inf\"}", "\(times.count)"),
      ("_sum{path=\"\(path)\"}", text(times.sum)), ("_count{path=\"\(path)\"}", "\(times.count)"),
    ]
  }

  private static func text(_ value: Double) -> String {
    Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }

  /// The process's memory in bytes; 0 where the system does not tell.
  static var residentBytes: Int {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?
      .split(separator: " ")
    return (fields.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0) * Int(getpagesize())
  }
}
