import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Training

/// A run that dies between two steps.
private struct Crash: Error {}

@Suite("Training loop", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct TrainingLoopTests {
  /// The bytes of all files of a checkpoint.
  private func files(_ folder: String) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    return try Dictionary(
      uniqueKeysWithValues: names.map {
        ($0, try #require(FileManager.default.contents(atPath: "\(folder)/\($0)")))
      })
  }

  @Test func aResumedRunIsTheUninterruptedOne() throws {
    let world = try TrainingWorld()
    try TestDevice.withContext { context in
      do {
        let trainer = try world.trainer("straight", on: context)
        try trainer.train()
        let state = try #require(trainer.job.step.methods.first).state
        #expect(state.cache?.entries.isEmpty == false)
        #expect(state.queues.allSatisfy { !$0.images.isEmpty })
        #expect(
          state.queues.map(\.name) == [
            "student_bags", "teacher_bags", "student_regions", "teacher_regions",
          ])
      }
      var steps = 0
      do {
        let stopped = try world.trainer("stopped", on: context)
        let error = #expect(throws: TrainingError.self) {
          try stopped.train(shouldStop: { steps == 3 }, afterStep: { _ in steps += 1 })
        }
        #expect(line(of: try #require(error)).contains("stopped after 3 iterations"))
      }
      do {
        let crashed = try world.trainer("crashed", on: context)
        #expect(throws: Crash.self) {
          try crashed.train(afterStep: { if $0 == 4 { throw Crash() } })
        }
      }
      let wanted = try files(world.checkpoint("straight", 6))
      #expect(wanted.keys.sorted().contains("state.safetensors"))
      for run in ["stopped", "crashed"] {
        var notes: [String] = []
        try world.trainer(run, on: context, resumes: true) {
          if case .note(let text) = $0 { notes.append(text) }
        }.train()
        #expect(notes.contains { $0.hasPrefix("resuming at iteration 3 from") })
        let found = try files(world.checkpoint(run, 6))
        for (name, data) in wanted { #expect(found[name] == data, "\(run) \(name)") }
        #expect(try world.records(run) == world.records("straight"))
      }
    }
  }

  @Test func theSeedDecidesEverything() throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 2
    try TestDevice.withContext { context in
      for (run, seed) in [("first", 7), ("second", 7), ("third", 8)] {
        world.configuration.training.seed = seed
        try world.trainer(run, on: context).train()
      }
    }
    let first = try files(world.checkpoint("first", 2))
    #expect(try files(world.checkpoint("second", 2)) == first)
    #expect(try world.records("second") == world.records("first"))
    let third = try files(world.checkpoint("third", 2))
    #expect(third["model.safetensors"] != first["model.safetensors"])
    #expect(try world.records("third") != world.records("first"))
  }

  @Test func lossesAreFiniteAndFall() throws {
    var world = try TrainingWorld(images: 4)
    world.configuration.training.iterations = 30
    world.configuration.training.checkpointEvery = 100
    world.configuration.optimizer.milestones = []
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context).train()
    }
    let records = try world.records("run")
    #expect(records.map(\.iteration) == Array(0..<30))
    #expect(records.allSatisfy { $0.gradientNorm.isFinite && $0.gradientNorm > 0 })
    #expect(records.allSatisfy { $0.losses.values.allSatisfy(\.isFinite) })
    #expect(
      records[0].losses.keys.sorted() == [
        "loss_bag", "loss_bbox", "loss_cls", "loss_rpn_bbox", "loss_rpn_cls", "loss_single",
      ])
    func mean(_ part: ArraySlice<MetricRecord>) -> Double {
      part.reduce(0) { $0 + $1.totalLoss } / Double(part.count)
    }
    let (first, last) = (mean(records.prefix(10)), mean(records.suffix(10)))
    #expect(last < first, "mean of the first ten losses \(first), of the last ten \(last)")
  }

  @Test func aLossThatIsNoNumberStopsTheRun() throws {
    let world = try TrainingWorld()
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      let error = #expect(throws: TrainingError.self) {
        try trainer.train(afterStep: { iteration in
          guard iteration == 3 else { return }
          let parameter = try #require(trainer.job.step.model.store["backbone.conv1.weight"])
          try parameter.value.overwrite(
            with: [Float](repeating: .nan, count: parameter.value.count))
        })
      }
      guard case .notFinite(let iteration, let names, let run) = try #require(error) else {
        Issue.record("another error than notFinite")
        return
      }
      #expect(iteration == 4)
      #expect(names.contains("loss") && names.contains("loss_cls"))
      #expect(run == world.path("run"))
      let text = line(of: TrainingError.notFinite(iteration: iteration, names: names, run: run))
      #expect(text.contains("iteration 4") && text.contains("loss_cls") && !text.contains("\n"))
    }
    #expect(try world.records("run").map(\.iteration) == [0, 1, 2, 3])
    let checkpoints = CheckpointFolders(path: world.path("run") + "/checkpoints")
    var warnings: [String] = []
    #expect(checkpoints.latest { warnings.append($0) }?.iteration == 3)
    #expect(warnings.isEmpty)
    let model = try openWeights(path: world.checkpoint("run", 3) + "/model.safetensors")
    for name in model.names {
      #expect(try model.tensor(named: name).floats().allSatisfy(\.isFinite), "\(name)")
    }
  }

  @Test func aCheckpointThatCannotBeWrittenLeavesTheOneBefore() throws {
    let world = try TrainingWorld()
    let (folder, aside) = (world.path("run") + "/checkpoints", world.path("aside"))
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      let error = #expect(throws: RunFolderError.self) {
        // Where the folder was there is a file: every write below it fails, also for root.
        try trainer.train(afterStep: { iteration in
          guard iteration == 4 else { return }
          try FileManager.default.moveItem(atPath: folder, toPath: aside)
          try Data().write(to: URL(filePath: folder))
        })
      }
      let text = line(of: try #require(error))
      #expect(text.contains(folder) && !text.contains("\n"))
    }
    try FileManager.default.removeItem(atPath: folder)
    try FileManager.default.moveItem(atPath: aside, toPath: folder)
    var warnings: [String] = []
    let latest = CheckpointFolders(path: folder).latest { warnings.append($0) }
    #expect(latest?.iteration == 3 && warnings.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["iteration-000003"])
  }

  @Test func aFinishedRunSaysSo() throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 1
    try TestDevice.withContext { context in
      try world.trainer("run", on: context).train()
      var notes: [String] = []
      let again = try world.trainer("run", on: context, resumes: true) {
        if case .note(let text) = $0 { notes.append(text) }
      }
      try again.train(afterStep: { _ in Issue.record("a step after the last") })
      #expect(notes.contains("all 1 iteration is done already"))
    }
  }
}
