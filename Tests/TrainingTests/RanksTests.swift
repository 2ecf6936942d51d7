import Checkpoints
import Distribution
import Formats
import Foundation
import Loading
import OpenCL
import Tensors
import TestSupport
import Testing

@testable import Training

/// Training on several ranks, which are threads: the equalities of spec distributed 4.
@Suite("Ranks", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct RanksTests {
  private static let files = ["model.safetensors", "state.safetensors", "state.json"]

  /// A world whose losses do not depend on which images run at the same time.
  private func world(replicas: Int, iterations: Int) throws -> TrainingWorld {
    var world = try TrainingWorld()
    world.configuration.training.replicas = replicas
    world.configuration.training.iterations = iterations
    world.configuration.training.checkpointEvery = 100
    world.configuration.model.backbone.norm = .frozen
    world.configuration.model.neck.norm = nil
    return world
  }

  private func same(
    _ world: TrainingWorld, _ run: String, as other: String, after iteration: Int
  ) throws {
    for file in Self.files {
      let bytes = world.bytes(other, iteration, file)
      let wanted = try #require(bytes, "\(other) \(file)")
      #expect(world.bytes(run, iteration, file) == wanted, "\(run) \(file)")
    }
  }

  /// E1: two replicas on one process and on two threads.
  @Test func twoReplicasGiveTheSameBytesOnOneProcessAndOnTwo() throws {
    let world = try world(replicas: 2, iterations: 60)
    try world.train("one", ranks: 1)
    try world.train("two", ranks: 2)
    try same(world, "two", as: "one", after: 60)
    let (one, two) = (try world.records("one"), try world.records("two"))
    #expect(one.map(\.losses) == two.map(\.losses))
    #expect(one.map(\.gradientNorm) == two.map(\.gradientNorm))
    #expect(two.allSatisfy { $0.measures["step_seconds_max"] != nil })
  }

  /// What a run trains besides boxes.
  enum Teaching: CaseIterable {
    case captions, captionsBesideBags, masks, regionCrops

    func switchOn(in world: inout TrainingWorld) {
      switch self {
      case .captions: world.teachByCaptions(alone: true)
      case .captionsBesideBags: world.teachByCaptions(alone: false)
      case .masks:
        world.configuration.model.mask.enabled = true
        world.configuration.model.mask.convolutions = 1
        world.configuration.model.mask.channels = 8
        world.configuration.model.head.ensemble = .split
        world.configuration.model.head.feature = .final
        world.configuration.data.resampling = 0.9
      case .regionCrops:
        world.configuration.regionCrops.enabled = true
        world.configuration.regionCrops.queueLength = 20
        world.configuration.regionCrops.patchQueueLength = 20
        world.configuration.regionCrops.filter = world.configuration.alignment.filter
        world.configuration.regionCrops.cropLimit = 20
        world.configuration.regionCrops.cache = world.configuration.alignment.cache
      }
    }
  }

  /// E1 of every other part that trains.
  @Test(arguments: Teaching.allCases)
  func everyTeacherGivesTheSameBytesOnOneProcessAndOnTwo(teaching: Teaching) throws {
    var world = try world(replicas: 2, iterations: 8)
    teaching.switchOn(in: &world)
    world.configuration.model.mask.norm = nil
    try world.train("one", ranks: 1)
    try world.train("two", ranks: 2)
    try same(world, "two", as: "one", after: 8)
    #expect(try world.records("one").map(\.losses) == world.records("two").map(\.losses))
    let last = try #require(try world.records("two").last)
    #expect(last.losses.values.allSatisfy { $0.isFinite })
  }

  /// E1 with statistics of both ranks: the same run twice.
  @Test func statisticsOfAllRanksRepeat() throws {
    var world = try world(replicas: 2, iterations: 8)
    world.configuration.model.backbone.norm = .batch
    world.configuration.model.neck.norm = .batch
    world.configuration.model.head.norm = .batch
    try world.train("first", ranks: 2)
    try world.train("second", ranks: 2)
    try same(world, "second", as: "first", after: 8)
    // Not those of a process by itself.
    try world.train("alone", ranks: 1)
    #expect(
      world.bytes("alone", 8, "model.safetensors") != world.bytes("first", 8, "model.safetensors"))
  }

  /// The numbers of a file of a checkpoint, tensor by tensor.
  private func tensors(
    _ world: TrainingWorld, _ run: String, _ iteration: Int, _ file: String, prefix: String = ""
  ) throws -> [String: [Float]] {
    let file = try SafeTensorsFile(path: "\(world.checkpoint(run, iteration))/\(file)")
    return try Dictionary(
      uniqueKeysWithValues: file.names.filter { $0.hasPrefix(prefix) }.map {
        ($0, try file.tensor(named: $0).floats())
      })
  }

  /// The norm of a difference over the norm of what is wanted.
  private func distance(_ found: [String: [Float]], _ wanted: [String: [Float]]) -> Double {
    var (difference, length) = (0.0, 0.0)
    for (name, values) in wanted {
      for (index, value) in values.enumerated() {
        let error = Double(found[name]?[index] ?? .nan) - Double(value)
        difference += error * error
        length += Double(value) * Double(value)
      }
    }
    return (difference / length).squareRoot()
  }

  /// E2: four replicas on one, two and four processes.
  @Test(arguments: [2, 4]) func fourReplicasAreTheSameOnAnyNumberOfProcesses(ranks: Int) throws {
    var world = try world(replicas: 4, iterations: 10)
    world.configuration.optimizer.weightDecay = 0
    world.configuration.optimizer.gradientLimit.kind = .none
    for (iterations, name) in [(1, "step"), (10, "run")] {
      world.configuration.training.iterations = iterations
      try world.train("\(name) 1", ranks: 1)
      try world.train("\(name) \(ranks)", ranks: ranks)
    }
    // Momentum starts at 0: after one step it is the gradient.
    let gradients = try ["step \(ranks)", "step 1"].map {
      try tensors(world, $0, 1, "state.safetensors", prefix: "momentum.")
    }
    #expect(distance(gradients[0], gradients[1]) < 1e-6)
    let parameters = try ["run \(ranks)", "run 1"].map {
      try tensors(world, $0, 10, "model.safetensors")
    }
    #expect(distance(parameters[0], parameters[1]) < 1e-5)
  }

  /// What a step leaves behind on a rank.
  private struct StepResult: Sendable {
    let gradient: [String: [Float]]
    let statistics: [String: [Float]]
  }

  /// Gradient and running statistics of a step on given images, on every rank.
  ///
  /// - Parameter isShared: Whether statistics are made as those of several ranks are, also by one.
  private func step(
    _ world: TrainingWorld, ranks: Int, _ samples: [LoadedSample], isShared: Bool = false
  ) throws -> [StepResult] {
    nonisolated(unsafe) let shared = world
    let each = samples.count / ranks
    var found: [StepResult] = []
    try TestDevice.withContext { context in
      nonisolated(unsafe) let device = context.device
      found = try ThreadWorld.run(ranks) { others in
        let loop = try TrainingLoop(
          configuration: shared.configuration, run: nil,
          context: try Context(device: device, isExact: true), among: others
        ) { _ in }
        let step = loop.job.step
        if isShared { step.model.store.statistics = RankStatistics(others) }
        let own = Array(samples[others.rank * each..<(others.rank + 1) * each])
        let pending = try step.run(0, learningRate: 0) {
          LoadedBatch(iteration: 0, replica: $0, streams: [.detection: own])
        }
        #expect(try pending.scalars().notFinite.isEmpty)
        let statistics = step.model.store.parameters.filter { $0.role == .buffer }
        return StepResult(
          gradient: try step.update.momentum.mapValues { try $0.floats() },
          statistics: try Dictionary(
            uniqueKeysWithValues: statistics.map { ($0.name, try $0.value.floats()) }))
      }
    }
    return found
  }

  /// E3: two replicas with two images against one with four, statistics over all of them.
  @Test func twoReplicasAreOneOfTwiceTheBatch() throws {
    var world = try TrainingWorld(images: 8, sizes: [(96, 96)])
    world.configuration.alignment.kind = .none
    world.configuration.data.shortSides = [96]
    world.configuration.training.detectionBatch = 4
    world.configuration.optimizer.weightDecay = 0
    world.configuration.optimizer.gradientLimit.kind = .none
    world.configuration.model.head.norm = .batch
    let loader = try Loader(
      streams: try TrainingData(world.configuration).streams, seed: 3, threads: 1,
      warn: { Issue.record("\($0)") })
    defer { loader.stop() }
    let samples = try #require(try loader.next().streams[.detection])
    let whole = try step(world, ranks: 1, samples)[0]
    let same = try step(world, ranks: 1, samples, isShared: true)[0]
    let halves = try step(world, ranks: 2, samples)
    for half in halves {
      #expect(distance(half.gradient, whole.gradient) < 1e-5)
      #expect(distance(half.gradient, same.gradient) < 1e-5)
      let apart = distance(half.statistics, same.statistics)
      #expect(apart < 5e-7, "\(apart)")
      // The plain float32 sums of one process are themselves off by as much.
      let plain = distance(half.statistics, whole.statistics)
      #expect(plain < 1.5e-6, "\(plain)")
    }
    #expect(halves[0].gradient == halves[1].gradient)
    #expect(halves[0].statistics == halves[1].statistics)
  }

  /// A rank without a positive runs the norms of the mask head on no rows.
  @Test func aRankWithoutObjectsDoesNotKeepOthersWaiting() throws {
    var world = try TrainingWorld(images: 8, sizes: [(96, 96)])
    world.configuration.alignment.kind = .none
    world.configuration.model.head.norm = .batch
    world.configuration.model.mask.enabled = true
    world.configuration.model.mask.convolutions = 1
    world.configuration.model.mask.channels = 8
    world.configuration.model.head.feature = .final
    let loader = try Loader(
      streams: try TrainingData(world.configuration).streams, seed: 3, threads: 1,
      warn: { Issue.record("\($0)") })
    defer { loader.stop() }
    let samples = try #require(try loader.next().streams[.detection])
    let empty = LoadedSample(index: 1, image: samples[1].image, view: samples[1].view)
    let found = try step(world, ranks: 2, [samples[0], empty])
    #expect(found[0].gradient == found[1].gradient)
    #expect(
      found[0].gradient.contains { $0.key.contains("mask_head") && $0.value.contains { $0 != 0 } })
  }

  /// E5: a stop that any rank is asked for, between any two steps.
  @Test func aStopOnAnyRankEndsInOneCheckpointThatResumesBitForBit() throws {
    let world = try world(replicas: 2, iterations: 6)
    try world.train("straight", ranks: 2)
    for (rank, iteration) in [(0, 1), (1, 2), (1, 4)] {
      let run = "stopped \(rank) \(iteration)"
      let seen = try world.train(run, ranks: 2, stopping: (rank, iteration))
      let errors = seen.compactMap(\.error)
      #expect(
        errors.count == 2 && errors.allSatisfy { $0.hasPrefix("stopped after ") }, "\(errors)")
      #expect(Set(errors.map { $0.prefix { $0 != ";" } }).count == 1, "\(errors)")
      try world.train(run, ranks: 2, resumes: true)
      try same(world, run, as: "straight", after: 6)
      #expect(try world.records(run).map(\.losses) == world.records("straight").map(\.losses))
    }
  }

  /// E6: stop on four processes, go on with two and one.
  @Test(arguments: [1, 2]) func aRunGoesOnWithFewerProcesses(ranks: Int) throws {
    let world = try world(replicas: 4, iterations: 6)
    try world.train("straight", ranks: 4)
    try world.train("moved", ranks: 4, stopping: (2, 2))
    try world.train("moved", ranks: ranks, resumes: true)
    let (moved, straight) = (try world.records("moved"), try world.records("straight"))
    #expect(moved.map(\.iteration) == straight.map(\.iteration))
    // The same images give the same numbers of sampled anchors.
    #expect(
      moved.map { $0.measures["positive_anchors"] }
        == straight.map { $0.measures["positive_anchors"] })
    #expect(
      distance(
        try tensors(world, "moved", 6, "model.safetensors"),
        try tensors(world, "straight", 6, "model.safetensors")) < 1e-5)
  }

  /// E7: the results file of a validation on one, two and three processes.
  @Test func validationOnSeveralRanksGivesTheSameFile() throws {
    var world = try TrainingWorld(images: 21)
    world.configuration.training.iterations = 1
    world.configuration.training.evaluateEvery = 1
    world.configuration.training.replicas = 6
    world.configuration.model.backbone.norm = .frozen
    world.configuration.model.neck.norm = nil
    // Nothing is learnt, so that all runs have one model, which finds much.
    world.configuration.optimizer.rate = 1e-12
    world.configuration.model.head.detections.scoreThreshold = 0
    try FileManager.default.removeItem(atPath: world.path("5.png"))
    for ranks in [1, 2, 3] {
      let seen = try world.train("run \(ranks)", ranks: ranks)
      let lines = seen.flatMap(\.lines)
      #expect(lines.contains { $0.hasPrefix("1 of 21 images of ") }, "\(lines)")
    }
    func file(_ ranks: Int, _ name: String) -> Data? {
      FileManager.default.contents(atPath: "\(world.path("run \(ranks)"))/\(name)")
    }
    for name in ["detections/iteration-1.json", "scores/iteration-1.json"] {
      let wanted = try #require(file(1, name))
      #expect(wanted.count > 500)
      for ranks in [2, 3] { #expect(file(ranks, name) == wanted, "\(name) \(ranks)") }
    }
  }

  /// Ranks that have loaded other values than rank 0 do not begin.
  @Test func parametersThatDifferBeforeTheFirstStepAreTold() throws {
    let world = try world(replicas: 2, iterations: 2)
    nonisolated(unsafe) let shared = world
    try TestDevice.withContext(poisoned: false) { context in
      nonisolated(unsafe) let device = context.device
      let errors = try ThreadWorld.run(2) { ranks -> String in
        let loop = try TrainingLoop(
          configuration: shared.configuration, run: nil,
          context: try Context(device: device), among: ranks
        ) { _ in }
        let bias = loop.job.step.model.store["rpn_head.rpn_reg.bias"]
        if ranks.rank == 1 {
          try bias?.overwrite(with: [Float](repeating: 0.5, count: bias?.value.count ?? 0))
        }
        do {
          try loop.train(afterStep: { _ in Issue.record("a step was made") })
          return ""
        } catch let error as TrainingError {
          return "\(error)"
        }
      }
      #expect(
        errors.allSatisfy {
          $0.hasPrefix("after 0 iterations rank 1 has other parameters than rank 0")
        }, "\(errors)")
    }
  }

  /// An evaluation that fails on a rank costs its scores on all ranks, and no more.
  @Test func anEvaluationThatFailsOnRank0FailsOnAll() throws {
    var world = try world(replicas: 2, iterations: 2)
    world.configuration.training.evaluateEvery = 1
    nonisolated(unsafe) let shared = world
    try TestDevice.withContext(poisoned: false) { context in
      nonisolated(unsafe) let device = context.device
      let seen = try ThreadWorld.run(2) { ranks -> (lines: [String], error: String) in
        let folder =
          ranks.rank == 0
          ? try RunFolder.create(at: shared.path("run"), yaml: shared.configuration.yaml()) : nil
        var lines: [String] = []
        let loop = try TrainingLoop(
          configuration: shared.configuration, run: folder,
          context: try Context(device: device), among: ranks
        ) { if case .warning(let text) = $0 { lines.append(text) } }
        // The detections of rank 0 have no place to go.
        if let folder { try FileManager.default.removeItem(atPath: folder.detectionsPath) }
        do {
          try loop.train()
          return (lines, "")
        } catch let error as TrainingError {
          return (lines, "\(error)")
        }
      }
      // Rank 0 tells it, and nobody once more.
      let told = seen.map { $0.lines.count { $0.contains("the evaluation after ") } }
      #expect(told == [2, 0], "\(seen)")
      for (_, error) in seen {
        #expect(error.hasPrefix("all 2 iterations are done and saved, but"), "\(error)")
      }
      #expect(seen[1].error.contains("rank 0 on host here: "), "\(seen[1].error)")
    }
    #expect(world.bytes("run", 2, "state.json") != nil)
  }

  /// A picture that one rank alone cannot read is left out there alone, also by a run that goes on.
  @Test func aPictureThatOneRankCannotReadIsLeftOutThere() throws {
    let one = DataState(leftOut: ["detection": ["a.png"]])
    let two = DataState(leftOut: ["detection": ["b.png"], "alignment": ["c.png"]])
    let states = try ThreadWorld.run(2) { ranks in
      var state = ranks.rank == 0 ? one : two
      let share = try ReplicaShare(of: 4, rank: ranks.rank, processes: 2)
      try state.unite(among: ranks, share: share, iteration: 3)
      return state
    }
    let folder = try Scratch()
    try states[0].write(to: folder.folder)
    let read = try #require(try DataState.read(from: folder.folder))
    #expect(read.leftOut == ["detection": ["a.png", "b.png"], "alignment": ["c.png"]])
    #expect(read.leftOut(of: 0..<2) == one.leftOut)
    #expect(read.leftOut(of: 2..<4) == two.leftOut && read.leftOut(of: 3..<4) == two.leftOut)
    #expect(read.leftOut(of: 1..<3) == read.leftOut && read.leftOut(of: 6..<7) == two.leftOut)
    // What all leave out is written as by one process.
    let alike = try ThreadWorld.run(2) { ranks in
      var state = one
      let share = try ReplicaShare(of: 2, rank: ranks.rank, processes: 2)
      try state.unite(among: ranks, share: share, iteration: 3)
      return state
    }
    #expect(alike[0] == one && alike[1] == one)
  }

  /// Ranks whose parameters are no longer alike do not save.
  @Test func parametersThatDifferAreToldAndNotSaved() throws {
    let world = try world(replicas: 2, iterations: 2)
    nonisolated(unsafe) let shared = world
    try TestDevice.withContext(poisoned: false) { context in
      nonisolated(unsafe) let device = context.device
      let errors = try ThreadWorld.run(2) { ranks -> String in
        let folder =
          ranks.rank == 0
          ? try RunFolder.create(at: shared.path("run"), yaml: shared.configuration.yaml()) : nil
        let loop = try TrainingLoop(
          configuration: shared.configuration, run: folder,
          context: try Context(device: device), among: ranks
        ) { _ in }
        do {
          try loop.train(afterStep: { iteration in
            guard iteration == 0, ranks.rank == 1 else { return }
            let bias = loop.job.step.model.store["rpn_head.rpn_reg.bias"]
            try bias?.overwrite(with: [Float](repeating: 0.5, count: bias?.value.count ?? 0))
          })
          return ""
        } catch let error as TrainingError {
          return "\(error)"
        }
      }
      #expect(
        errors.allSatisfy { $0.contains("rank 1 has other parameters than rank 0") }, "\(errors)")
    }
    #expect(world.bytes("run", 2, "state.json") == nil)
  }
}
