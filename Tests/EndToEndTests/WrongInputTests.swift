import Formats
import Foundation
import TestSupport
import Testing

/// Wrong input gets one clear line and an exit status, and nothing is lost.
@Suite(
  "Wrong input and the small commands", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct WrongInputTests {
  @Test("configuration, devices and folders")
  func configuration() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    func train(_ setting: String) throws -> BaronProcess.Result {
      try BaronProcess.run("train", "coco-mini", "--run", run, "--set", setting)
    }
    expectError(try train("training.iteration=3"), "training", "iterations")
    expectError(try train("optimizer.rate=fast"), "optimizer.rate")
    expectError(try train("clip.folder=/nowhere"), "/nowhere")
    expectError(try train("data.train_annotations=/nowhere.json"), "/nowhere.json")
    expectError(try BaronProcess.run("train", "coco-minnie"), "coco-mini")
    expectError(
      try BaronProcess.run("train", "coco-mini", "--run", run, "--device", "warp drive"),
      "warp drive")
    expectError(try BaronProcess.run("train", "--resume", scratch.folder), scratch.folder)
    try FileManager.default.createDirectory(
      atPath: scratch.folder + "/taken", withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: URL(filePath: scratch.folder + "/taken/notes.txt"))
    expectError(
      try BaronProcess.run("train", "coco-mini", "--run", scratch.folder + "/taken"), "taken")
    func captions(_ setting: String) throws -> BaronProcess.Result {
      try BaronProcess.run("train", "coco-mini-captions", "--run", run, "--set", setting)
    }
    expectError(try captions("data.caption_annotations="), "data.caption_annotations")
    let boxes = "${BARON_SHARED}/data/coco-mini/annotations/instances_train.json"
    expectError(
      try captions("data.caption_annotations=\(boxes)"), "instances_train.json", "\"caption\"")
    expectError(try captions("data.caption_images=/nowhere"), "data.caption_images", "/nowhere")
    for wrong in [["fly"], ["train"], ["detect", "x.jpg"], ["evaluate", "--nonsense"]] {
      #expect(try BaronProcess(wrong).finish().status == 64, "\(wrong)")
    }
  }

  @Test("annotations and checkpoints")
  func files() throws {
    let scratch = try Scratch()
    let source = "\(Fixture.sharedFolder)/data/coco-eval/instances_val2014_gt.json"
    let text = try Data(contentsOf: URL(filePath: source))
    let cut = scratch.folder + "/cut.json"
    try text.prefix(text.count / 2).write(to: URL(filePath: cut))
    expectError(
      try BaronProcess.run("evaluate", "--annotations", cut, "--detections", source), "cut.json")

    let run = scratch.folder + "/run"
    #expect(try MainJobTests.train(into: run, "training.iterations=2").finish().status == 0)
    let photo = "\(Fixture.sharedFolder)/data/images/bus.jpg"
    expectError(
      try BaronProcess.run("detect", photo, "--checkpoint", run, "--vocabulary", " , "),
      "--vocabulary")
    expectError(
      try BaronProcess.run(
        "detect", "/nowhere.jpg", "--checkpoint", run, "--vocabulary", "bus", "--output",
        scratch.folder + "/nothing"), "nowhere.jpg")
    #expect(!FileManager.default.fileExists(atPath: scratch.folder + "/nothing"))
    let unwritable = try BaronProcess.run(
      "detect", photo, "--checkpoint", run, "--vocabulary", "bus", "--output", "/dev/null/out")
    expectError(unwritable, "/dev/null/out: the folder cannot be made")
    #expect(!unwritable.errors.contains("1/1"))
    let video = scratch.folder + "/v.mp4"
    try Data([0, 0, 0, 0x18] + Array("ftypisom".utf8)).write(to: URL(filePath: video))
    for (file, part) in [
      (video, "let ffmpeg write its frames"), ("https://example.org/a.jpg", "download it"),
    ] {
      // Before anything is loaded: no progress, no folder.
      let result = try BaronProcess.run(
        "detect", file, "--checkpoint", run, "--vocabulary", "bus", "--output",
        scratch.folder + "/nothing")
      expectError(result, file, part)
      #expect(!result.errors.contains("1/1"))
    }
    let model = "\(run)/checkpoints/iteration-000002/model.safetensors"
    let bytes = try Data(contentsOf: URL(filePath: model))
    try bytes.prefix(bytes.count - 100).write(to: URL(filePath: model))
    expectError(
      try BaronProcess.run(
        "detect", photo, "--checkpoint", "\(run)/checkpoints/iteration-000002", "--vocabulary",
        "bus", "--output", scratch.folder + "/out"), "model.safetensors")
  }

  @Test("devices, config and profile")
  func smallCommands() throws {
    let scratch = try Scratch()
    let devices = try BaronProcess.run("devices", "--json")
    #expect(devices.status == 0)
    _ = try JSONValue(parsing: devices.output, source: "devices --json")

    let shown = try BaronProcess.run("config", "show", "coco-mini")
    #expect(shown.status == 0, "\(shown.errors)")
    let file = scratch.folder + "/mine.yaml"
    try Data(shown.output.utf8).write(to: URL(filePath: file))
    #expect(try BaronProcess.run("config", "show", file).output == shown.output)

    let trace = scratch.folder + "/trace.json"
    let profile = try BaronProcess.run(
      "profile", "coco-mini", "--steps", "1", "--warmup", "1", "--trace", trace)
    #expect(profile.status == 0, "\(profile.errors)")
    #expect(profile.output.contains("matrix_product"))
    let events = try #require(try JSONValue(contentsOf: trace).array)
    let names = Set(events.compactMap { $0["name"]?.string })
    #expect(names.contains("roi_align_forward_cpu"))
    let tracks = Set(
      events.filter { $0["name"]?.string == "thread_name" }
        .compactMap { $0["args"]?["name"]?.string })
    #expect(
      tracks.contains { $0.contains("student") } && tracks.contains { $0.contains("teacher") })
  }

  @Test("the version names the commit it was built from")
  func version() throws {
    let result = try BaronProcess.run("--version")
    #expect(result.status == 0)
    let form = /\d+\.\d+\.\d+ \((?:commit [0-9a-f]{12}(?:-dirty)?|unknown commit)\)\n/
    #expect(result.output.wholeMatch(of: form) != nil, "\(result.output)")
  }

  @Test("the self-test passes here and notices a wrong kernel")
  func selftest() throws {
    let good = try BaronProcess.run("selftest", "--json")
    #expect(good.status == 0, "\(good.errors)")
    let checks = try JSONValue(parsing: good.output, source: "selftest")["checks"]?.array ?? []
    #expect(checks.count > 50 && checks.allSatisfy { $0["ok"]?.bool == true })

    let scratch = try Scratch()
    let kernels = scratch.folder + "/Kernels"
    try FileManager.default.copyItem(atPath: "Kernels", toPath: kernels)
    let file = "\(kernels)/Pointwise.cl"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let broken = text.replacing("READ(a) + READ(b)", with: "READ(a) - READ(b)")
    try #require(broken != text)
    try broken.write(toFile: file, atomically: true, encoding: .utf8)
    let bad = try BaronProcess.run("selftest", environment: ["BARON_KERNELS": kernels])
    expectError(bad, "checks failed")
    #expect(bad.output.contains("FAILED"))
  }
}
