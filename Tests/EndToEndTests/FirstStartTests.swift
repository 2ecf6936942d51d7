import Formats
import Foundation
import TestSupport
import Testing

/// A first start, with nothing in any cache: it speaks, and only the program does.
@Suite(
  "First start", .serialized,
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct FirstStartTests {
  @Test("no long silence, no words of the driver, and these are kept")
  func coldStart() throws {
    let scratch = try Scratch()
    let world = scratch.folder + "/world"
    let drawn = try BaronProcess.run(
      "world", world, "--images", "16", "--seed", "3", "--regions", "4")
    #expect(drawn.status == 0)
    let cache = scratch.folder + "/cache"
    let process = try BaronProcess(
      [
        "clip-train", "demo-teacher", "--run", scratch.folder + "/run",
        "--set", "data.train_captions=\(world)/annotations/region_captions.json",
        "--set", "data.train_images=\(world)/images", "--set", "data.validation_annotations=",
        "--set", "training.iterations=2", "--set", "training.batch=16",
      ], environment: ["BARON_CACHE": cache, "POCL_CACHE_DIR": scratch.folder + "/pocl"])
    // As long as it runs something new is said every few seconds.
    var (length, since, longest) = (0, MonotonicClock.seconds, 0.0)
    while process.isRunning {
      usleep(100_000)
      let now = MonotonicClock.seconds
      if process.errorsSoFar.utf8.count != length {
        length = process.errorsSoFar.utf8.count
        since = now
      }
      longest = max(longest, now - since)
    }
    let result = try process.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(longest < 5, "\(longest) s of silence")
    #expect(!result.errors.contains("warning generated") && !result.errors.contains("warnings gen"))
    let compiling = result.errors.split(separator: "\n").filter { $0.contains("compiling kernels") }
    for line in compiling {
      #expect(
        line.contains(/compiling kernels \d+(\/\d+)?, first start only \(\d+:\d\d\)/), "\(line)")
    }
    // The compiler's words, where it had any, are in the log's folder.
    let log = try String(contentsOfFile: scratch.folder + "/run/log.txt", encoding: .utf8)
    let logs = (try? FileManager.default.contentsOfDirectory(atPath: "\(cache)/build-logs")) ?? []
    #expect(log.contains("the driver's compiler had something to say") == !logs.isEmpty)
  }

  /// A driver whose compiler gives up as LLVM does: a line, then the end of the process.
  @Test(
    "what a compiler says before it ends the program is shown",
    .enabled(if: BadDriver.available, BadDriver.missing),
    arguments: ["abort();", "*(volatile int *)8 = 0;"])
  func lastWords(end: String) throws {
    let scratch = try Scratch()
    let driver = try BadDriver.make(
      """
      int clBuildProgram(void) {
        write(2, "LLVM ERROR: Cannot select\\n", 26);
        \(end)
        return 0;
      }
      """, in: scratch)
    let result = try BaronProcess(
      ["bench", "--cases", "gemm/2048x2048x2048", "--repeat", "1"],
      environment: driver.merging([
        "BARON_CACHE": scratch.folder + "/cache", "POCL_CACHE_DIR": scratch.folder + "/pocl",
      ]) { $1 }
    ).finish()
    #expect(result.status != 0)
    #expect(result.lines("LLVM ERROR: Cannot select").count == 1, "\(result.errors)")
  }
}
