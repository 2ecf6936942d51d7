import Evaluation
import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Validation", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ValidationRunTests {
  /// A world whose validation pictures lie in a folder of their own, where some are missing.
  private func world(images: Int, missing: Int) throws -> TrainingWorld {
    var world = try TrainingWorld(images: images)
    let folder = world.path("validation")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for index in missing..<images {
      try FileManager.default.copyItem(
        atPath: world.path("\(index).png"), toPath: "\(folder)/\(index).png")
    }
    world.configuration.data.validationImages = folder
    world.configuration.training.iterations = 1
    return world
  }

  /// Validates with a model that has learnt nothing.
  private func validate(
    _ world: TrainingWorld
  ) throws -> (summary: EvaluationSummary, warnings: [String]) {
    var result: (EvaluationSummary, [String])?
    try TestDevice.withContext(poisoned: false) { context in
      let trainer = try world.trainer("run", on: context)
      let validation = try ValidationRun(world.configuration)
      let detector = try ObjectDetector(
        model: trainer.job.step.model, configuration: world.configuration,
        vocabulary: .dataSet(validation.vocabulary))
      var warnings: [String] = []
      let summary = try validation.run(
        detector, writingTo: world.path("found.json"), progress: { _ in },
        warn: { warnings.append($0) })
      result = (summary, warnings)
    }
    return try #require(result)
  }

  @Test func picturesThatAreMissingAreCounted() throws {
    let world = try world(images: 8, missing: 6)
    let (summary, warnings) = try validate(world)
    #expect(summary.unreadableImages == 6 && summary.images == 8)
    #expect(summary.json["images_unreadable"] == 6)
    // Five with their reasons, then the number.
    #expect(warnings.count == 6)
    #expect(warnings[0].hasPrefix("\(world.path("validation"))/0.png: no such file"))
    #expect(warnings[5].hasPrefix("6 of 8 images of ") && warnings[5].contains("too low"))
  }

  @Test func noPictureAtAllIsAnError() throws {
    let world = try world(images: 3, missing: 3)
    let error = #expect(throws: ValidationRunError.self) { try validate(world) }
    let text = line(of: try #require(error))
    #expect(text.hasPrefix("none of the 3 images of ") && text.contains("data.validation_images"))
    #expect(text.contains("0.png: no such file") && !text.contains("\n"))
    #expect(!FileManager.default.fileExists(atPath: world.path("found.json")))
  }

  @Test func aWholeSetSaysNothing() throws {
    let (summary, warnings) = try validate(try world(images: 3, missing: 0))
    #expect(summary.unreadableImages == 0 && warnings.isEmpty)
  }

  @Test func trainingKeepsTheNumberWithTheScores() throws {
    var world = try world(images: 4, missing: 3)
    world.configuration.training.evaluateEvery = 1
    var warnings: [String] = []
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context) {
        if case .warning(let text) = $0 { warnings.append(text) }
      }.train()
    }
    #expect(warnings.contains { $0.hasPrefix("3 of 4 images of ") }, "\(warnings)")
    let scores = try JSONValue(contentsOf: world.path("run") + "/scores/iteration-1.json")
    #expect(scores["images_unreadable"] == 3 && scores["images"] == 4)
    #expect(scores["groups"]?["novel"]?["measures"]?["AP50"] != nil)
  }

  /// Classes wanted by name need not be in the validation file, nor classes of both groups.
  @Test(arguments: [
    (#"{"base": ["apple", "bear", "tie"], "novel": ["cat", "zebra"]}"#, "1 of the 2 novel classes"),
    (#"{"base": ["apple", "bear", "tie"], "novel": ["zebra", "yak"]}"#, "2 of the 2 novel classes"),
    (#"{"base": ["apple", "lion"], "novel": []}"#, "1 of the 2 base classes"),
    (#"{"base": ["lion"], "novel": ["cat"]}"#, "1 of the 1 base class"),
  ])
  func whatTheFileLacksIsNotScored(split: String, words: String) throws {
    var world = try world(images: 3, missing: 0)
    world.configuration.data.classSplit = try world.scratch.write(split, "other.json")
    var lines: [String] = []
    try ValidationRun(world.configuration).check { lines.append($0) }
    #expect(lines.count == 1 && lines[0].contains(words), "\(lines)")
  }

  @Test func aFileOfOtherClassesIsAnError() throws {
    var world = try world(images: 3, missing: 0)
    world.configuration.data.classSplit = try world.scratch.write(
      #"{"base": ["lion"], "novel": ["yak"]}"#, "other.json")
    #expect(throws: EvaluationError.self) { try ValidationRun(world.configuration).check { _ in } }
  }
}
