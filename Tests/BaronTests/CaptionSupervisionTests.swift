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
  "Caption supervision",
  .enabled(
    if: FileManager.default.fileExists(atPath: Fixture.folder + "/clip_tiny/hf/config.json"),
    "clip_tiny/hf is missing from the fixtures: set BARON_FIXTURES"))
struct CaptionSupervisionTests {
  /// A narrow student on a single map and the tiny text encoder, with two random images.
  private struct World {
    let detector: FasterRCNN
    let supervision: CaptionSupervision
    let store: ParameterStore
    let text: TextEncoder
    let tokenizer: Tokenizer
    let batch: AlignmentBatch

    func proposed() throws -> ProposedImages {
      try detector.propose(batch.images, frames: batch.frames, training: true)
    }
  }

  private func withWorld(
    captions: [[String]] = [["a red ball", "two balls on grass"], ["a dog"]],
    proposals: Int = 30, wordDropout: Double = 0.5,
    _ change: (inout CaptionSettings) -> Void = { _ in }, _ body: (World) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let folder = Fixture.folder + "/clip_tiny/hf"
      let clip = try CLIPWeights(folder: folder)
      var configuration = DetectorConfiguration()
      configuration.backbone.stemWidth = 8
      configuration.backbone.stageWidths = [4, 4, 8, 8]
      configuration.backbone.blocks = [1, 1, 1, 1]
      configuration.backbone.style = .caffe
      configuration.rpn.detached = false
      configuration.rpn.anchorStrides = [16]
      (configuration.rpn.preNMSTrain, configuration.rpn.postNMSTrain) = (40, proposals)
      configuration.head.kind = .c4
      configuration.head.words = 2
      configuration.head.wordDropout = wordDropout
      let store = ParameterStore(stream: stream, seed: 5)
      let width = clip.configuration.text.width
      let detector = try FasterRCNN(
        store.root, configuration, text: TextWidths(word: width, embedding: width))
      var settings = CaptionSettings()
      settings.filter.objectness = 0.3
      settings.filter.topCount = 20
      settings.regionLimit = 3
      change(&settings)
      let frozen = ParameterStore(stream: stream, seed: 0)
      let text = try TextEncoder(clip, store: frozen)
      let tokenizer = try Tokenizer(folder: folder)
      let parts = AlignmentParts(store.root, words: 2, text: text, tokenizer: tokenizer) {
        throw CheckpointError.configuration(
          path: folder, field: "vision", reason: "captions need no image encoder")
      }
      let supervision = try CaptionSupervision(settings, parts)
      #expect(frozen.trained.isEmpty, "CLIP is frozen")
      let pixels = randomFloats(2 * 64 * 96 * 3, seed: 3, in: -2...2)
      let batch = AlignmentBatch(
        images: try Tensor(pixels, shape: [2, 64, 96, 3], on: stream), teacherImages: nil,
        frames: [7, 9].map {
          ImageView(imageID: $0, width: 96, height: 64)
        }, groundTruth: [[], []], captions: captions)
      try body(
        World(
          detector: detector, supervision: supervision, store: store, text: text,
          tokenizer: tokenizer, batch: batch))
    }
  }

  private func loss(_ world: World, iteration: Int = 0) throws -> Float {
    let result = try world.supervision.losses(
      world.batch, try world.proposed(), detector: world.detector,
      random: StepRandom(seed: 1, iteration: iteration))
    return try #require(try result.losses["loss_caption"]?.floats().first)
  }

  @Test("counts agree and the queues take what the step gave")
  func counts() throws {
    try withWorld { world in
      let result = try world.supervision.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      func count(_ key: String) throws -> Int { try #require(result.counts[key], "\(key)") }
      let (regions, sentences) = (try count("caption_regions"), try count("sentences"))
      #expect((4...8).contains(regions), "two images with 1 to 3 proposals and themselves")
      #expect((4...8).contains(sentences), "2! to 4 orders each")
      #expect(try count("captions") == 3)
      #expect(try count("caption_queue") == 3)
      let alignment = world.supervision.alignment
      #expect(alignment.captionQueue.images == [7, 7, 9])
      #expect(alignment.sentenceQueue.images.count == sentences)
      #expect(Set(alignment.sentenceQueue.images) == [7, 9])
      let again = try loss(world, iteration: 1)
      #expect(again.isFinite)
      #expect(world.supervision.alignment.captionQueue.images == [7, 7, 9, 7, 7, 9])
    }
  }

  @Test("a step depends on seed, iteration and images alone")
  func determinism() throws {
    var losses: [Float] = []
    for iteration in [4, 4, 5] {
      try withWorld { losses.append(try loss($0, iteration: iteration)) }
    }
    #expect(losses[0] == losses[1] && losses[0] != losses[2])
  }

  @Test("the whole image alone is the sentence when there are no proposals or none is wanted")
  func wholeImage() throws {
    var losses: [Float] = []
    try withWorld(proposals: 0, wordDropout: 0) { world in
      losses.append(try loss(world))
      #expect(world.supervision.alignment.sentenceQueue.images == [7, 9])
    }
    try withWorld(wordDropout: 0, { $0.regionLimit = 0 }) { world in
      losses.append(try loss(world))
      // The same from its parts.
      let stream = world.batch.images.stream
      let whole = Box(x1: 0, y1: 0, x2: 96, y2: 64)
      let maps = try world.detector.features(world.batch.images, training: true)
      let pooled = try world.detector.regionFeatures(
        maps, regions: try Tensor.regions([Region]([[whole], [whole]]), on: stream), training: true)
      let position = try PositionEmbedding(
        ParameterStore(stream: stream, seed: 5).root / "baron_caption" / "positional_embed",
        words: 2,
        width: world.text.configuration.text.width)
      let unit = Box(x1: 0, y1: 0, x2: 1, y2: 1)
      let head = world.detector.head.alignment
      let words = try head.words(try head.features(pooled, training: true))
        .adding(try position([unit, unit], on: stream))
      let sentences = try StudentEmbeddings(
        words: words, keep: [[true, true], [true, true]], lengths: [1, 1], encoder: world.text
      ).sequences
      let ids = try world.tokenizer.encode(
        Array(world.batch.captions.joined()),
        contextLength: world.text.configuration.contextLength, overflow: .reject)
      var alignment = CaptionAlignment(CaptionSettings())
      let wanted = try alignment.loss(
        sentences: sentences, sentenceImages: [7, 9],
        captions: try world.text.encode(ids: ids).sentences, captionImages: [7, 7, 9])
      expectClose(
        losses, [Float](repeating: try wanted.floats()[0], count: 2), relative: 1e-4, "loss")
    }
  }

  @Test("a proposal that is sure of nothing still stands beside the whole image")
  func bestProposal() throws {
    try withWorld({ $0.filter.objectness = 1 }) { world in
      let result = try world.supervision.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      #expect(result.counts["caption_regions"] == 4 && result.counts["sentences"] == 4)
    }
  }

  @Test("gradients reach the head and the backbone, not the proposal network")
  func gradients() throws {
    try withWorld { world in
      let result = try world.supervision.losses(
        world.batch, try world.proposed(), detector: world.detector,
        random: StepRandom(seed: 1, iteration: 0))
      try #require(result.losses["loss_caption"]).backward()
      var reached: Set<String> = []
      for parameter in world.store.trained {
        let values = try parameter.gradient?.floats() ?? []
        if values.contains(where: { $0 != 0 }) { reached.insert(parameter.name) }
      }
      for name in ["backbone.conv1.weight", "baron_caption.positional_embed.pos_proj.2.weight"] {
        #expect(reached.contains(name), "\(name)")
      }
      #expect(reached.contains { $0.hasPrefix("roi_head.shared_head.") })
      #expect(reached.contains { $0.hasPrefix("roi_head.bbox_head.fc_cls") })
      #expect(!reached.contains { $0.hasPrefix("rpn_head.") || $0.contains("fc_reg") })
    }
  }

  @Test("a caption longer than the context is cut")
  func longCaption() throws {
    let long = [String](repeating: "ball", count: 200).joined(separator: " ")
    var losses: [Float] = []
    // What is behind the cut does not matter.
    for end in ["", " dog"] {
      try withWorld(captions: [[long + end], ["a dog"]]) { losses.append(try loss($0)) }
    }
    #expect(losses[0] == losses[1] && losses[0].isFinite)
  }
}
