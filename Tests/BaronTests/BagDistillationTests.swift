import Baron
import CLIP
import Checkpoints
import Detection
import Formats
import Foundation
import Geometry
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite(
  "Distillation of bags",
  .enabled(
    if: FileManager.default.fileExists(atPath: Fixture.folder + "/clip_tiny/hf/config.json"),
    "clip_tiny/hf is missing from the fixtures: set BARON_FIXTURES"))
struct BagDistillationTests {
  /// A narrow student and the tiny teacher with two random images of 96x64 pixels.
  private struct World {
    let detector: FasterRCNN
    let distillation: BagDistillation
    let store: ParameterStore
    let batch: AlignmentBatch

    func proposed() throws -> ProposedImages {
      try detector.propose(batch.images, frames: batch.frames, training: true)
    }
  }

  private func withWorld(
    groundTruth: [[Box]] = [[Box(x1: 10, y1: 8, x2: 50, y2: 44)], []],
    _ change: (inout BagSettings) -> Void = { _ in }, _ body: (World) throws -> Void
  ) throws {
    try TestDevice.withContext { context in
      let student = try ComputeStream(context: context)
      let teacher = try ComputeStream(
        context: context, name: "teacher", library: student.library)
      let clip = try CLIPWeights(folder: Fixture.folder + "/clip_tiny/hf")
      var configuration = DetectorConfiguration()
      configuration.backbone.stemWidth = 8
      configuration.backbone.stageWidths = [4, 4, 8, 8]
      configuration.backbone.blocks = [1, 1, 1, 1]
      configuration.backbone.norm = .batch
      configuration.neck.channels = 16
      (configuration.rpn.preNMSTrain, configuration.rpn.postNMSTrain) = (40, 30)
      (configuration.head.convolutions, configuration.head.fcWidth) = (1, 24)
      configuration.head.norm = nil
      configuration.head.words = 2
      let store = ParameterStore(stream: student, seed: 5)
      let width = clip.configuration.text.width
      let detector = try FasterRCNN(
        store.root, configuration, text: TextWidths(word: width, embedding: width))
      var settings = BagSettings()
      settings.cache.enabled = false
      settings.filter.objectness = 0.3
      settings.filter.topCount = 6
      change(&settings)
      let text = ParameterStore(stream: student, seed: 0)
      let image = ParameterStore(stream: teacher, seed: 0)
      let parts = AlignmentParts(
        store.root, words: 2, text: try TextEncoder(clip, store: text),
        tokenizer: try Tokenizer(folder: Fixture.folder + "/clip_tiny/hf")
      ) { try ImageEncoder(clip, store: image) }
      let distillation = try BagDistillation(settings, parts)
      #expect(text.trained.isEmpty && image.trained.isEmpty, "CLIP is frozen")
      let pixels = randomFloats(2 * 64 * 96 * 3, seed: 3, in: -2...2)
      let batch = AlignmentBatch(
        images: try Tensor(pixels, shape: [2, 64, 96, 3], on: student),
        teacherImages: try Tensor(pixels, shape: [2, 64, 96, 3], on: teacher),
        frames: [7, 9].map {
          ImageView(imageID: $0, width: 96, height: 64, isFlipped: $0 == 9)
        }, groundTruth: groundTruth, captions: [[], []])
      try body(
        World(detector: detector, distillation: distillation, store: store, batch: batch))
    }
  }

  private func losses(_ world: World, iteration: Int = 0) throws -> [String: Float] {
    let result = try world.distillation.losses(
      world.batch, try world.proposed(), detector: world.detector,
      random: StepRandom(seed: 1, iteration: iteration))
    return try values(of: result)
  }

  /// Both losses of a step, which must be numbers.
  private func values(of result: AlignmentResult) throws -> [String: Float] {
    let values = try result.losses.mapValues { try $0.floats()[0] }
    #expect(Set(values.keys) == ["loss_bag", "loss_single"])
    #expect(values.values.allSatisfy { $0.isFinite && $0 >= 0 }, "\(values)")
    return values
  }

  @Test("counts agree and the queues take what the step gave")
  func counts() throws {
    try withWorld { world in
      let result = try world.distillation.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      _ = try values(of: result)
      func count(_ key: String) throws -> Int { try #require(result.counts[key], "\(key)") }
      #expect(try count("proposals") >= 2)
      #expect(try count("bags") >= count("proposals"))
      #expect(try count("sequences") >= count("bags"))
      #expect(try count("occurrences") >= count("sequences"))
      let (bags, crops) = (try count("bags"), try count("crops"))
      #expect((1...bags).contains(crops))
      let queues = world.distillation.state.queues
      #expect(
        queues.map(\.name) == [
          "student_bags", "teacher_bags", "student_regions", "teacher_regions",
        ])
      let rows = [try count("sequences"), try count("occurrences")]
      #expect(queues.map(\.images.count) == [rows[0], rows[0], rows[1], rows[1]])
      #expect(queues[0].images == queues[1].images && queues[2].images == queues[3].images)
      #expect(queues.allSatisfy { Set($0.images) == [7, 9] })
      #expect(try count("bag_queue") == count("sequences"))
    }
  }

  @Test("a step depends on seed, iteration and images alone")
  func determinism() throws {
    var first: [String: Float] = [:]
    var again: [String: Float] = [:]
    var next: [String: Float] = [:]
    try withWorld { first = try losses($0, iteration: 4) }
    try withWorld { again = try losses($0, iteration: 4) }
    try withWorld { next = try losses($0, iteration: 5) }
    #expect(again == first && next != first)
  }

  @Test("images without boxes or sure proposals still have a bag")
  func nothingFound() throws {
    try withWorld(groundTruth: [[], []], { $0.filter.objectness = 1 }) { world in
      let result = try world.distillation.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      #expect(result.counts["proposals"] == 2)
      _ = try values(of: result)
    }
  }

  @Test("a cap of any size leaves a bag for each image", arguments: [1, 3, 7])
  func cap(limit: Int) throws {
    try withWorld({ $0.occurrenceLimit = limit }) { world in
      let result = try world.distillation.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      let occurrences = try #require(result.counts["occurrences"])
      #expect((2...2 * limit).contains(occurrences))
      #expect(result.counts["proposals"] == 2 || limit > 1)
      _ = try values(of: result)
    }
  }

  @Test("a loss without weight is zero and gives no gradient", arguments: ["bag", "single"])
  func regionsAlone(kind: String) throws {
    try withWorld({ $0.kind = .regions }) { world in
      let result = try world.distillation.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      let loss = try #require(result.losses["loss_\(kind)"])
      try loss.backward()
      let moved = try world.store.trained.filter { parameter in
        try parameter.gradient?.floats().contains { $0 != 0 } ?? false
      }
      // The other loss shows that gradients would be seen.
      #expect(try loss.floats()[0] == 0 || kind == "single")
      #expect(moved.isEmpty == (kind == "bag"), "\(moved.count)")
    }
  }

  @Test("the cache passes boxes on from its first call")
  func cache() throws {
    try withWorld({
      $0.cache.enabled = true
      $0.cache.capacity = 5
      $0.cache.firstCall = 3
    }) { world in
      _ = try losses(world)
      #expect(world.distillation.state.cache?.entries.isEmpty == true)
      #expect(world.distillation.state.cache?.callCount == 2)
      _ = try losses(world, iteration: 1)
      let entries = try #require(world.distillation.state.cache?.entries)
      #expect(Set(entries.keys) == [7, 9])
      #expect(entries.values.allSatisfy { (1...5).contains($0.count) })
    }
  }

  @Test("without position embedding there are no weights of it, and words stay in place")
  func positions() throws {
    var plain: [String: Float] = [:]
    try withWorld { world in
      plain = try losses(world)
      #expect(world.store.parameters.contains { $0.name.contains("positional_embed") })
    }
    try withWorld({ $0.positionEmbedding = false }) { world in
      #expect(!world.store.parameters.contains { $0.name.contains("positional_embed") })
      let without = try losses(world)
      #expect(without != plain)
    }
  }

  @Test("masked crops see their boxes only")
  func masks() throws {
    var plain: [String: Float] = [:]
    try withWorld { plain = try losses($0) }
    try withWorld({ $0.cropMask = true }) { world in
      let masked = try losses(world)
      #expect(masked != plain)
    }
  }
}
