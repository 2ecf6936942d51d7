import CLIP
import Checkpoints
import DemoWorld
import Foundation
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@testable import Training

/// A drawn world and the small CLIP model that learns from its captions.
private struct CaptionWorld {
  let scratch: Scratch
  var configuration: CLIPTrainingConfiguration

  init(images: Int, regions: Int = 4, iterations: Int) throws {
    scratch = try Scratch()
    for (name, count, seed) in [("train", images, UInt64(1)), ("test", 40, 2)] {
      try DemoWorld.write(
        to: "\(scratch.folder)/\(name)", images: count, seed: seed,
        regionsPerImage: name == "train" ? regions : 0)
    }
    configuration = try CLIPTrainingConfiguration.load("demo-teacher")
    let train = "\(scratch.folder)/train"
    configuration.data.trainCaptions = "\(train)/annotations/region_captions.json"
    configuration.data.trainImages = "\(train)/images"
    configuration.data.classSplit = "\(train)/annotations/classes.json"
    configuration.data.validationAnnotations =
      "\(scratch.folder)/test/annotations/instances.json"
    configuration.data.validationImages = "\(scratch.folder)/test/images"
    configuration.training.iterations = iterations
  }

  /// Makes the model so small that a step takes milliseconds.
  mutating func shrink() {
    configuration.model.imageSize = 16
    configuration.model.embeddingWidth = 16
    configuration.model.vision = .init(width: 32, layers: 2, heads: 2)
    configuration.model.text = .init(width: 32, layers: 1, heads: 2)
    configuration.training.batch = 6
    configuration.training.checkpointEvery = 3
    configuration.optimizer.warmupIterations = 2
  }

  func path(_ run: String) -> String { "\(scratch.folder)/\(run)" }

  func trainer(
    _ run: String, on context: Context, resumes: Bool = false,
    onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingLoop<CLIPTraining> {
    try TrainingLoop(
      configuration: configuration,
      run: resumes
        ? RunFolder.resume(at: path(run))
        : RunFolder.create(at: path(run), yaml: configuration.yaml()),
      context: context, onEvent: onEvent)
  }
}

@Suite("CLIP training")
struct CLIPTrainingTests {
  private func bytes(_ path: String) throws -> Data {
    try #require(FileManager.default.contents(atPath: path), "\(path)")
  }

  @Test func batchesAreReproducibleAndTakeEachImageOnce() throws {
    var world = try CaptionWorld(images: 13, iterations: 1)
    world.shrink()
    let data = try CLIPTrainingData(world.configuration)
    // Thirteen images are two batches of six an epoch.
    for epoch in 0..<3 {
      let images = (0..<2).flatMap { data.choice(2 * epoch + $0) }.map {
        data.regions.pairs[$0].imageIndex
      }
      #expect(Set(images).count == 12)
    }
    #expect(data.choice(0) != data.choice(2))
    let again = try CLIPTrainingData(world.configuration)
    #expect(again.choice(4) == data.choice(4) && again.choice(0) == data.choice(0))
    world.configuration.training.seed = 1
    #expect(try CLIPTrainingData(world.configuration).choice(0) != data.choice(0))
  }

  @Test func aBatchLargerThanTheSetIsRefused() throws {
    var world = try CaptionWorld(images: 5, iterations: 1)
    world.shrink()
    let error = #expect(throws: (any Error).self) { try CLIPTrainingData(world.configuration) }
    let text = "\(try #require(error))"
    #expect(
      text.contains("region_captions.json") && text.contains("training.batch is 6")
        && !text.contains("\n"))
  }

  @Test func anUnreadableImageCostsOneWarning() throws {
    var world = try CaptionWorld(images: 13, iterations: 4)
    world.shrink()
    let bad = "\(world.scratch.folder)/train/images/000003.png"
    try Data("no picture".utf8).write(to: URL(filePath: bad))
    var warnings: [String] = []
    var steps = 0
    try TestDevice.withContext { context in
      try world.trainer("run", on: context) { event in
        switch event {
        case .warning(let text): warnings.append(text)
        case .step: steps += 1
        default: break
        }
      }.train()
    }
    #expect(steps == 4)
    #expect(warnings.count == 1 && warnings[0].contains(bad), "\(warnings)")
  }

  @Test func nothingButUnreadableImagesStopsTheRun() throws {
    var world = try CaptionWorld(images: 6, iterations: 1)
    world.shrink()
    for index in 0..<6 {
      try Data().write(
        to: URL(filePath: "\(world.scratch.folder)/train/images/00000\(index).png"))
    }
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      let error = #expect(throws: (any Error).self) { try trainer.train() }
      #expect("\(try #require(error))".contains(".png"))
    }
  }

  @Test func aResumedRunIsTheUninterruptedOne() throws {
    var world = try CaptionWorld(images: 13, iterations: 6)
    world.shrink()
    try TestDevice.withContext { context in
      try world.trainer("straight", on: context).train()
      let stopped = try world.trainer("stopped", on: context)
      var asked = 0
      let error = #expect(throws: TrainingError.self) {
        try stopped.train(shouldStop: {
          asked += 1
          return asked == 5
        })
      }
      #expect("\(try #require(error))".contains("stopped after 4 iterations"))
    }
    try TestDevice.withContext { context in
      #expect(CLIPTraining.score(of: world.path("stopped")) == nil)
      var notes: [String] = []
      try world.trainer("stopped", on: context, resumes: true) {
        if case .note(let text) = $0 { notes.append(text) }
      }.train()
      #expect(notes.contains { $0.hasPrefix("resuming at iteration 4 from") })
    }
    for file in ["clip/model.safetensors", "clip/config.json", "clip/vocab.json", "zero_shot.json"]
    {
      #expect(
        try bytes("\(world.path("stopped"))/\(file)")
          == bytes("\(world.path("straight"))/\(file)"), "\(file)")
    }
    #expect(
      try MetricLog.records(in: world.path("stopped") + "/metrics.jsonl").map(\.withoutTimings)
        == MetricLog.records(in: world.path("straight") + "/metrics.jsonl").map(\.withoutTimings))
    #expect(CLIPTraining.score(of: world.path("stopped"))?.classCount == 24)
  }

  @Test func theOrdinaryLoaderReadsTheModelBack() throws {
    var world = try CaptionWorld(images: 13, iterations: 1)
    world.shrink()
    try TestDevice.withStream { stream in
      let folder = world.path("model")
      try RunFolder.makeFolder(folder)
      let tokens = try Tokenizer.writeVocabulary(of: ["a disk and a star"], to: folder)
      let model = try ContrastiveModel(
        ParameterStore(stream: stream, seed: 3),
        configuration: world.configuration.model.configuration(vocabulary: tokens))
      try model.write(to: folder)
      let weights = try CLIPWeights(folder: folder)
      #expect(weights.configuration == model.configuration)
      let text = try TextEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
      let image = try ImageEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
      let ids = try Tokenizer(folder: folder).encode(
        ["a star"], contextLength: 40, overflow: .reject)
      #expect(
        try text.encode(ids: ids).sentences.floats()
          == model.text.encode(ids: ids).sentences.floats())
      let crops = try Tensor(
        randomFloats(2 * 16 * 16 * 3, seed: 1), shape: [2, 16, 16, 3], on: stream)
      let features = try image.encode(crops).images.floats()
      #expect(try features == model.image.imageFeatures(crops).floats())
      #expect(try features == model.image.encode(crops).images.floats())
    }
  }

  /// The loss along its own gradient must change by the gradient's square, over all parameters.
  @Test func gradientsAreThoseOfTheLoss() throws {
    var world = try CaptionWorld(images: 13, iterations: 1)
    world.shrink()
    try TestDevice.withStream { stream in
      let model = try ContrastiveModel(
        ParameterStore(stream: stream, seed: 3),
        configuration: world.configuration.model.configuration(vocabulary: 20))
      let crops = try Tensor(
        randomFloats(4 * 16 * 16 * 3, seed: 1), shape: [4, 16, 16, 3], on: stream)
      let ids: [[Int32]] = [[18, 3, 19, 0], [18, 4, 5, 19], [18, 3, 3, 19], [18, 6, 7, 19]]
      func loss() throws -> Tensor {
        // The second and the fourth caption are of one group.
        try model.loss(crops: crops, ids: ids, groups: [0, 1, 2, 1])
      }
      try loss().backward()
      let parameters = model.store.trained
      let gradients = try parameters.map { parameter in
        try #require(parameter.gradient, "\(parameter.name) has no gradient").floats()
      }
      let squares = gradients.joined().reduce(0) { $0 + Double($1) * Double($1) }
      #expect(squares > 1e-4)
      let values = try parameters.map { try $0.value.floats() }
      let step = 1e-2 / squares.squareRoot()
      func moved(_ sign: Double) throws -> Double {
        for (index, parameter) in parameters.enumerated() {
          try parameter.value.overwrite(
            with: zip(values[index], gradients[index]).map {
              Float(Double($0) + sign * step * Double($1))
            })
        }
        return try stream.withoutGradients { Double(try loss().floats()[0]) }
      }
      let slope = (try moved(1) - moved(-1)) / (2 * step)
      #expect(abs(slope - squares) < 0.02 * squares, "slope \(slope), square \(squares)")
    }
  }

  /// Chance is 1 in 24.
  @Test("half a minute of training beats chance by far")
  func learns() throws {
    var world = try CaptionWorld(images: 800, regions: 8, iterations: 260)
    world.configuration.training.checkpointEvery = 1000
    world.configuration.optimizer.warmupIterations = 30
    var first: Double?
    var last = 0.0
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context) { event in
        guard case .step(let record) = event else { return }
        first = first ?? record.totalLoss
        last = record.totalLoss
      }.train()
    }
    let score = try #require(CLIPTraining.score(of: world.path("run")))
    #expect(try #require(first) > 4 && last < 3.5, "loss \(first ?? 0), then \(last)")
    let right = score.base * Double(score.baseCount) + score.novel * Double(score.novelCount)
    let share = right / Double(score.baseCount + score.novelCount)
    #expect(share > 0.2, "\(score.summary)")
  }
}
