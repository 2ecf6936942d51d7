import Foundation
import Loading
import TestSupport
import Testing

@testable import Training

@Suite("Caption data", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct CaptionDataTests {
  private func world(
    _ change: (inout RunConfiguration.Data) -> Void = { _ in }
  ) throws -> TrainingWorld {
    var world = try TrainingWorld()
    world.teachByCaptions(alone: true)
    change(&world.configuration.data)
    return world
  }

  /// Checks that reading the data fails in one line.
  private func refuses(
    _ world: TrainingWorld, _ parts: String..., location: SourceLocation = #_sourceLocation
  ) {
    do {
      _ = try TrainingData(world.configuration)
      Issue.record("accepted, wanted \(parts)", sourceLocation: location)
    } catch {
      let text = line(of: error)
      #expect(!text.contains("\n"), "\(text)", sourceLocation: location)
      for part in parts { #expect(text.contains(part), "\(text)", sourceLocation: location) }
    }
  }

  @Test func imagesWithoutCaptionsAreNotInTheStream() throws {
    let world = try world()
    let data = try TrainingData(world.configuration)
    #expect(data.streams.map(\.name) == [.detection, .captions])
    let stream = data.streams[1]
    #expect(stream.indices == Array(0..<6) && stream.batchSize == 2)
    #expect(stream.images.map(\.id) == [1, 2, 3, 5, 6, 7])
    #expect(
      data.summary.last == "captions: 6 images with 12 captions; left out: 2 without captions")
    let loader = try Loader(streams: data.streams, seed: 0, warn: { Issue.record("\($0)") })
    defer { loader.stop() }
    for _ in 0..<6 {
      let batch = try loader.next()
      #expect(batch.streams.mapValues(\.count) == [.detection: 2, .captions: 2])
      #expect(try #require(batch.streams[.detection]).allSatisfy { $0.captions.isEmpty })
      for sample in try #require(batch.streams[.captions]) {
        #expect(sample.captions == stream.images[sample.index].captions)
        #expect(!sample.captions.isEmpty && sample.view.imageID == stream.images[sample.index].id)
      }
    }
  }

  @Test func threeStreams() throws {
    var world = try TrainingWorld()
    world.teachByCaptions(alone: false)
    world.configuration.training.captionBatch = 3
    world.configuration.data.captionImages = ""
    let streams = try TrainingData(world.configuration).streams
    #expect(streams.map(\.name) == [.detection, .alignment, .captions])
    #expect(streams.map(\.batchSize) == [2, 2, 3])
    #expect(streams[2].folder == world.configuration.data.trainImages)
  }

  @Test func captionsCanBeKeptToThoseThatNameAClass() throws {
    var world = try world()
    let path = try world.scratch.write(
      #"{"categories": [{"id": 1, "name": "tie_(clothes)"}]}"#, "names.json")
    world.configuration.data.captionClasses = path
    let data = try TrainingData(world.configuration)
    // "a cat and a tie" is a caption of the third picture and of the seventh.
    #expect(data.streams[1].indices.map { data.streams[1].images[$0].id } == [3, 7])
    #expect(
      data.summary.last?.hasSuffix(
        "left out: 2 without captions, 4 whose captions name none of 1 class") == true)
    _ = try world.scratch.write(#"{"categories": [{"id": 1, "name": "zebra"}]}"#, "names.json")
    refuses(world, "names.json", "\"categories\"", "data.caption_classes")
    _ = try world.scratch.write("{}", "names.json")
    refuses(world, "names.json", "\"categories\"", "is empty or missing")
  }

  @Test func filesThatCannotBeUsed() throws {
    refuses(try world { $0.captionAnnotations = "" }, "data.caption_annotations", "--set")
    refuses(try world { $0.captionAnnotations = "/nowhere.json" }, "/nowhere.json: no such file")
    // Boxes instead of captions.
    let boxes = try world { $0.captionAnnotations = $0.trainAnnotations }
    refuses(boxes, "train.json", "\"caption\"", "check that this is a caption file")
    let world = try world()
    let path = world.configuration.data.captionAnnotations
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for (old, new, part) in [
      ("\"image_id\":1", "\"image_id\":77", "there is no image 77"),
      ("\"caption\":\"two", "\"title\":\"two", "\"caption\""),
      ("\"width\":96", "\"width\":0", "a positive number of pixels"),
    ] {
      try #require(text.contains(old))
      _ = try world.scratch.write(text.replacing(old, with: new), "captions.json")
      refuses(world, "captions.json", part)
    }
    _ = try world.scratch.write(String(text.prefix(text.count / 2)), "captions.json")
    refuses(world, "captions.json", "cut short")
  }

  @Test func aWrongFolderIsNamed() throws {
    var world = try world()
    let wrong = world.path("elsewhere")
    try FileManager.default.createDirectory(atPath: wrong, withIntermediateDirectories: true)
    world.configuration.data.captionImages = wrong
    try TestDevice.withContext(poisoned: false) { context in
      let trainer = try world.trainer("run", on: context)
      let error = #expect(throws: StreamError.self) { try trainer.train() }
      let text = line(of: try #require(error))
      #expect(text.contains("\"captions\"") && text.contains("no usable image in \(wrong)"))
    }
  }
}
