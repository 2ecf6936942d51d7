import Baron
import Formats
import Layers
import Loading
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Training step", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct TrainingStepTests {
  /// The first batches of a world, in order.
  private func batches(_ world: TrainingWorld, _ count: Int) throws -> [LoadedBatch] {
    let loader = try Loader(
      streams: try TrainingData(world.configuration).streams,
      seed: UInt64(world.configuration.training.seed), threads: 1, prefetch: 1,
      warn: { Issue.record("\($0)") })
    defer { loader.stop() }
    return try (0..<count).map { _ in try loader.next() }
  }

  /// The parameters whose gradient is not zero everywhere; all gradients are cleared.
  private func reached(_ step: TrainingStep) throws -> Set<String> {
    var names: Set<String> = []
    for parameter in step.model.store.trained {
      if try parameter.gradient?.floats().contains(where: { $0 != 0 }) == true {
        names.insert(parameter.name)
      }
      parameter.value.node?.clearGradient()
    }
    return names
  }

  private func detectionLosses(
    _ step: TrainingStep, _ world: TrainingWorld, _ batch: LoadedBatch
  ) throws -> [String: Tensor] {
    let names = TrainingWorld.names
    return try step.model.detector.detectionLosses(
      try step.model.detector.startDetection(
        try world.configuration.preparation.detectionBatch(
          try #require(batch.streams[.detection]), on: step.student),
        classes: names.count, random: StepRandom(seed: 0, iteration: 0)),
      vocabulary: try step.model.vocabulary(
        names, isBase: names.map { TrainingWorld.base.contains($0) }),
      textEncoder: step.model.regionEncoder)
  }

  @Test func everyTrainedParameterLearns() throws {
    var world = try TrainingWorld()
    // Without decay, momentum is zero as long as no gradient has arrived.
    world.configuration.optimizer.weightDecay = 0
    // Boxes of 25 to 70 pixels and anchors of 8 to 128: every level of the pyramid has a positive.
    world.configuration.model.rpn.anchorSizes = [8, 16, 32, 64, 128]
    world.configuration.data.longSide = 256
    world.configuration.data.shortSides = [64, 96, 160]
    try TestDevice.withContext { context in
      let step = try world.trainer("run", on: context).job.step
      let text = try step.model.tokenizer.encode(
        ["a small bear"], contextLength: step.model.textEncoder.configuration.contextLength,
        overflow: .reject)
      let before = try step.model.textEncoder.encode(ids: text).sentences.floats()
      for batch in try batches(world, 8) { _ = try step.run(batch, learningRate: 0.01).scalars() }
      for (name, momentum) in step.update.momentum {
        #expect(try momentum.floats().contains { $0 != 0 }, "\(name) got no gradient")
      }
      #expect(Set(step.update.momentum.keys) == Set(step.model.store.trained.map(\.name)))
      // The text encoder that gradients pass through is as it was.
      #expect(try step.model.textEncoder.encode(ids: text).sentences.floats() == before)
    }
  }

  @Test func alignmentTrainsWhatItShould() throws {
    let world = try TrainingWorld()
    try TestDevice.withContext { context in
      let step = try world.trainer("run", on: context).job.step
      let distillation = try #require(step.methods.first { $0.stream == .alignment })
      let batch = try batches(world, 1)[0]
      let images = try world.configuration.preparation.alignmentBatch(
        try #require(batch.streams[.alignment]), student: step.student, teacher: step.teacher)
      let detector = step.model.detector
      let result = try distillation.losses(
        images, try detector.propose(images.images, frames: images.frames, training: true),
        detector: detector, random: StepRandom(seed: 0, iteration: 0))
      #expect(result.losses.keys.sorted() == ["loss_bag", "loss_single"])
      let bag = try #require(result.losses["loss_bag"])
      try bag.adding(try #require(result.losses["loss_single"])).backward()
      let aligned = try reached(step)
      #expect(aligned.contains { $0.hasPrefix("roi_head.baron_kd.") })
      #expect(aligned.contains("backbone.conv1.weight"))
      #expect(!aligned.contains { $0.hasPrefix("rpn_head.") })
      #expect(!aligned.contains { $0.contains("fc_reg") })

      var losses = try detectionLosses(step, world, batch)
      let removed = losses.removeValue(forKey: "loss_cls")
      let first = try #require(removed)
      try losses.values.reduce(first) { try $0.adding($1) }.backward()
      let detected = try reached(step)
      #expect(!detected.contains { $0.hasPrefix("roi_head.baron_kd.") })
      #expect(detected.contains { $0.hasPrefix("rpn_head.") })
    }
  }

  @Test(arguments: [true, false])
  func aDetachedObjectnessBranchTrainsItselfOnly(isDetached: Bool) throws {
    var world = try TrainingWorld()
    world.configuration.model.rpn.detached = isDetached
    try TestDevice.withContext { context in
      let step = try world.trainer("run", on: context).job.step
      let losses = try detectionLosses(step, world, try batches(world, 1)[0])
      try #require(losses["loss_rpn_cls"]).backward()
      let names = try reached(step)
      #expect(names.contains { $0.hasPrefix("rpn_head.rpn_cls") })
      #expect(names.allSatisfy { $0.hasPrefix("rpn_head.rpn_cls") } == isDetached)
      #expect(names.contains("backbone.conv1.weight") == !isDetached)
      #expect(names.contains("rpn_head.rpn_conv.weight") == !isDetached)
    }
  }

  @Test func theNormIsThatBeforeValuesAreLimited() throws {
    var world = try TrainingWorld()
    var norms: [Double] = []
    for (run, kind) in [("none", RunConfiguration.GradientLimit.Kind.none), ("value", .value)] {
      world.configuration.optimizer.gradientLimit.kind = kind
      world.configuration.optimizer.gradientLimit.limit = 1e-6
      try TestDevice.withContext { context in
        let step = try world.trainer(run, on: context).job.step
        let scalars = try step.run(try batches(world, 1)[0], learningRate: 0).scalars()
        norms.append(scalars.gradientNorm)
      }
    }
    #expect(norms[0] == norms[1] && norms[0] > 0)
  }

  @Test(arguments: [false, true])
  func memoryAndRoundTripsStayTheSame(captions: Bool) throws {
    let sizes = [(96, 96), (80, 112), (128, 72), (100, 60), (64, 120), (90, 84), (120, 110)]
    var world = try TrainingWorld(images: 14, sizes: sizes)
    world.configuration.optimizer.rate = 1e-4
    if captions { world.teachByCaptions(alone: false) }
    try TestDevice.withContext(poisoned: false) { context in
      let step = try world.trainer("run", on: context).job.step
      let queues = [step.student.queue, step.teacher.queue]
      var live: [Int] = []
      var reserved: [Int] = []
      var reads: [Int] = []
      for batch in try batches(world, 30) {
        let before = queues.reduce(0) { $0 + $1.readCount }
        let pending = try step.run(batch, learningRate: 1e-4)
        reads.append(queues.reduce(0) { $0 + $1.readCount } - before)
        #expect(try pending.scalars().notFinite.isEmpty)
        live.append(queues.reduce(0) { $0 + $1.pool.total.live })
        reserved.append(queues.reduce(0) { $0 + $1.pool.reserved })
      }
      #expect(Set(reads).count == 1, "round trips per step: \(reads)")
      // Queues are full by then; what is left is parameters, momentum and queues. A buffer may be
      // of a somewhat larger class from one step to the next.
      let settled = live.suffix(8)
      let (least, most) = (settled.min() ?? 0, settled.max() ?? 0)
      #expect(Double(most) <= 1.01 * Double(least), "bytes in use after a step: \(live)")
      // Sizes vary, so the largest step may come late, but not by much.
      let early = Double(reserved[4])
      #expect(Double(reserved[29]) <= 1.25 * early, "bytes reserved: \(reserved)")
    }
  }
}
