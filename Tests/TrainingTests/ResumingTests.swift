import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// A run that dies between two steps.
private struct Crash: Error {}

/// What a run does about evaluations and starts that went wrong.
@Suite("Training goes on", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ResumingTests {
  /// A world that evaluates after three and six iterations.
  private func world() throws -> TrainingWorld {
    var world = try TrainingWorld()
    world.configuration.training.evaluateEvery = 3
    return world
  }

  private func scores(_ world: TrainingWorld, _ run: String, _ iteration: Int) throws -> JSONValue {
    try JSONValue(contentsOf: "\(world.path(run))/scores/iteration-\(iteration).json")
  }

  /// The lines of a log that hold scores.
  private func evaluations(_ world: TrainingWorld, _ run: String) throws -> [JSONValue] {
    try String(contentsOfFile: world.path(run) + "/metrics.jsonl", encoding: .utf8)
      .split(separator: "\n").map { try JSONValue(parsing: String($0), source: "metrics") }
      .filter { $0["evaluation"] != nil }
  }

  private func same(_ world: TrainingWorld, _ run: String, as other: String) throws {
    for iteration in [3, 6] {
      #expect(try scores(world, run, iteration) == scores(world, other, iteration), "\(iteration)")
    }
    #expect(try evaluations(world, run) == evaluations(world, other))
    #expect(try world.records(run) == world.records(other))
    for name in ["model.safetensors", "state.safetensors", "state.json"] {
      let files = [run, other].map {
        FileManager.default.contents(atPath: world.checkpoint($0, 6) + "/" + name)
      }
      #expect(files[0] != nil && files[0] == files[1], "\(name)")
    }
  }

  @Test func missedEvaluationsAreMadeUp() throws {
    let world = try world()
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      #expect(try evaluations(world, "straight").map { $0["iteration"]?.integer } == [3, 6])
      let line = try #require(try evaluations(world, "straight").last?["evaluation"])
      #expect(line["groups"]?["novel"]?["measures"]?["AP50"] != nil && line["classes"] == nil)

      // Killed during the last evaluation, before it left anything.
      try world.trainer("last", on: context).train()
      try FileManager.default.removeItem(atPath: world.path("last") + "/scores/iteration-6.json")
      try FileManager.default.removeItem(
        atPath: world.path("last") + "/detections/iteration-6.json")
      let log = world.path("last") + "/metrics.jsonl"
      let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
      try Data(lines.dropLast().map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: log))
      var notes: [String] = []
      try world.trainer("last", on: context, resumes: true) {
        if case .note(let text) = $0 { notes.append(text) }
      }.train()
      #expect(notes.contains("making up the evaluation after 6 iterations"))
      try same(world, "last", as: "straight")

      // Killed between the scores and their line.
      try Data(lines.dropLast().map { $0 + "\n" }.joined().utf8).write(to: URL(filePath: log))
      try world.trainer("last", on: context, resumes: true).train()
      try same(world, "last", as: "straight")
    }
  }

  @Test func anEvaluationThatFailsCostsNoIteration() throws {
    var world = try world()
    let pictures = world.path("validation")
    let aside = world.path("aside")
    try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
    for index in 0..<8 {
      try? FileManager.default.copyItem(
        atPath: world.path("\(index).png"), toPath: "\(pictures)/\(index).png")
    }
    world.configuration.data.validationImages = pictures
    world.configuration.training.checkpointEvery = 2
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      var warnings: [String] = []
      let error = #expect(throws: TrainingError.self) {
        try world.trainer("run", on: context) {
          if case .warning(let text) = $0 { warnings.append(text) }
        }.train(afterStep: { iteration in
          guard iteration == 1 else { return }
          try FileManager.default.moveItem(atPath: pictures, toPath: aside)
        })
      }
      let text = line(of: try #require(error))
      #expect(text.contains("all 6 iterations are done and saved") && text.contains("--resume"))
      #expect(!text.contains("\n"))
      #expect(
        warnings.contains {
          $0.hasPrefix("the evaluation after 3 iterations failed: none of the ")
        },
        "\(warnings)")
      // What was to be scored has a checkpoint, and the run its last one.
      #expect(try world.records("run").count == 6)
      try FileManager.default.moveItem(atPath: aside, toPath: pictures)
      try world.trainer("run", on: context, resumes: true).train()
      #expect(try scores(world, "run", 6) == scores(world, "straight", 6))
      #expect(try evaluations(world, "run").contains { $0["iteration"] == 6 })
    }
  }

  @Test func anEvaluationCanBeStopped() throws {
    let world = try world()
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      do {
        var isEvaluating = false
        let stopped = try world.trainer("run", on: context) {
          if case .validating = $0 { isEvaluating = true }
        }
        let error = #expect(throws: TrainingError.self) {
          try stopped.train(shouldStop: { isEvaluating })
        }
        #expect(line(of: try #require(error)).contains("stopped after 3 iterations"))
      }
      try world.trainer("run", on: context, resumes: true).train()
      try same(world, "run", as: "straight")
    }
  }

  @Test func aRunWithoutACheckpointStartsAgain() throws {
    let world = try world()
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      for resumes in [true, false] {
        let run = "died \(resumes)"
        do {
          let crashed = try world.trainer(run, on: context)
          #expect(throws: Crash.self) {
            try crashed.train(afterStep: { if $0 == 1 { throw Crash() } })
          }
        }
        // By the command that goes on as by the one that began.
        try world.trainer(run, on: context, resumes: resumes).train()
        try same(world, run, as: "straight")
      }
      let error = #expect(throws: RunFolderError.self) {
        try world.trainer("straight", on: context)
      }
      #expect(try #require(error) == .exists(path: world.path("straight")))
    }
  }

  @Test func aDamagedCheckpointFallsBackToTheOneBefore() throws {
    let world = try world()
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      try world.trainer("run", on: context).train()
      let file = world.checkpoint("run", 6) + "/state.safetensors"
      var bytes = try #require(FileManager.default.contents(atPath: file))
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: URL(filePath: file))
      var warnings: [String] = []
      try world.trainer("run", on: context, resumes: true) {
        if case .warning(let text) = $0 { warnings.append(text) }
      }.train()
      #expect(warnings.count == 1 && warnings[0].contains("state.safetensors is damaged"))
      try same(world, "run", as: "straight")
      // Without a whole one it is not for the program to throw weeks away.
      for iteration in [3, 6] {
        try Data().write(
          to: URL(filePath: world.checkpoint("run", iteration) + "/model.safetensors"))
      }
      let error = #expect(throws: RunFolderError.self) {
        try world.trainer("run", on: context, resumes: true)
      }
      #expect(try #require(error) == .damaged(path: world.path("run") + "/checkpoints"))
    }
  }

  @Test func whatIsLeftOutStaysSo() throws {
    var world = try TrainingWorld(images: 6, sizes: [(96, 96)])
    let (picture, aside) = (world.path("1.png"), world.path("aside.png"))
    try FileManager.default.moveItem(atPath: picture, toPath: aside)
    world.configuration.data.prefetch = 1
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("straight", on: context).train()
      do {
        let crashed = try world.trainer("run", on: context)
        #expect(throws: Crash.self) {
          try crashed.train(afterStep: { if $0 == 4 { throw Crash() } })
        }
      }
      // Readable again, it would change what the seed alone decides.
      try FileManager.default.moveItem(atPath: aside, toPath: picture)
      var warnings: [String] = []
      try world.trainer("run", on: context, resumes: true) {
        if case .warning(let text) = $0 { warnings.append(text) }
      }.train()
      #expect(warnings.isEmpty, "\(warnings)")
      let left = try JSONValue(contentsOf: world.checkpoint("straight", 3) + "/data.json")
      #expect(
        left["left_out"]?.object?.values.contains { $0 == ["1.png"] } == true, "\(left.text())")
      #expect(try world.records("run") == world.records("straight"))
    }
  }

  @Test func changedAnnotationsAreTold() throws {
    let world = try TrainingWorld()
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context).train()
      let path = world.configuration.data.trainAnnotations
      try Data((try String(contentsOfFile: path, encoding: .utf8) + " ").utf8).write(
        to: URL(filePath: path))
      var warnings: [String] = []
      _ = try world.trainer("run", on: context, resumes: true) {
        if case .warning(let text) = $0 { warnings.append(text) }
      }
      // The same file is also that of the aligned images and of the validation.
      #expect(warnings.count == 3 && warnings.allSatisfy { $0.contains("has changed since") })
      #expect(warnings.contains { $0.hasPrefix("data.train_annotations: ") }, "\(warnings)")
    }
  }

  @Test func theBestCheckpointIsKept() throws {
    var world = try TrainingWorld()
    world.configuration.training.evaluateEvery = 2
    world.configuration.training.checkpointEvery = 6
    world.configuration.training.keepCheckpoints = 1
    world.configuration.training.keepBest = "base.AP50"
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context).train()
      let scores = RunScores(folder: world.path("run") + "/scores")
      let best = try #require(scores.best(by: "base.AP50")).iteration
      #expect([2, 4, 6].contains(best))
      let checkpoints = CheckpointFolders(path: world.path("run") + "/checkpoints")
      #expect(checkpoints.all { _ in }.map(\.iteration) == Set([best, 6]).sorted())

      world.configuration.training.keepBest = "novell.AP50"
      let error = #expect(throws: ConfigurationError.self) {
        try world.trainer("other", on: context)
      }
      let text = line(of: try #require(error))
      #expect(
        text.contains("training.keep_best must be one of AP, ") && text.contains("novel.AP50"))
    }
  }

  @Test func whatWouldEndAnEvaluationIsToldBeforeTheFirstStep() throws {
    let changes: [(String, (inout TrainingWorld) throws -> Void)] = [
      ("nowhere.json", { $0.configuration.data.validationAnnotations = $0.path("nowhere.json") }),
      (
        "category_id",
        {
          $0.configuration.data.validationAnnotations = try $0.scratch.write(
            """
            {"images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
             "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}], "categories": []}
            """, "captions.json")
        }
      ),
      ("none of the", { $0.configuration.data.validationImages = $0.path("nowhere") }),
      (
        "base classes are not among its categories",
        { world in
          let text = try String(
            contentsOfFile: world.configuration.data.trainAnnotations, encoding: .utf8)
          world.configuration.data.validationAnnotations = try world.scratch.write(
            text.replacing("\"name\":\"", with: "\"name\":\"no "), "validation.json")
        }
      ),
    ]
    try TestDevice.withContext(poisoned: false) { context in
      for (number, (part, change)) in changes.enumerated() {
        var world = try world()
        try change(&world)
        do {
          _ = try world.trainer("run\(number)", on: context)
          Issue.record("accepted, wanted \(part)")
        } catch {
          let text = line(of: error)
          #expect(text.contains(part) && !text.contains("\n"), "\(text)")
        }
      }
    }
  }
}
