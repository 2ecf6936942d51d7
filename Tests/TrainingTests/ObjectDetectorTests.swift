import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

@testable import Training

@Suite("Object detector", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ObjectDetectorTests {
  @Test func aRunFindsTheSameAsTheModelItWasSavedFrom() throws {
    var world = try TrainingWorld(images: 4)
    world.configuration.training.iterations = 2
    world.configuration.model.head.detections.scoreThreshold = 0
    let image = try ImageDecoder.decode(path: world.path("1.png"))
    // A vocabulary of other names than those of training.
    let vocabulary = ["red apple", "bear", "violin"]
    var wanted: [ObjectDetector.Found] = []
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      try trainer.train()
      wanted = try ObjectDetector(
        model: trainer.job.step.model, configuration: world.configuration,
        vocabulary: .dataSet(vocabulary)
      ).detect([image])[0]
    }
    #expect(
      !wanted.isEmpty
        && wanted.count <= world.configuration.model.head.detections.detectionsPerImage)
    #expect(zip(wanted, wanted.dropFirst()).allSatisfy { $0.score >= $1.score })
    for found in wanted {
      #expect(vocabulary.indices.contains(found.label) && (0...1).contains(found.score))
      #expect(found.box.x1 >= 0 && found.box.x2 <= Float(image.width))
      #expect(found.box.y1 >= 0 && found.box.y2 <= Float(image.height))
    }
    try TestDevice.withContext { context in
      let stream = try ComputeStream(context: context)
      for path in [world.path("run"), world.checkpoint("run", 2)] {
        let detector = try ObjectDetector(
          ModelLocation(run: path, warn: { _ in }), vocabulary: .dataSet(vocabulary), on: stream,
          warn: { Issue.record("\($0)") })
        #expect(detector.report.contains("0 missing"))
        #expect(try detector.detect([image]) == [wanted])
      }
      // A picture of one pixel's height has no room for anything, but is no error.
      let thin = Image(width: 50, height: 1)
      _ = try ObjectDetector(
        ModelLocation(run: world.path("run"), warn: { Issue.record("\($0)") }),
        vocabulary: .dataSet(["bear"]), on: stream, warn: { _ in }
      ).detect([thin])
    }
  }

  /// Two pictures of one colour that are resized to the same input: boxes must differ by the
  /// pictures' scale alone, along both axes.
  @Test(arguments: [(144, 48), (48, 144)])
  func boxesOfLongPicturesComeBackInTheirOwnPixels(width: Int, height: Int) throws {
    var world = try TrainingWorld(images: 2)
    world.configuration.training.iterations = 1
    world.configuration.model.head.detections.scoreThreshold = 0
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      let detector = try ObjectDetector(
        model: trainer.job.step.model, configuration: world.configuration,
        vocabulary: .dataSet(["bear"]))
      func grey(_ scale: Int) throws -> [ObjectDetector.Found] {
        try detector.detect([
          Image(width: scale * width, height: scale * height, filledWith: Color(90, 90, 90))
        ])[0]
      }
      let (small, large) = (try grey(1), try grey(2))
      #expect(!small.isEmpty && small.count == large.count)
      for (one, two) in zip(small, large) {
        #expect(one.label == two.label && one.score == two.score)
        for (a, b) in [
          (one.box.x1, two.box.x1), (one.box.y1, two.box.y1), (one.box.x2, two.box.x2),
          (one.box.y2, two.box.y2),
        ] {
          #expect(abs(2 * a - b) < 1e-2)
        }
      }
      #expect(small.contains { $0.box.x2 > 0.8 * Float(width) })
      #expect(small.contains { $0.box.y2 > 0.8 * Float(height) })
    }
  }

  @Test func whatCannotBeLoadedIsNamed() throws {
    var world = try TrainingWorld(images: 2)
    world.configuration.training.iterations = 1
    try TestDevice.withContext(poisoned: false) { context in
      let stream = try ComputeStream(context: context)
      func message(_ path: String, _ vocabulary: [String] = ["bear"]) -> String {
        do {
          _ = try ObjectDetector(
            ModelLocation(run: path, warn: { _ in }), vocabulary: .dataSet(vocabulary), on: stream,
            warn: { _ in })
          return "accepted"
        } catch {
          return line(of: error)
        }
      }
      #expect(message(world.path("nowhere")).contains(world.path("nowhere")))
      do { _ = try world.trainer("run", on: context) }
      #expect(message(world.path("run")).contains("checkpoint"))
      do {
        try world.trainer("trained", on: context).train()
      }
      #expect(message(world.path("trained")) == "accepted")
      #expect(message(world.path("trained"), []).contains("give at least one class name"))
      let long = [String](repeating: "word", count: 200).joined(separator: " ")
      #expect(message(world.path("trained"), [long]).contains("word"))
      let weights = world.checkpoint("trained", 1) + "/model.safetensors"
      try Data("{}".utf8).write(to: URL(filePath: weights))
      // The folder no longer fits its list of files.
      #expect(message(world.path("trained")).contains("checkpoint"))
      #expect(
        message(world.checkpoint("trained", 1)).hasPrefix(
          "\(world.checkpoint("trained", 1)): model.safetensors has 2 bytes instead of "))
    }
  }
}
