import Formats
import Foundation
import Testing

extension ProgramTests {
  @Suite("Interruption", .serialized)
  struct InterruptionTests {
    private static let timings = [
      "images_per_second", "data_wait_share", "seconds", "memory_peak_bytes",
    ]

    @Test func resumedRunsEqualAStraightOne() throws {
      let scratch = try Scratch()
      let straight = try Program.run(Program.training("straight"), in: scratch)
      try #require(straight.status == 0, "\(straight.errors)")
      try interrupted(scratch)
      try killed(scratch)
    }

    /// Ctrl-C in the middle saves and says how to go on.
    private func interrupted(_ scratch: Scratch) throws {
      let running = try Program.Running(Program.training("stopped"), in: scratch)
      running.wait { $0.contains("train  1/6") }
      running.send(SIGINT)
      let stopped = running.finish()
      #expect(stopped.status == 130, "\(stopped.errors)")
      #expect(stopped.errors.contains("--resume"), "\(stopped.errors)")
      #expect(!scratch.has("stopped/checkpoints/iteration-000006"), "stopped before the end")
      try resume("stopped", scratch)
    }

    /// A killed run goes on from its last checkpoint.
    private func killed(_ scratch: Scratch) throws {
      let running = try Program.Running(Program.training("killed"), in: scratch)
      running.wait { _ in scratch.has("killed/checkpoints/iteration-000003") }
      running.send(SIGKILL)
      #expect(running.finish().status == SIGKILL)
      #expect(!scratch.has("killed/checkpoints/iteration-000006"), "killed before the end")
      try resume("killed", scratch)
    }

    private func resume(_ run: String, _ scratch: Scratch) throws {
      let outcome = try Program.run(["train", "--resume", "./\(run)"], in: scratch)
      try #require(outcome.status == 0, "\(outcome.errors)")
      for name in ["model.safetensors", "state.safetensors"] {
        let file = "checkpoints/iteration-000006/\(name)"
        #expect(try scratch.bytes("\(run)/\(file)") == scratch.bytes("straight/\(file)"), "\(file)")
      }
      #expect(try metrics(run, scratch) == metrics("straight", scratch))
    }

    private func metrics(_ run: String, _ scratch: Scratch) throws -> [[String: JSONValue]] {
      try scratch.text("\(run)/metrics.jsonl").split(separator: "\n").map { line in
        let record = try JSONValue(parsing: String(line), source: "metrics.jsonl")
        return try #require(record.object).filter { !Self.timings.contains($0.key) }
      }
    }
  }
}
