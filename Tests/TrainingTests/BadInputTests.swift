import Checkpoints
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Bad input", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct BadInputTests {
  /// Checks that reading the data of a world fails in one line.
  private func refuses(
    _ world: TrainingWorld, _ parts: [String], location: SourceLocation = #_sourceLocation
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

  /// The annotation file as text.
  private func annotations(_ world: TrainingWorld) throws -> String {
    try String(contentsOfFile: world.configuration.data.trainAnnotations, encoding: .utf8)
  }

  /// A world whose annotation file has other content.
  private func world(annotations text: String) throws -> TrainingWorld {
    let world = try TrainingWorld(images: 2)
    _ = try world.scratch.write(text, "train.json")
    return world
  }

  @Test func annotationFilesThatCannotBeRead() throws {
    var missing = try TrainingWorld(images: 2)
    missing.configuration.data.trainAnnotations = missing.path("nowhere.json")
    refuses(missing, ["nowhere.json"])
    missing.configuration.data.trainAnnotations = ""
    refuses(missing, ["data.train_annotations", "empty"])

    let text = try annotations(try TrainingWorld(images: 2))
    refuses(try world(annotations: String(text.prefix(text.count / 2))), ["train.json"])
    refuses(try world(annotations: ""), ["train.json"])
    refuses(try world(annotations: "[]"), ["train.json"])
    refuses(
      try world(annotations: text.replacing("\"width\":96", with: "\"width\":\"wide\"")),
      ["images[0]", "width"])
    refuses(
      try world(annotations: text.replacing("\"height\":96", with: "\"height\":NaN")),
      ["images[0]", "height"])
    refuses(
      try world(annotations: text.replacing("\"bbox\":[", with: "\"bbox\":[1e999,")),
      ["annotations[0]", "bbox"])
    refuses(
      try world(annotations: text.replacing("\"id\":2", with: "\"id\":1")), ["id", "unique"])
  }

  /// An annotation file with one picture of 96x96 and these boxes.
  private func file(_ boxes: [[Double]], label: Int = 0) -> String {
    let entries = boxes.enumerated().map {
      TrainingWorld.annotation(id: $0 + 1, image: 1, label: label, box: $1).text()
    }
    let categories = TrainingWorld.names.enumerated().map {
      "{\"id\": \($0 + 1), \"name\": \"\($1)\"}"
    }
    return """
      {"images": [{"id": 1, "file_name": "0.png", "width": 96, "height": 96},
       {"id": 2, "file_name": "1.png", "width": 96, "height": 96}],
       "annotations": [\(entries.joined(separator: ", "))],
       "categories": [\(categories.joined(separator: ", "))]}
      """
  }

  @Test func oddBoxesAreCounted() throws {
    let boxes: [[Double]] = [
      [10, 10, 30, 30], [200, 200, 10, 10], [5, 5, 0, 20], [5, 5, 0.5, 20], [90, 90, 30, 30],
    ]
    let world = try self.world(annotations: file(boxes))
    let data = try TrainingData(world.configuration)
    #expect(data.streams[0].indices == [0])
    #expect(data.streams[1].indices == [0, 1])
    #expect(data.streams[0].images[0].objects.map(\.id) == [1, 5])
    #expect(data.warnings.count == 4, "\(data.warnings)")
    #expect(data.warnings.contains { $0.contains("beyond") }, "\(data.warnings)")
    for part in ["outside the image", "area not above 0", "narrower than 1 pixel"] {
      #expect(data.warnings.contains { $0.hasPrefix("1 box dropped: \(part)") }, "\(data.warnings)")
    }
    #expect(data.summary[0].contains("1 of 2 images with 2 boxes of 3 base classes"))
  }

  @Test func nothingToTrainOn() throws {
    refuses(try world(annotations: file([])), ["train.json", "no image has a box of a base class"])
    // A box of the novel class alone trains nothing.
    refuses(
      try world(annotations: file([[10, 10, 30, 30]], label: 2)),
      ["no image has a box of a base class", "class_split"])
  }

  /// What leaves no box to train on is told at the start, with the causes.
  @Test func boxesThatAreAllLeftOut() throws {
    refuses(
      try world(annotations: file([[0.1, 0.1, 0.5, 0.4], [0.3, 0.2, 0.2, 0.2]])),
      [
        "train.json", "no image has a box of a base class that can be trained on",
        "2 boxes dropped: narrower than 1 pixel (first: annotations[0] (id 1))",
        "are the boxes in pixels",
      ])
    refuses(
      try world(annotations: file([[10, 10, 0, 30]])), ["1 box dropped: area not above 0"])
    let crowds = file([[10, 10, 30, 30]]).replacing("\"iscrowd\":0", with: "\"iscrowd\":1")
    refuses(try world(annotations: crowds), ["1 set aside as crowds or to be ignored"])
  }

  @Test func masksThatAreMissing() throws {
    let boxes: [[Double]] = [[10, 10, 30, 30], [40, 40, 30, 30]]
    let polygons = /,"segmentation":\[\[[^\]]*\]\]/
    let plain = file(boxes).replacing(polygons, with: "")
    func world(_ text: String) throws -> TrainingWorld {
      var world = try self.world(annotations: text)
      world.configuration.model.mask.enabled = true
      return world
    }
    refuses(
      try world(plain),
      ["train.json: \"segmentation\": no object has a mask; set model.mask.enabled to false"])
    let some = file(boxes).replacing(polygons, with: "", maxReplacements: 1)
    let partly = try world(some)
    let data = try withExtendedLifetime(partly) { try TrainingData(partly.configuration) }
    #expect(
      data.warnings == [
        "1 object has no mask: left out, as a mask head is trained (first: annotations[0] (id 1))"
      ])
  }

  @Test func errorsNameTheKey() throws {
    func refuses(_ key: String, _ change: (inout RunConfiguration.Data) -> Void) throws {
      var world = try TrainingWorld(images: 2)
      world.configuration.captions.enabled = true
      change(&world.configuration.data)
      self.refuses(world, ["/nowhere", "(\(key)"])
    }
    try refuses("data.train_annotations") { $0.trainAnnotations = "/nowhere.json" }
    try refuses("data.alignment_annotations") { $0.alignmentAnnotations = "/nowhere.json" }
    try refuses("data.class_split") { $0.classSplit = "/nowhere.json" }
    try refuses("data.caption_annotations") { $0.captionAnnotations = "/nowhere.json" }
    try refuses("data.caption_classes") { $0.captionClasses = "/nowhere.json" }
    var world = try TrainingWorld(images: 2)
    world.configuration.data.validationAnnotations = "/nowhere.json"
    let error = #expect(throws: (any Error).self) { try ValidationRun(world.configuration) }
    #expect("\(try #require(error))" == "/nowhere.json: no such file (data.validation_annotations)")
  }

  @Test func classSplits() throws {
    func split(_ text: String) throws -> TrainingWorld {
      let world = try TrainingWorld(images: 2)
      _ = try world.scratch.write(text, "split.json")
      return world
    }
    refuses(
      try split(#"{"base": ["aple", "bear"], "novel": ["cat"]}"#),
      ["\"aple\"", "did you mean \"apple\""])
    refuses(
      try split(#"{"base": ["apple", "bear"], "novel": ["bear"]}"#), ["\"bear\" stands twice"])
    refuses(try split(#"{"base": [], "novel": ["cat"]}"#), ["split.json", "base", "empty"])
    refuses(try split(#"{"base": ["apple"]}"#), ["split.json", "novel", "missing"])
    refuses(try split(#"{"base": ["apple""#), ["split.json"])
    var published = try TrainingWorld(images: 2)
    published.configuration.data.classSplit = "ov_coco"
    refuses(published, ["there is no class \"person\""])
    published.configuration.data.classSplit = published.path("nowhere.json")
    refuses(published, ["nowhere.json"])
  }

  /// A world with a CLIP folder of its own, changed by `body`.
  private func world(
    clip body: (_ folder: String) throws -> Void
  ) throws -> TrainingWorld {
    var world = try TrainingWorld(images: 2)
    let folder = world.path("clip")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: TrainingWorld.clipFolder) {
      let data = FileManager.default.contents(atPath: "\(TrainingWorld.clipFolder)/\(name)")
      try #require(data).write(to: URL(filePath: "\(folder)/\(name)"))
    }
    try body(folder)
    world.configuration.clip.folder = folder
    return world
  }

  /// Rewrites one tensor of a CLIP folder.
  private func change(
    _ folder: String, _ name: String, _ body: (HostTensor) throws -> HostTensor?
  ) throws {
    let file = try SafeTensorsFile(path: "\(folder)/model.safetensors")
    let tensors = try file.names.compactMap { key in
      let tensor = try file.tensor(named: key)
      return try (key == name ? body(tensor) : tensor).map { (name: key, tensor: $0) }
    }
    try SafeTensors.write(tensors: tensors, to: "\(folder)/model.safetensors")
  }

  @Test func clipFolders() throws {
    let weight = "text_model.final_layer_norm.weight"
    let position = "text_model.embeddings.position_embedding.weight"
    var worlds: [(TrainingWorld, [String])] = []
    for name in ["config.json", "model.safetensors", "vocab.json", "merges.txt"] {
      worlds.append(
        (
          try world(clip: { try FileManager.default.removeItem(atPath: "\($0)/\(name)") }), [name]
        ))
    }
    worlds.append(
      (
        try world(clip: { folder in
          let path = "\(folder)/model.safetensors"
          let data = try #require(FileManager.default.contents(atPath: path))
          try data.prefix(data.count - 100).write(to: URL(filePath: path))
        }), ["model.safetensors"]
      ))
    worlds.append(
      (
        try world(clip: { try change($0, weight) { _ in nil } }),
        [weight, "there is no tensor"]
      ))
    worlds.append(
      (
        try world(clip: {
          try change($0, weight) { HostTensor(shape: [$0.count, 1], floats: try $0.floats()) }
        }), [weight, "shape"]
      ))
    worlds.append(
      (
        try world(clip: {
          try change($0, weight) {
            HostTensor(shape: $0.shape, floats: [Float](repeating: .nan, count: $0.count))
          }
        }), [weight, "nan"]
      ))
    // A context of 16 positions has no room for nine regions of two words.
    worlds.append(
      (
        try world(clip: { folder in
          try change(folder, position) { tensor in
            let width = tensor.shape[1]
            return HostTensor(
              shape: [16, width], floats: Array(try tensor.floats().prefix(16 * width)))
          }
          let config = "\(folder)/config.json"
          let text = try String(contentsOfFile: config, encoding: .utf8)
          let old = try #require(text.firstMatch(of: /"max_position_embeddings": \d+/))
          try Data(
            text.replacing(old.output, with: "\"max_position_embeddings\": 16").utf8
          ).write(to: URL(filePath: config))
        }), ["takes 16 positions", "model.head.words 2 needs 20"]
      ))
    worlds.append(
      (
        try world(clip: { folder in
          // One more merge makes one more token than the weights have.
          let path = "\(folder)/vocab.json"
          let text = try String(contentsOfFile: path, encoding: .utf8)
          let end = try #require(text.lastIndex(of: "}"))
          try Data((text[..<end] + ", \"another\": 100000}").utf8).write(to: URL(filePath: path))
        }), ["vocab"]
      ))
    try TestDevice.withContext(poisoned: false) { context in
      for (number, (world, parts)) in worlds.enumerated() {
        do {
          _ = try world.trainer("run\(number)", on: context)
          Issue.record("a CLIP folder was accepted, wanted \(parts)")
        } catch {
          let text = line(of: error)
          #expect(!text.contains("\n") && text.contains(world.configuration.clip.folder), "\(text)")
          for part in parts { #expect(text.contains(part), "\(text)") }
        }
      }
    }
  }

  @Test func sentencesThatDoNotFit() throws {
    var world = try TrainingWorld(images: 2)
    try TestDevice.withContext(poisoned: false) { context in
      // Regions alone are sampled as bags too.
      world.configuration.alignment.kind = .regions
      world.configuration.model.head.words = 20
      let error = #expect(throws: CheckpointError.self) {
        _ = try world.trainer("regions", on: context)
      }
      #expect(line(of: try #require(error)).contains("model.head.words 20 needs 182"))
      world.configuration.alignment.kind = .none
      _ = try world.trainer("none", on: context)
    }
  }

  @Test func picturesThatCannotBeUsedAreReplaced() throws {
    var world = try TrainingWorld(images: 6, sizes: [(96, 96)])
    world.configuration.training.iterations = 3
    try FileManager.default.removeItem(atPath: world.path("1.png"))
    _ = try world.scratch.write("no picture", "2.png")
    var warnings: [String] = []
    try TestDevice.withContext(poisoned: false) { context in
      try world.trainer("run", on: context) {
        if case .warning(let text) = $0 { warnings.append(text) }
      }.train()
    }
    #expect(warnings.allSatisfy { $0.contains("the image is left out") && !$0.contains("\n") })
    #expect(Set(warnings).count == warnings.count, "each picture once: \(warnings)")
    #expect(try world.records("run").count == 3)

    for name in 0..<6 { try? FileManager.default.removeItem(atPath: world.path("\(name).png")) }
    try TestDevice.withContext(poisoned: false) { context in
      let trainer = try world.trainer("empty", on: context)
      #expect {
        try trainer.train()
      } throws: {
        line(of: $0).contains("no usable image in \(world.scratch.folder)")
      }
    }
  }
}
