import Formats
import Foundation
import Synchronization

/// Signals that ask the program to end, taken by a thread of their own.
///
/// All other threads block them: a driver's compiler has handlers of its own, which would end the
/// compilation and not the program.
enum StopSignals {
  /// What the first signal does; the second always ends the program at once.
  enum Answer: Sendable {
    /// Ends the program as the system does.
    case die
    /// Prints a line, if it has one, and exits with 130, unless the program does so by itself within a
    /// second.
    case exit(String?)
    /// Waits until the program has saved what would be lost.
    case wait
  }

  /// What asks: terminals send the first three, batch systems and MPI's launchers one of SIGUSR.
  ///
  /// They do so some time before the end, as the system does with SIGXCPU when a limit of processor
  /// time comes near.
  private static let asking = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]
  /// SIGQUIT ends the program at once as everywhere; it is taken here because a driver's compiler has a
  /// handler for it that goes on.
  private static let commanding = [SIGQUIT]
  private static let answer = Mutex(Answer.die)
  private static let asked = Atomic(false)
  private static let told = Mutex(false)
  private static let patience = 1.0
  /// Seconds within which a second signal is the first one once more: a launcher hands on what the
  /// terminal has sent to its processes already.
  private static let echo = Atomic(0)

  /// Whether a signal has come.
  static var isAsked: Bool { asked.load(ordering: .relaxed) }

  /// Decides what a signal does from now on.
  static func answer(by new: Answer) { answer.withLock { $0 = new } }

  /// Decides what a signal does while `body` runs.
  static func answering<Result>(by new: Answer, _ body: () throws -> Result) rethrows -> Result {
    let old = answer.withLock { answer in
      defer { answer = new }
      return answer
    }
    defer { answer(by: old) }
    return try body()
  }

  /// Prints what a program that was stopped has to say, once: it may end by itself while the thread that
  /// took the signal ends it.
  static func tell(_ line: String) {
    told.withLock { told in
      if !told { Console.say(line) }
      told = true
    }
  }

  /// Tells that a launcher hands signals on.
  static func expectEcho() { echo.store(3, ordering: .relaxed) }

  /// Begins to take the signals; called before any other thread is made.
  static func watch() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in asking + commanding {
      var action = sigaction()
      // What was to be ignored, by nohup for example, stays so.
      guard sigaction(number, nil, &action) == 0, !isIgnored(action) else { continue }
      sigaddset(&signals, number)
    }
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let taken = signals
    Thread.detachNewThread { take(taken) }
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    let ignore = unsafeBitCast(SIG_IGN, to: Int.self)
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == ignore
  }

  private static func take(_ signals: sigset_t) {
    var signals = signals
    let first = next(&signals)
    if commanding.contains(first) { die(by: first) }
    if case .die = answer.withLock({ $0 }) { die(by: first) }
    asked.store(true, ordering: .relaxed)
    let begin = MonotonicClock.seconds
    while true {
      if let second = next(&signals, within: 50_000_000),
        MonotonicClock.seconds - begin >= Double(echo.load(ordering: .relaxed))
      {
        die(by: second)
      }
      guard MonotonicClock.seconds - begin > patience,
        case .exit(let line) = answer.withLock({ $0 })
      else { continue }
      if let line { tell(line) }
      TemporaryFolder.removeAll()
      _exit(130)
    }
  }

  private static func next(_ signals: inout sigset_t) -> Int32 {
    while true {
      var about = siginfo_t()
      let number = sigwaitinfo(&signals, &about)
      if number > 0, !isOfThread(about) { return number }
    }
  }

  private static func next(_ signals: inout sigset_t, within nanoseconds: Int) -> Int32? {
    var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
    var about = siginfo_t()
    let number = sigtimedwait(&signals, &about, &time)
    return number > 0 && !isOfThread(about) ? number : nil
  }

  /// Whether a thread of this program sent it, as Swift's runtime does with SIGUSR1 to hold the others
  /// while it tells of a crash: to obey would end the program without a word of it.
  ///
  /// Told by the sender, for the C library calls a thread's signals those of a process here.
  private static func isOfThread(_ about: siginfo_t) -> Bool {
    about._sifields._kill.si_pid == getpid()
  }

  private static func die(by number: Int32) -> Never {
    TemporaryFolder.removeAll()
    signal(number, SIG_DFL)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, number)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    kill(getpid(), number)
    _exit(128 + number)
  }
}
