import ArgumentParser
import Formats
import Foundation
import Serving

/// What a server takes on.
struct LimitOptions: ParsableArguments {
  private static let usual = ServerLimits()

  @Option(help: "Most megabytes of a request.")
  var maxMegabytes = usual.bodyBytes >> 20

  @Option(help: "Most millions of pixels of a picture.")
  var maxMegapixels = usual.pixels / 1_000_000

  @Option(help: "Most words of a request.")
  var maxWords = usual.words

  @Option(help: "Seconds that a request may take to arrive, and again to be answered.")
  var timeout = usual.seconds

  @Option(help: "Most requests that wait for the device; further ones get 503.")
  var queue = usual.queue

  @Option(help: "Most open connections.")
  var maxConnections = usual.connections

  @Option(help: "Most megabytes of seen pictures that are kept for other words; 0 keeps none.")
  var cache = usual.pictureBytes >> 20

  func validate() throws {
    try OptionRange.check(
      ("--max-megabytes", maxMegabytes, 1...1024), ("--max-megapixels", maxMegapixels, 1...178),
      ("--max-words", maxWords, 1...100_000), ("--queue", queue, 1...100_000),
      ("--max-connections", maxConnections, 1...100_000), ("--cache", cache, 0...1 << 20))
    guard (0.1...86400).contains(timeout) else {
      throw ValidationError("--timeout \(timeout): take a number from 0.1 to 86400.")
    }
  }

  /// The limits; no more connections than the system has file numbers for.
  var limits: ServerLimits {
    var limits = ServerLimits()
    limits.bodyBytes = maxMegabytes << 20
    limits.pixels = maxMegapixels * 1_000_000
    limits.words = maxWords
    limits.seconds = timeout
    limits.queue = queue
    limits.connections = min(maxConnections, Self.descriptors)
    limits.pictureBytes = cache << 20
    return limits
  }

  /// File numbers that are left for connections after asking for as many as one may have.
  private static var descriptors: Int {
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(kind, &limit) == 0 else { return 256 }
    limit.rlim_cur = min(limit.rlim_max, 1 << 16)
    setrlimit(kind, &limit)
    getrlimit(kind, &limit)
    return max(8, Int(min(limit.rlim_cur, 1 << 16)) - 128)
  }
}
