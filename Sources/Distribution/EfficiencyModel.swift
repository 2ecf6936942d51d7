/// What share of its speed a process keeps when it trains with others: a model, not a measurement.
///
/// A communication thread takes buckets of gradients as they complete, reads, sums and writes them
/// beside the computation; exchanges of statistics stop the computation (spec distributed 5).
package struct EfficiencyModel: Sendable {
  /// Gradients that complete together.
  package struct Bucket: Sendable, Equatable {
    package let bytes: Double
    /// The share of the step after which they are complete.
    package let ready: Double

    package init(bytes: Double, ready: Double) {
      self.bytes = bytes
      self.ready = ready
    }
  }

  /// How fast the machine is.
  package struct Speed: Sendable {
    /// Bytes of gradients that a rank sums with the others in a second.
    package var sum: Double
    /// Bytes that it reads from its device and writes back in a second.
    package var copies: Double
    /// Seconds that an exchange of statistics stops the computation.
    package var statistics: Double

    package init(sum: Double, copies: Double, statistics: Double) {
      self.sum = sum
      self.copies = copies
      self.statistics = statistics
    }
  }

  private let buckets: [Bucket]
  private let exchanges: Int

  /// Describes what a step exchanges.
  ///
  /// - Parameters:
  ///   - buckets: In the order in which they complete.
  ///   - exchanges: How often statistics are exchanged.
  package init(buckets: [Bucket], exchanges: Int) {
    self.buckets = buckets
    self.exchanges = exchanges
  }

  /// One rank's time divided by that of one among several, where all have as much to compute.
  ///
  /// - Parameters:
  ///   - seconds: The step of one process alone.
  ///   - speed: How fast the machine is.
  package func efficiency(of seconds: Double, at speed: Speed) -> Double {
    guard seconds > 0, speed.sum > 0, speed.copies > 0 else { return 0 }
    // The computation is stretched by the exchanges of statistics, which lie all over it.
    let computation = seconds + Double(exchanges) * speed.statistics
    var free = 0.0
    for bucket in buckets {
      let copied = bucket.bytes / speed.copies
      free = max(free, bucket.ready * computation + copied) + bucket.bytes / speed.sum
    }
    let last = buckets.last.map { $0.bytes / speed.copies } ?? 0
    return seconds / max(computation, free + last)
  }

  /// The share of the gradients' exchange that the computation hides.
  ///
  /// - Parameters:
  ///   - seconds: The step of one process alone.
  ///   - speed: How fast the machine is.
  package func hiddenShare(of seconds: Double, at speed: Speed) -> Double {
    let exchange = buckets.reduce(0) { $0 + $1.bytes * (1 / speed.sum + 2 / speed.copies) }
    guard exchange > 0, seconds > 0 else { return 1 }
    let computation = seconds + Double(exchanges) * speed.statistics
    let whole = seconds / max(efficiency(of: seconds, at: speed), 1e-9)
    return max(0, 1 - (whole - computation) / exchange)
  }
}
