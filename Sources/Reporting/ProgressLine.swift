import Formats
import Foundation

/// One line that shows how far a long task is.
///
/// On a terminal the line is rewritten in place and fits the window, whose width may change; elsewhere a plain line is
/// printed now and then, so that a log stays short. Used from one thread.
package final class ProgressLine {
  /// What a step tells besides its number.
  package struct Details {
    /// Names and values in the order shown; where room is short the last go first.
    package var losses: [(name: String, value: Double)]
    /// Throughput, or nil while unknown.
    package var imagesPerSecond: Double?
    /// The share of time from 0 to 1 that the task waited for data, or nil while unknown.
    package var dataWaitShare: Double?
    /// Seconds that the task will take besides its steps, for evaluations on the way.
    package var secondsBeside: Double

    package init(
      losses: [(name: String, value: Double)] = [], imagesPerSecond: Double? = nil,
      dataWaitShare: Double? = nil, secondsBeside: Double = 0
    ) {
      self.losses = losses
      self.imagesPerSecond = imagesPerSecond
      self.dataWaitShare = dataWaitShare
      self.secondsBeside = secondsBeside
    }
  }

  /// How often a line is printed where it cannot be rewritten.
  package enum PlainInterval: Sendable, Equatable {
    /// When so many seconds have passed since the last line.
    case seconds(Double)
    /// When so many steps have been made since the last line.
    case steps(Int)
  }

  private let label: String
  private let total: Int
  private let style: () -> TerminalStyle
  private let interval: PlainInterval
  private let clock: () -> Double
  private let sink: (String) -> Void

  private let firstTime: Double
  private var pace: Pace
  private var shownStep: Int?
  private var shownTime = 0.0
  /// The columns of the line that stands, where it is rewritten.
  private var live: Int?
  private static let secondsBetweenRewrites = 0.1
  private static let narrowestBar = 8
  private static let widestBar = 30

  /// Starts a line; the clock for the remaining time starts now.
  ///
  /// - Parameters:
  ///   - label: What is being done.
  ///   - total: The number of steps.
  ///   - start: The step to start after, where a task is taken up again.
  ///   - hasSlowStart: Whether the first step also does what is done once, compile kernels for
  ///     example, and says nothing about the others.
  ///   - style: Asked before each line, so that a new window width counts.
  ///   - interval: How often a plain line is printed.
  ///   - clock: Seconds from any fixed moment.
  ///   - sink: Takes the text.
  package init(
    label: String, total: Int, start: Int = 0, hasSlowStart: Bool = false,
    style: @escaping () -> TerminalStyle = { .detect(descriptor: 2) },
    interval: PlainInterval = .seconds(10),
    clock: @escaping () -> Double = { ProcessInfo.processInfo.systemUptime },
    sink: @escaping (String) -> Void = Console.tell
  ) {
    self.label = label
    self.total = total
    self.style = style
    self.interval = interval
    self.clock = clock
    self.sink = sink
    firstTime = clock()
    pace = Pace(from: start, at: firstTime, hasSlowStart: hasSlowStart)
  }

  /// Shows a step when it is time to; the last step is always shown.
  ///
  /// - Parameters:
  ///   - step: The number of steps done.
  ///   - details: What else to show.
  package func update(step: Int, _ details: Details = Details()) {
    let style = style()
    let now = clock()
    pace.reach(step, at: now)
    guard isDue(step: step, now: now, style) else { return }
    shownStep = step
    shownTime = now
    let texts = texts(step: step, now: now, details)
    if style.isTerminal {
      let (text, columns) = line(step: step, texts, style)
      let broken = live.map { $0 > style.width ?? $0 } ?? false
      sink((broken ? clearing(style) : "\r") + text + "\u{1B}[K")
      live = columns
    } else {
      sink(([label] + texts).joined(separator: "  ") + "\n")
    }
  }

  /// Prints a warning above the live line, as long as those that ``Console`` writes.
  ///
  /// - Parameter text: The warning.
  package func warn(_ text: String) { note(PrintedText.line("warning: \(text)")) }

  /// Prints a line above the live one.
  ///
  /// - Parameter text: The line without its end.
  package func note(_ text: String) {
    sink(clearing(style()) + PrintedText.escapedLines(text) + "\n")
    // The next update draws the line again at once.
    if live != nil { (shownStep, live) = (nil, 0) }
  }

  /// What takes off the line that stands.
  private func clearing(_ style: TerminalStyle) -> String {
    live.map { LiveLine.clearing(columns: $0, width: style.width) } ?? ""
  }

  /// Leaves the time since the last step out of what is told of the time that is left.
  package func resume() { pace.resume(at: clock()) }

  /// Leaves the last state standing and goes to a new line.
  package func finish() {
    if live != nil { sink("\n") }
    live = nil
  }

  private func isDue(step: Int, now: Double, _ style: TerminalStyle) -> Bool {
    guard let shownStep else { return true }
    if step >= total { return step != shownStep }
    if style.isTerminal { return now - shownTime >= Self.secondsBetweenRewrites }
    return switch interval {
    case .seconds(let seconds): now - shownTime >= seconds
    case .steps(let steps): step - shownStep >= steps
    }
  }

  /// Count, losses, throughput, waiting and remaining time, the most important first.
  private func texts(step: Int, now: Double, _ details: Details) -> [String] {
    let share = total > 0 ? min(1, max(0, Double(step) / Double(total))) : 1
    var texts = ["\(step)/\(total) \(Int(share * 100))%"]
    if step >= total {
      texts.append("took \(Self.duration(now - firstTime))")
    } else if let seconds = pace.secondsPerStep {
      let left = seconds * Double(total - step) + details.secondsBeside
      texts.append("ETA \(Self.duration(left))")
    }
    if let rate = details.imagesPerSecond {
      texts.append("\(String(format: rate < 10 ? "%.2f" : "%.1f", rate)) images/s")
    }
    if let wait = details.dataWaitShare {
      texts.append("data wait \(String(format: "%.0f", wait * 100))%")
    }
    for loss in details.losses {
      texts.append("\(loss.name) \(String(format: "%.4f", loss.value))")
    }
    return texts
  }

  /// The line for a terminal: as wide a bar as there is room for, then as many texts as fit.
  private func line(
    step: Int, _ texts: [String], _ style: TerminalStyle
  ) -> (text: String, columns: Int) {
    // The last column stays free: a full line makes some terminals wrap.
    let room = (style.width ?? 80) - 1
    let head = label + " "
    var texts = texts
    // Two brackets and a space go around the bar.
    func left() -> Int { room - head.columns - 3 - texts.joined(separator: "  ").columns }
    while texts.count > 1, left() < Self.narrowestBar { texts.removeLast() }
    let tail = texts.joined(separator: "  ")
    guard left() >= Self.narrowestBar else {
      let text = (head + tail).shortened(to: room, mark: "")
      return (text, text.columns)
    }
    let width = min(Self.widestBar, left())
    let share = total > 0 ? min(1, max(0, Double(step) / Double(total))) : 1
    let filled = Int(share * Double(width))
    let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
    let painted = style.usesColor ? "\u{1B}[36m\(bar)\u{1B}[0m" : bar
    return ("\(head)[\(painted)] \(tail)", head.columns + width + 3 + tail.columns)
  }

  /// Seconds as minutes and seconds, with hours where needed.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(max(0, seconds).rounded())
    let tail = String(format: "%02d", whole % 60)
    guard whole >= 3600 else { return "\(whole / 60):\(tail)" }
    return "\(whole / 3600):\(String(format: "%02d", whole / 60 % 60)):\(tail)"
  }
}
