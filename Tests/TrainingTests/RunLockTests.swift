import Dispatch
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Lock of a run") struct RunLockTests {
  private let scratch: Scratch
  private var file: String { "\(scratch.folder)/lock" }

  init() throws { scratch = try Scratch() }

  private func text() throws -> String { try String(contentsOfFile: file, encoding: .utf8) }

  @Test func theHolderStandsInItWhileItLasts() throws {
    do {
      let lock = try RunLock(in: scratch.folder, machine: "here") { _ in }
      #expect(try text() == "process \(getpid()) on here\n")
      #expect(
        throws: RunFolderError.locked(
          path: scratch.folder, holder: "process \(getpid()) on here")
      ) { try RunLock(in: scratch.folder, machine: "there") { _ in } }
      withExtendedLifetime(lock) {}
    }
    #expect(try text().isEmpty)
  }

  @Test func aKilledOneOfThisMachineIsFollowedAtOnce() throws {
    _ = try scratch.write("process 1 on here\n", "lock")
    var notes: [String] = []
    let seconds = try MonotonicClock.measure {
      _ = try RunLock(in: scratch.folder, machine: "here", patience: 30) { notes.append($0) }
    }
    #expect(notes.isEmpty && seconds < 15)
  }

  @Test(arguments: ["x", "process 1 on", String(repeating: "process ", count: 999), "\u{1B}[2J\n"])
  func whatSaysNothingOfAHolderIsNotWatched(text: String) throws {
    _ = try scratch.write(text, "lock")
    let seconds = try MonotonicClock.measure {
      _ = try RunLock(in: scratch.folder, machine: "here", patience: 30) { _ in }
    }
    #expect(seconds < 15)
  }

  @Test func anotherMachineIsWatched() throws {
    _ = try scratch.write("process 1 on there\n", "lock")
    var notes: [String] = []
    let seconds = try MonotonicClock.measure {
      let lock = try RunLock(in: scratch.folder, machine: "here", patience: 0.5) {
        notes.append($0)
      }
      #expect(try text() == "process \(getpid()) on here\n")
      withExtendedLifetime(lock) {}
    }
    #expect(seconds >= 0.5)
    #expect(
      notes == ["\(scratch.folder): process 1 on there trained in this run; watching it for 0 s"])
  }

  @Test func anotherMachineThatTrainsIsLeftAlone() throws {
    _ = try scratch.write("process 1 on there\n", "lock")
    let touching = DispatchSource.makeTimerSource(queue: .global())
    touching.schedule(deadline: .now(), repeating: 0.2)
    touching.setEventHandler { [file] in utimes(file, nil) }
    touching.activate()
    defer { touching.cancel() }
    #expect(
      throws: RunFolderError.locked(path: scratch.folder, holder: "process 1 on there")
    ) { try RunLock(in: scratch.folder, machine: "here", patience: 30) { _ in } }
    #expect(try text() == "process 1 on there\n")
  }

  @Test func theHolderTouchesIt() throws {
    let lock = try RunLock(in: scratch.folder, beat: 0.1) { _ in }
    utimes(file, [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)])
    var about = stat()
    let begun = MonotonicClock.seconds
    repeat {
      usleep(20_000)
      stat(file, &about)
    } while about.st_mtim.tv_sec == 1 && MonotonicClock.seconds - begun < 30
    #expect(about.st_mtim.tv_sec > 1)
    withExtendedLifetime(lock) {}
  }
}
