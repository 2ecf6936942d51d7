import Baron
import CLIP
import Checkpoints
import Formats
import Foundation
import Geometry
import Layers
import Loading
import Tensors
import TestSupport
import Testing

@testable import Training

/// Several replicas that one process carries.
@Suite("Replicas", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ReplicasTests {
  private func world(replicas: Int) throws -> TrainingWorld {
    var world = try TrainingWorld()
    world.configuration.training.replicas = replicas
    return world
  }

  /// The first gradients of a step over some replicas, by parameter.
  private func gradients(
    _ world: TrainingWorld, _ replicas: Int, only replica: Int? = nil
  ) throws -> [String: [Float]] {
    var world = world
    world.configuration.optimizer.weightDecay = 0
    world.configuration.optimizer.gradientLimit.kind = .none
    world.configuration.model.backbone.norm = .frozen
    world.configuration.model.neck.norm = nil
    world.configuration.training.replicas = replica == nil ? replicas : 1
    var found: [String: [Float]] = [:]
    try TestDevice.withContext { context in
      let loader = try Loader(
        streams: try TrainingData(world.configuration).streams, seed: 0, replicas: 0..<replicas,
        of: replicas, threads: 1, warn: { Issue.record("\($0)") })
      defer { loader.stop() }
      let batches = try (0..<replicas).map { _ in try loader.next() }
      #expect(batches.map(\.replica) == Array(0..<replicas))
      let name = "run \(replicas) \(replica ?? -1)"
      let step = try world.trainer(name, on: context).job.step
      let pending = try step.run(0, learningRate: 0.01) { batches[replica ?? $0] }
      #expect(try pending.scalars().notFinite.isEmpty)
      // Momentum starts at 0: after one step it is the gradient.
      found = try step.update.momentum.mapValues { try $0.floats() }
    }
    return found
  }

  @Test func aStepTakesTheMeanGradient() throws {
    let world = try world(replicas: 3)
    let together = try gradients(world, 3)
    let alone = try (0..<3).map { try gradients(world, 3, only: $0) }
    #expect(alone[0] != alone[1])
    for (name, values) in together {
      let parts = alone.map { $0[name] ?? [] }
      let mean = values.indices.map { index in
        parts.reduce(0.0) { $0 + Double($1[index]) } / 3
      }
      expectClose(values, mean, relative: 1e-6, absolute: 1e-6, name)
    }
  }

  @Test func eachReplicaHasQueuesThatResumeBitForBit() throws {
    let world = try world(replicas: 2)
    try world.train("straight", ranks: 1)
    try world.train("stopped", ranks: 1, stopping: (0, 2))
    try world.train("stopped", ranks: 1, resumes: true)
    for file in ["model.safetensors", "state.safetensors", "state.json"] {
      let wanted = try #require(world.bytes("straight", 6, file))
      #expect(world.bytes("stopped", 6, file) == wanted, "\(file)")
    }
    #expect(try world.records("stopped") == world.records("straight"))
    let state = try SafeTensorsFile(path: "\(world.checkpoint("straight", 6))/state.safetensors")
    let rows = try (0..<2).map {
      try state.tensor(named: "queue.teacher_bags.\($0).images").integers()
    }
    #expect(rows[0] != rows[1] && !rows[0].isEmpty && !rows[1].isEmpty)
    #expect(!state.names.contains("queue.teacher_bags.rows"))
  }

  @Test func anotherNumberOfReplicasIsRefusedUnlessAsked() throws {
    var world = try world(replicas: 2)
    world.configuration.training.iterations = 2
    try world.train("run", ranks: 1)
    world.configuration.training.replicas = 4
    world.configuration.training.iterations = 3
    let error = #expect(throws: FormatError.self) {
      try world.train("run", ranks: 1, resumes: true)
    }
    let text = line(of: try #require(error))
    #expect(text.contains("queues of 2 replicas") && text.contains("--replicas 2"), "\(text)")
    #expect(!text.contains("\n"))
    let seen = try world.train("run", ranks: 1, resumes: true, changesReplicas: true)
    #expect(seen[0].lines.contains { $0.hasPrefix("the run goes on with 4 replicas instead of 2") })
    let index = try JSONValue(contentsOf: "\(world.checkpoint("run", 3))/state.json")
    #expect(index["replicas"] == 4 && index["queue_rows"]?["teacher_bags"]?.array?.count == 4)
  }

  @Test func oneReplicaWritesTheFilesOfOldPrograms() throws {
    var world = try world(replicas: 1)
    world.configuration.training.iterations = 2
    try world.train("run", ranks: 1)
    let index = try JSONValue(contentsOf: "\(world.checkpoint("run", 2))/state.json")
    #expect(index["replicas"] == nil && index["queue_rows"]?["teacher_bags"]?.integer != nil)
    let state = try SafeTensorsFile(path: "\(world.checkpoint("run", 2))/state.safetensors")
    #expect(state.names.contains("queue.teacher_bags.rows"))
  }

  @Test func aStepIsDescribed() throws {
    var run = RunConfiguration()
    run.training.replicas = 16
    #expect(
      try run.stepSummary(processes: 1)
        == "16 replicas on 1 process; images of a step: 32 detection, 32 alignment")
    run.training.replicas = 0
    run.alignment.kind = .none
    #expect(
      try run.stepSummary(processes: 3)
        == "3 replicas on 3 processes; images of a step: 6 detection")
    run.training.replicas = 1
    #expect(try run.stepSummary(processes: 1).hasPrefix("1 replica on 1 process;"))
    #expect(throws: ConfigurationError.self) { try run.stepSummary(processes: 2) }
  }

  @Test func aRunMayGoOnWithOtherReplicasByEitherOption() throws {
    try ResumeOverrides.check(["training.replicas=4"])
    #expect(ResumeOverrides.changeReplicas(["training.iterations=3", "training.replicas=4"]))
    #expect(!ResumeOverrides.changeReplicas(["training.iterations=3"]))
    let error = #expect(throws: ConfigurationError.self) {
      try ResumeOverrides.check(["training.seed=4"])
    }
    #expect(line(of: try #require(error)).contains("all its random choices follow from it"))
  }

  @Test func queuesOfAllReplicasTakeRoom() throws {
    var run = RunConfiguration()
    let clip = try CLIPWeights(folder: TrainingWorld.clipFolder).configuration
    let one = run.queueBytes(clip: clip)
    #expect(one == 4 * 1024 * (4 * clip.embeddingWidth + 4))
    let disk = DiskNeed(run, clip: clip).bytes
    run.training.replicas = 16
    #expect(run.queueBytes(clip: clip) == 16 * one)
    let copies = run.training.keepCheckpoints + 1 + (run.training.keepBest.isEmpty ? 0 : 1)
    #expect(DiskNeed(run, clip: clip).bytes == disk + 15 * one * copies)
    run.alignment.kind = .none
    #expect(run.queueBytes(clip: clip) == 0)
  }

  @Test func processesShareReplicasAlike() throws {
    #expect(try ReplicaShare(of: 0, rank: 2, processes: 4).own == 2..<3)
    #expect(try ReplicaShare(of: 6, rank: 1, processes: 3).own == 2..<4)
    let error = #expect(throws: ConfigurationError.self) {
      try ReplicaShare(of: 6, rank: 0, processes: 4)
    }
    let text = line(of: try #require(error))
    #expect(text.contains("training.replicas is 6") && text.contains("1, 2, 3, 6"), "\(text)")
  }

  @Test func theScheduleIsComparedWithTheImagesOfAllReplicas() throws {
    var run = RunConfiguration()
    run.optimizer.referenceBatch = 32
    run.training.replicas = 16
    #expect(run.foreignReferenceBatch == nil)
    run.training.replicas = 8
    let warning = try #require(run.foreignBatchWarning)
    #expect(warning.contains("8 replicas") && warning.contains("have 16"), "\(warning)")
    let scaled = run.scaledToBatch().configuration
    #expect(scaled.optimizer.rate == run.optimizer.rate / 2 && scaled.foreignBatchWarning == nil)
  }

  @Test func aCacheAppliesTheHighestSlotThenTheHighestReplica() {
    var settings = BoxCacheSettings()
    settings.firstCall = 1
    var cache = BoxCache("cache", settings, filter: ProposalFilter())
    func entry(_ slot: Int, _ score: Float) -> BoxCache.Entry {
      BoxCache.Entry(
        slot: slot, image: 7, boxes: [ScoredBox(Box(x1: 0, y1: 0, x2: 9, y2: 9), score: score)])
    }
    cache.apply([[entry(1, 0.1)], [entry(0, 0.2), entry(1, 0.3)], [entry(0, 0.4)]], images: 2)
    #expect(cache.entries[7]?.first?.score == 0.3 && cache.callCount == 2)
    let before = cache
    let view = ImageView(
      imageID: 7, originalWidth: 100, originalHeight: 100, longSide: 100, shortSide: 100,
      isFlipped: false)
    let boxes = [ScoredBox(Box(x1: 20, y1: 20, x2: 60, y2: 60), score: 0.99)]
    _ = cache.merged(boxes, image: 7, view: view)
    _ = cache.merged(boxes, image: 8, view: view)
    #expect(cache.entries.count == 2 && cache.callCount == 4)
    let taken = cache.takenBack()
    #expect(cache == before && taken.images == 2 && taken.entries.map(\.image) == [7, 8])
  }
}
