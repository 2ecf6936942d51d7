import Formats

/// What a rank tells rank 0 every few seconds.
package struct SignOfLife: Equatable, Sendable {
  package let iteration: Int
  /// Changes whenever something goes on.
  package let beats: Int
  /// What the rank does or waits at, in a few words.
  package let place: String
  /// Whether it waits for other ranks.
  package let isWaiting: Bool

  /// Reads where a rank is.
  ///
  /// - Parameters:
  ///   - moment: The rank's progress.
  ///   - activity: What else the rank does.
  package init(_ moment: RankProgress.Moment, _ activity: Watchdog.Activity = .init()) {
    iteration = moment.iteration
    beats = moment.beats &+ activity.beats
    let exchange =
      moment.exchanges[Lane.statistics.rawValue] ?? moment.exchanges[Lane.gradients.rawValue]
    isWaiting = exchange != nil
    let phase = activity.phase ?? moment.phase
    place = exchange.map { "\(phase), waits at '\($0)'" } ?? phase
  }

  /// Reads a note; nil when it is none.
  init?(_ bytes: [UInt8]) {
    let parts = String(decoding: bytes, as: UTF8.self)
      .split(separator: "\t", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 4, let iteration = Int(parts[0]), let beats = Int(parts[1]) else {
      return nil
    }
    self.iteration = iteration
    self.beats = beats
    isWaiting = parts[2] == "1"
    place = String(parts[3])
  }

  /// The note for rank 0.
  var bytes: [UInt8] { Array("\(iteration)\t\(beats)\t\(isWaiting ? 1 : 0)\t\(place)".utf8) }
}
