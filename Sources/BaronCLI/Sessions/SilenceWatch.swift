import Formats
import Foundation
import OpenCL
import Reporting
import Synchronization

/// Tells what the program is busy with when it has said nothing for some seconds.
///
/// A first start compiles kernels for minutes, and a large file is read in one piece: a thread of its
/// own speaks meanwhile, of what ``Activity`` says.
enum SilenceWatch {
  /// Nobody waits longer than this, in seconds, without a word.
  private static let patience = 3.0
  private static let interval: useconds_t = 250_000

  private static let isQuiet = Atomic(false)

  /// Says nothing any more, as another process speaks for this one.
  static func silence() { isQuiet.store(true, ordering: .relaxed) }

  /// Begins to watch.
  static func start() {
    Thread.detachNewThread {
      // What was compiled before a part of the work began is none of its business.
      var (number, before) = (0, 0)
      while true {
        usleep(interval)
        guard let part = Activity.current, !isQuiet.load(ordering: .relaxed) else { continue }
        let compiled = ProgramCount.compiled.load(ordering: .relaxed)
        if part.number != number { (number, before) = (part.number, compiled) }
        guard Console.silence > patience else { continue }
        let style = TerminalStyle.detect(descriptor: 2)
        Console.tellInPassing(
          line(
            part, isCompiling: compiled > before, now: MonotonicClock.seconds,
            room: style.isTerminal ? style.width : nil),
          isTerminal: style.isTerminal)
      }
    }
  }

  /// What is said of a part of the work.
  ///
  /// - Parameters:
  ///   - part: The part.
  ///   - isCompiling: Whether it has compiled kernels.
  ///   - now: The time in seconds.
  ///   - room: The columns of the window, or nil.
  static func line(
    _ part: Activity.Part, isCompiling: Bool, now: Double, room: Int?
  ) -> String {
    var text = part.text
    if isCompiling, let progress = ProgramCount.progress {
      text += ": compiling kernels \(progress), first start only"
    }
    let seconds = Int(max(0, now - part.began))
    let line = "\(text) (\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60))"
    return room.map { String(line.prefix(max(1, $0 - 1))) } ?? line
  }
}
