/// The program's clock: it never goes back and counts from its first use.
package enum MonotonicClock {
  private static let origin = ContinuousClock.now

  /// The time in nanoseconds.
  package static var nanoseconds: UInt64 {
    // The origin first: it is made on first use, and the clock goes on meanwhile.
    let origin = Self.origin
    let elapsed = origin.duration(to: .now).components
    return UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
  }

  /// The time in seconds.
  package static var seconds: Double { Double(nanoseconds) / 1e9 }

  /// How long something takes.
  ///
  /// - Parameter body: What is timed.
  /// - Returns: Seconds.
  package static func measure<Failure: Error>(
    _ body: () throws(Failure) -> Void
  ) throws(Failure) -> Double {
    let begin = seconds
    try body()
    return seconds - begin
  }
}
