import Checkpoints
import Foundation
import TestSupport
import Testing

/// `baron embed`, and the vocabularies of `baron detect`, as a user runs them.
@Suite(
  "Class embeddings and vocabularies on the command line", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct EmbedCommandTests {
  private static let clip = "\(Fixture.folder)/clip_tiny/hf"
  private static let annotations =
    "\(Fixture.sharedFolder)/data/coco-mini/annotations/instances_val.json"

  private func embed(
    _ arguments: String..., environment: [String: String] = [:]
  ) throws -> BaronProcess.Result {
    try BaronProcess(["embed", "--clip", Self.clip] + arguments, environment: environment).finish()
  }

  private func write(_ text: String, _ path: String) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  @Test("names, text files and annotations give the same rows in each format")
  func formats() throws {
    let scratch = try Scratch()
    let both = scratch.folder + "/both.safetensors"
    let result = try embed("--names", "cat, Traffic_light", "--feature", "both", "-o", both)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == "\(both): final 2x40, last_block 2x48\n")
    let file = try SafeTensorsFile(path: both)
    #expect(file.metadata["names"] == #"["cat","Traffic_light"]"#)
    let list = try write("# mine\ncat\n\nTraffic_light\n", scratch.folder + "/names.txt")
    for (kind, width) in [("final", 40), ("last_block", 48)] {
      let array = "\(scratch.folder)/\(kind).npy"
      let result = try embed("--names", list, "--feature", kind, "-o", array)
      #expect(result.status == 0, "\(result.errors)")
      let rows = try NumPyArray.read(path: array)
      #expect(rows.shape == [2, width] && rows.type == .float32)
      #expect(try rows.bytes == file.tensor(named: kind).bytes)
      let values = try rows.floats()
      for row in [values[0..<width], values[width..<2 * width]] {
        #expect(abs(row.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
      }
    }
    let templates = try write("a photo of {article} {name}.\n", scratch.folder + "/templates.txt")
    let plain = scratch.folder + "/plain.npy"
    #expect(try embed("--names", "cat", "--templates", templates, "-o", plain).status == 0)
    // The peer's feature of this very sentence.
    let peer = try Fixture("clip/prompts.safetensors").floats("y").prefix(40)
    expectClose(
      try NumPyArray.read(path: plain).floats(), Array(peer), relative: 1e-4, absolute: 1e-5,
      "a photo of a cat.")

    let data = scratch.folder + "/coco.safetensors"
    #expect(try embed("--annotations", Self.annotations, "-o", data).status == 0)
    let coco = try SafeTensorsFile(path: data)
    #expect(coco.shape(of: "final") == [80, 40])
    #expect(coco.metadata["names"]?.hasPrefix(#"["person","bicycle","car""#) ?? false)
  }

  @Test("what was embedded before comes from the cache, unless it is off")
  func cache() throws {
    let scratch = try Scratch()
    let names = (1...200).map { "thing \($0)" }.joined(separator: ",")
    func run(_ name: String, cache: String) throws -> [UInt8] {
      let path = "\(scratch.folder)/\(name).npy"
      let result = try embed("--names", names, "-o", path, environment: ["BARON_CACHE": cache])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.lines("embed").isEmpty == (name == "second"), "\(result.errors)")
      return try NumPyArray.read(path: path).bytes
    }
    let folder = scratch.folder + "/cache"
    let first = try run("first", cache: folder)
    #expect(try run("second", cache: folder) == first)
    #expect(try run("off", cache: "off") == first)
    let entries = try FileManager.default.contentsOfDirectory(atPath: folder + "/embeddings")
    #expect(entries.count == 1)
  }

  @Test("wrong input is one line")
  func wrong() throws {
    let scratch = try Scratch()
    let out = scratch.folder + "/out.npy"
    func names(_ text: String, _ name: String) throws -> BaronProcess.Result {
      try embed("--names", try write(text, "\(scratch.folder)/\(name)"), "-o", out)
    }
    expectError(try names("cat\n\n Cat. \n", "a.txt"), "a.txt: line 3", "\"cat\" and \"Cat.\"")
    expectError(try names("# nothing\n", "b.txt"), "b.txt", "holds no names")
    let long = [String](repeating: "harp", count: 80).joined(separator: " ")
    expectError(try names("cat\n\(long)", "c.txt"), "c.txt: line 2", "tokens", "shorten")
    expectError(
      try names("[\n\"cat\", 3]", "d.json"), "d.json: classes[1], line 2, column 8", "a name")
    expectError(try names(#"["cat", {"title": 1}]"#, "e.json"), "classes[1]", "\"name\"")
    expectError(try names(#"{"cat": "kitty"}"#, "f.json"), "f.json: line 1", "list of synonyms")
    expectError(try names(#"{"cat": [], "dog": ["hound", "cat"]}"#, "g.json"), "given twice")
    expectError(
      try names(#"[{"name": "cat", "synonyms": [""]}]"#, "h.json"), "h.json: line 1, column 2",
      "empty")
    expectError(try names("[\"cat\"", "i.json"), "i.json: classes[1], line 1")
    expectError(try names("{}", "j.json"), "holds no names")
    expectError(try embed("--names", "cat,,dog", "-o", out), "--names: name 2: the name is empty")
    expectError(try embed("--names", "\(scratch.folder)/k.json", "-o", out), "k.json: no such")
    expectError(
      try embed("--annotations", try write("{}", scratch.folder + "/l.json"), "-o", out),
      "categories")
    let templates = try write("a {name}\nno place", scratch.folder + "/m.txt")
    expectError(
      try embed("--names", "cat", "--templates", templates, "-o", out), "m.txt: line 2", "{name}")
    expectError(try embed("--names", "cat", "-o", templates + "/x.npy"), "x.npy")
    for usage in [
      ["--names", "cat", "-o", "x.txt"], ["-o", out], ["--names", "a", "--annotations", "b"],
      ["--names", "cat", "--feature", "both", "-o", out],
    ] {
      #expect(try BaronProcess(["embed", "--clip", Self.clip] + usage).finish().status == 64)
    }
    #expect(!FileManager.default.fileExists(atPath: out))
    _ = try write("", out)
    expectError(try embed("--names", "cat", "-o", out), "exists already")
  }

  @Test("a run with class_embeddings, and vocabularies as JSON")
  func detect() throws {
    let scratch = try Scratch()
    let (run, rows) = (scratch.folder + "/run", scratch.folder + "/rows.safetensors")
    let made = try embed(
      "--annotations", Self.annotations, "--feature", "last_block", "-o", rows)
    #expect(made.status == 0, "\(made.errors)")
    func train(_ rows: String) throws -> BaronProcess.Result {
      try MainJobTests.train(
        into: run, "training.iterations=2", "clip.class_embeddings=\(rows)"
      ).finish()
    }
    let few = scratch.folder + "/few.npy"
    #expect(try embed("--names", "cat", "--feature", "last_block", "-o", few).status == 0)
    expectError(try train(few), "few.npy", "clip.class_embeddings", "1 row,", "80 classes")
    let trained = try train(rows)
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(try BaronProcess.run("evaluate", "--checkpoint", run).status == 0)

    let photo = "\(Fixture.sharedFolder)/data/images/bus.jpg"
    func find(
      _ vocabulary: String?, _ name: String, _ more: [String] = []
    ) throws -> (Data, BaronProcess.Result) {
      let output = "\(scratch.folder)/\(name)"
      let result = try BaronProcess(
        ["detect", photo, "--checkpoint", run, "--output", output]
          + (vocabulary.map { ["--vocabulary", $0] } ?? []) + more
      ).finish()
      #expect(result.status == 0, "\(result.errors)")
      return (try Data(contentsOf: URL(filePath: output + "/detections.json")), result)
    }
    let list = try find("bus, person", "list")
    #expect(list.1.lines("warning:").isEmpty, "\(list.1.errors)")
    // The same rows without their names are those of the annotations.
    let array = scratch.folder + "/rows.npy"
    let bare = try embed(
      "--annotations", Self.annotations, "--feature", "last_block", "-o", array)
    #expect(bare.status == 0, "\(bare.errors)")
    let nameless = try find("bus, person", "nameless", ["--set", "clip.class_embeddings=\(array)"])
    #expect(nameless.0 == list.0)
    #expect(nameless.1.lines("warning:").isEmpty, "\(nameless.1.errors)")
    let json = try write(
      #"[{"name": "bus"}, {"name": "person", "synonyms": ["person"]}]"#,
      scratch.folder + "/names.json")
    #expect(try find(json, "json").0 == list.0)
    let object = try write(#"{"bus": [], "person": []}"#, scratch.folder + "/object.json")
    #expect(try find(object, "object").0 == list.0)
    let synonyms = try write(#"{"bus": ["coach"], "person": []}"#, scratch.folder + "/more.json")
    let more = try find(synonyms, "more")
    #expect(more.0 != list.0)
    let warnings = more.1.lines("warning:")
    #expect(warnings.count == 1 && warnings[0].contains("\"coach\""), "\(warnings)")
    _ = try find(nil, "own")
    _ = try find(Self.annotations, "annotations")
    expectError(
      try BaronProcess.run(
        "detect", photo, "--checkpoint", run, "--vocabulary",
        try write(#"["bus", "bus"]"#, scratch.folder + "/twice.json"), "--output",
        scratch.folder + "/twice"), "twice.json: line 1, column 9", "given twice")
  }
}
