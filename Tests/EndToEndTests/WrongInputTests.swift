import Foundation
import Testing

extension ProgramTests {
  @Suite("Wrong input", .serialized)
  struct WrongInputTests {
    /// Checks the exit code and the one line that names what is wrong.
    private func fails(
      _ arguments: [String], in scratch: Scratch, device: String = "cpu", naming parts: [String],
      location: SourceLocation = #_sourceLocation
    ) throws {
      let outcome = try Program.run(arguments, in: scratch, device: device)
      #expect(outcome.status == 1, "\(outcome.errors)", sourceLocation: location)
      let lines = outcome.lines("error:")
      #expect(lines.count == 1, "\(outcome.errors)", sourceLocation: location)
      #expect(outcome.errors.hasSuffix("\(lines.last ?? "")\n"), sourceLocation: location)
      for part in parts {
        #expect(
          lines.first?.contains(part) == true, "\(part): \(outcome.errors)",
          sourceLocation: location)
      }
    }

    @Test func ofTraining() throws {
      let scratch = try Scratch()
      try fails(
        Program.training("run", ["training.iteratons=3"]), in: scratch,
        naming: ["iteratons", "iterations"])
      try fails(
        Program.training("run", ["clip.folder=nowhere"]), in: scratch, naming: ["nowhere"])
      #expect(!scratch.has("run"), "the name stays free")
      try fails(
        Program.training("run"), in: scratch, device: "no such device", naming: ["no such device"])
      try FileManager.default.createDirectory(
        atPath: scratch.path("run"), withIntermediateDirectories: true)
      try fails(Program.training("run"), in: scratch, naming: ["run", "--resume"])
      try fails(["train", "--resume", "./run"], in: scratch, naming: ["./run", "config.yaml"])
    }

    @Test func ofRunsAndFiles() throws {
      let scratch = try Scratch()
      let trained = try Program.run(
        Program.training("run", ["training.iterations=1"]), in: scratch)
      try #require(trained.status == 0, "\(trained.errors)")
      let photograph = Program.data + "/images/bus.jpg"
      try fails(
        ["detect", photograph, "--checkpoint", "./run", "--vocabulary", " "], in: scratch,
        naming: ["--vocabulary"])
      let weights = "run/checkpoints/iteration-000001/model.safetensors"
      try scratch.bytes(weights).prefix(1000).write(to: URL(filePath: scratch.path(weights)))
      try fails(
        ["detect", photograph, "--checkpoint", "./run", "--vocabulary", "bus"], in: scratch,
        naming: ["run"])
      let annotations = Program.data + "/coco-mini/annotations/instances_val_base_novel.json"
      let text = try String(contentsOfFile: annotations, encoding: .utf8)
      _ = try scratch.write(String(text.prefix(text.count / 2)), "cut.json")
      _ = try scratch.write("[]", "none.json")
      try fails(
        ["evaluate", "--annotations", "cut.json", "--detections", "none.json"], in: scratch,
        naming: ["cut.json"])
    }

    @Test(arguments: [["fly"], ["detect"], ["train"], ["evaluate"], ["train", "--set"]])
    func ofUsage(_ arguments: [String]) throws {
      let outcome = try Program.run(arguments, in: try Scratch())
      #expect(outcome.status == 64, "\(outcome.errors)")
      #expect(outcome.errors.lowercased().hasPrefix("error:"), "\(outcome.errors)")
    }
  }
}
