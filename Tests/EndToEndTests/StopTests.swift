import Formats
import Foundation
import TestSupport
import Testing

/// What signals do to a training.
@Suite(
  "Stopping a training", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct StopTests {
  @Test(
    "a closed terminal and the warning of a batch system save as Ctrl-C does",
    arguments: [SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU])
  func saves(number: Int32) throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let process = try MainJobTests.train(into: run, "training.iterations=60")
    process.wait { FileManager.default.fileExists(atPath: "\(run)/checkpoints/iteration-000002") }
    process.signal(number)
    let stopped = try process.finish()
    #expect(stopped.status == 130, "\(stopped.errors)")
    #expect(stopped.lines("error:").isEmpty)
    let lines = stopped.lines("stopped after ")
    #expect(lines.count == 1 && lines[0].contains("'baron train --resume \(run)'"), "\(lines)")
    let saved = try FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints").sorted()
    let steps = try metrics(run).count
    #expect(saved.last == "iteration-" + String(format: "%06d", steps), "\(saved)")
  }

  /// A training that has to compile everything, and the time that it takes to end.
  private func stopped(
    _ numbers: [Int32]
  ) throws -> (result: BaronProcess.Result, seconds: Double, run: String) {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let process = try BaronProcess(
      ["train", "coco-mini", "--run", run],
      environment: [
        "BARON_CACHE": scratch.folder + "/cache", "POCL_CACHE_DIR": scratch.folder + "/pocl",
      ])
    // PoCL's folder fills when the first program is compiled.
    process.wait {
      (try? FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/pocl").isEmpty)
        == false && FileManager.default.fileExists(atPath: "\(run)/config.yaml")
    }
    usleep(500_000)
    let begin = MonotonicClock.seconds
    for number in numbers {
      process.signal(number)
      usleep(100_000)
    }
    let result = try process.finish()
    let seconds = MonotonicClock.seconds - begin
    #expect(FileManager.default.fileExists(atPath: "\(run)/config.yaml"))
    return (result, seconds, run)
  }

  @Test("a signal during the first compilation is obeyed, and no error of the compiler's")
  func compiling() throws {
    let (result, seconds, run) = try stopped([SIGINT])
    #expect(result.status == 130, "\(result.errors)")
    #expect(result.lines("error:").isEmpty, "\(result.errors)")
    #expect(result.lines("stopped after 0 iterations; 'baron train --resume \(run)'").count == 1)
    // Two seconds, and what a busy machine adds.
    #expect(seconds < 6, "\(seconds) s")
  }

  @Test("a second signal ends the program at once")
  func twice() throws {
    let (result, seconds, _) = try stopped([SIGTERM, SIGTERM])
    #expect(result.status == SIGTERM && result.lines("error:").isEmpty, "\(result.errors)")
    #expect(seconds < 3, "\(seconds) s")
  }

  @Test("what holds the threads of a program that crashes is no signal that asks it to stop")
  func crash() throws {
    let scratch = try Scratch()
    let process = try BaronProcess(
      ["world", scratch.folder + "/world", "--images", "400", "--seed", "1"],
      environment: ["SWIFT_BACKTRACE": "enable=yes,interactive=no,color=no"])
    process.wait { FileManager.default.fileExists(atPath: scratch.folder + "/world/images") }
    // From outside: whoever has told of it goes on.
    process.signal(SIGILL)
    let status = try process.finish().status
    #expect([0, SIGILL].contains(status), "\(status)")
  }

  /// Where a driver's compiler runs in the program, it has a handler of its own for this signal.
  @Test("SIGQUIT ends the program at once")
  func quit() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let process = try MainJobTests.train(into: run, "training.iterations=60")
    process.wait { FileManager.default.fileExists(atPath: "\(run)/checkpoints/iteration-000002") }
    process.signal(SIGQUIT)
    let result = try process.finish()
    #expect(result.status == SIGQUIT, "\(result.status) \(result.errors)")
    #expect(result.lines("stopped after ").isEmpty && result.lines("error:").isEmpty)
  }

  @Test("a run is prolonged by its command; what would break it is refused")
  func prolonged() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    #expect(try MainJobTests.train(into: run, "training.iterations=2").finish().status == 0)
    let longer = try BaronProcess.run("train", "--resume", run, "--set", "training.iterations=4")
    #expect(longer.status == 0, "\(longer.errors)")
    #expect(try metrics(run).count == 4)
    let config = try String(contentsOfFile: run + "/config.yaml", encoding: .utf8)
    #expect(config.contains("iterations: 4\n"))
    #expect(
      longer.lines("next: baron evaluate --checkpoint \(run)").count == 1, "\(longer.errors)")
    expectError(
      try BaronProcess.run("train", "--resume", run, "--set", "training.seed=1"),
      "training.seed stays as it is", "random choices", "start a new run")
    expectError(
      try BaronProcess.run("train", "--resume", run, "--set", "training.iteration=9"),
      "did you mean \"iterations\"")
    expectError(
      try BaronProcess.run("train", "--resume", run, "--set", "training.iterations=3"),
      "4 iterations are done already, more than the 3 of training.iterations")
    #expect(try String(contentsOfFile: run + "/config.yaml", encoding: .utf8) == config)
  }
}
