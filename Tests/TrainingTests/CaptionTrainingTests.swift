import Foundation
import Loading
import OpenCL
import Pictures
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite(
  "Training with captions", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct CaptionTrainingTests {
  private func world(alone: Bool) throws -> TrainingWorld {
    var world = try TrainingWorld()
    world.teachByCaptions(alone: alone)
    return world
  }

  private func files(_ folder: String) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    return try Dictionary(
      uniqueKeysWithValues: names.map {
        ($0, try #require(FileManager.default.contents(atPath: "\(folder)/\($0)")))
      })
  }

  @Test(arguments: [true, false])
  func aResumedRunIsTheUninterruptedOne(alone: Bool) throws {
    let world = try world(alone: alone)
    try TestDevice.withContext { context in
      do {
        let trainer = try world.trainer("straight", on: context)
        try trainer.train()
        let methods = trainer.job.step.methods
        #expect(methods.map(\.stream) == (alone ? [.captions] : [.alignment, .captions]))
        let queues = try #require(methods.last).state.queues
        #expect(queues.map(\.name) == ["caption_sentences", "captions"])
        #expect(queues.map(\.images.count) == [20, 12])
        if alone {
          #expect(trainer.job.step.teacher.queue.pool.total.peak == 0, "no image encoder")
        }
      }
      var steps = 0
      do {
        let stopped = try world.trainer("stopped", on: context)
        #expect(throws: TrainingError.self) {
          try stopped.train(shouldStop: { steps == 3 }, afterStep: { _ in steps += 1 })
        }
      }
      try world.trainer("stopped", on: context, resumes: true).train()
      let (wanted, found) = try (
        files(world.checkpoint("straight", 6)), files(world.checkpoint("stopped", 6))
      )
      for (name, data) in wanted { #expect(found[name] == data, "\(name)") }
      let records = try world.records("straight")
      #expect(try world.records("stopped") == records)
      let teachers: Set = alone ? ["loss_caption"] : ["loss_caption", "loss_bag", "loss_single"]
      #expect(
        Set(records[0].losses.keys)
          == teachers.union(["loss_cls", "loss_bbox", "loss_rpn_cls", "loss_rpn_bbox"]))
      for record in records {
        #expect(record.losses.values.allSatisfy { $0.isFinite })
        for count in [
          "caption_regions", "sentences", "captions", "caption_queue", "positive_anchors",
          "positive_regions",
        ] {
          #expect(record.measures[count] ?? 0 > 0, "\(count)")
        }
        #expect((record.measures["sequences"] == nil) == alone)
      }
      let timed = try MetricLog.records(in: world.path("straight") + "/metrics.jsonl")
      for record in timed {
        let images = record.imagesPerSecond * record.seconds
        #expect(abs(images - (alone ? 4 : 6)) < 1e-6, "images of all streams count: \(images)")
      }
      try detects(world, with: "straight", on: context)
    }
  }

  /// What the method alone needs is not in the way of using the run.
  private func detects(_ world: TrainingWorld, with run: String, on context: Context) throws {
    let image = try ImageDecoder.decode(path: world.path("1.png"))
    let detector = try ObjectDetector(
      ModelLocation(run: world.path(run), warn: { Issue.record("\($0)") }),
      vocabulary: .dataSet(["apple", "bear"]),
      on: try ComputeStream(context: context), warn: { Issue.record("\($0)") })
    #expect(detector.report.contains("0 missing"))
    for found in try detector.detect([image], above: 0).joined() {
      #expect((0...1).contains(found.score))
    }
  }

  @Test(arguments: [true, false])
  func everyTrainedParameterLearns(alone: Bool) throws {
    var world = try world(alone: alone)
    // Without decay, momentum is zero as long as no gradient has arrived.
    world.configuration.optimizer.weightDecay = 0
    world.configuration.model.rpn.anchorSizes = alone ? [16, 32, 64] : [8, 16, 32, 64, 128]
    world.configuration.data.longSide = 256
    world.configuration.data.shortSides = [64, 96, 160]
    try TestDevice.withContext { context in
      let step = try world.trainer("run", on: context).job.step
      let loader = try Loader(
        streams: try TrainingData(world.configuration).streams, seed: 0, threads: 1, prefetch: 1,
        warn: { Issue.record("\($0)") })
      defer { loader.stop() }
      for _ in 0..<8 { _ = try step.run(try loader.next(), learningRate: 0.01).scalars() }
      let names = Set(step.update.momentum.keys)
      #expect(names == Set(step.model.store.trained.map(\.name)))
      #expect(names.contains { $0.hasPrefix("roi_head.baron_caption.positional_embed.") })
      #expect(names.contains { $0.hasPrefix("roi_head.baron_kd.") } == !alone)
      for (name, momentum) in step.update.momentum {
        #expect(try momentum.floats().contains { $0 != 0 }, "\(name) got no gradient")
      }
    }
  }

  @Test func sixteenBitActivationsGiveLossesNearThoseOf32() throws {
    var world = try world(alone: true)
    world.configuration.training.iterations = 2
    var losses: [Double] = []
    try TestDevice.withContext { context in
      for precision in [Precision.float32, .bfloat16] {
        world.configuration.training.precision = precision
        try world.trainer(precision.rawValue, on: context).train()
        let records = try world.records(precision.rawValue)
        losses.append(try #require(records[0].losses["loss_caption"]))
        #expect(records.allSatisfy { $0.losses.values.allSatisfy { $0.isFinite } })
      }
    }
    #expect(abs(losses[1] - losses[0]) <= 0.1 * losses[0], "\(losses)")
  }

  @Test func aCheckpointWithoutTheQueuesIsRefused() throws {
    var world = try world(alone: true)
    world.configuration.training.iterations = 2
    let whole = world.checkpoint("run", 2)
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context).train()
      world.configuration.captions.captionQueueLength = 2
      let step = try world.trainer("short", on: context).job.step
      let error = #expect(throws: (any Error).self) {
        _ = try TrainingState(restoring: whole, into: step)
      }
      let text = line(of: try #require(error))
      #expect(text.contains("queue.captions.rows") && text.contains("the configuration allows 2"))
      let index = "\(whole)/state.json"
      let old = try String(contentsOfFile: index, encoding: .utf8)
      try Data(old.replacing("caption_sentences", with: "sentences").utf8).write(
        to: URL(filePath: index))
      let missing = #expect(throws: (any Error).self) {
        _ = try TrainingState(restoring: whole, into: step)
      }
      #expect(line(of: try #require(missing)).contains("queue_rows.caption_sentences is missing"))
    }
  }
}
