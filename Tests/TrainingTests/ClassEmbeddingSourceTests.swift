import Annotations
import CLIP
import Checkpoints
import Foundation
import Layers
import Pictures
import Tensors
import TestSupport
import Testing

@testable import Training

/// `clip.class_embeddings`: rows of a file in the place of encoded names.
@Suite(
  "Class embeddings of a run", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct ClassEmbeddingSourceTests {
  private let names = TrainingWorld.names

  /// Unit rows that no text encoder would give.
  private func rows(_ count: Int, width: Int = 48, seed: UInt64 = 1) -> EmbeddingMatrix {
    EmbeddingMatrix(randomFloats(count * width, seed: seed), width: width).unitRows()
  }

  private func source(
    _ world: TrainingWorld, on stream: ComputeStream
  ) throws -> ClassEmbeddingSource {
    let encoder = try TextEncoder(
      try CLIPWeights(folder: TrainingWorld.clipFolder),
      store: ParameterStore(stream: stream, seed: 0) { _ in true })
    return try ClassEmbeddingSource(world.configuration, encoder: encoder)
  }

  @Test("a data set takes the rows in their order, with and without names")
  func dataSet() throws {
    var world = try TrainingWorld(images: 2)
    let wanted = rows(names.count)
    let array = world.path("rows.npy")
    try ClassEmbeddingsFile.writeArray(wanted, to: array)
    let named = world.path("rows.safetensors")
    try ClassEmbeddingsFile.write(
      [.lastBlock: wanted, .final: rows(names.count, width: 40)],
      of: ["Apple", "bear", "cat.", "tie"].map { ClassName($0) }, to: named)
    try TestDevice.withStream { stream in
      for path in [array, named] {
        world.configuration.clip.classEmbeddings = path
        let found = try source(world, on: stream)
          .embeddings(of: .dataSet(names), note: { Issue.record("\($0)") })
        #expect(found == wanted)
      }
    }
  }

  @Test("training, validation and the trained detector use them")
  func training() throws {
    var world = try TrainingWorld(images: 3)
    world.configuration.training.iterations = 2
    world.configuration.training.checkpointEvery = 2
    world.configuration.training.evaluateEvery = 2
    world.configuration.model.head.detections.scoreThreshold = 0
    let path = world.path("rows.safetensors")
    let wanted = rows(names.count)
    try ClassEmbeddingsFile.write(
      [.lastBlock: wanted], of: names.map { ClassName($0) }, to: path)
    let image = try ImageDecoder.decode(path: world.path("0.png"))
    try TestDevice.withContext { context in
      try world.trainer("encoded", on: context).train()
      world.configuration.clip.classEmbeddings = path
      try world.trainer("given", on: context).train()
      let losses = try ["encoded", "given"].map { try world.records($0).map(\.losses["loss_cls"]) }
      #expect(losses[0] != losses[1])
      let stream = try ComputeStream(context: context)
      func find(_ vocabulary: Vocabulary) throws -> [ObjectDetector.Found] {
        try ObjectDetector(
          ModelLocation(run: world.path("given"), warn: { Issue.record("\($0)") }),
          vocabulary: vocabulary, on: stream,
          warn: { Issue.record("\($0)") }
        ).detect([image])[0]
      }
      // The names are the file's, so that they are its rows whoever asks.
      let own = try find(.dataSet(names))
      #expect(try !own.isEmpty && own == find(.classes(names.map { ClassName($0) })))
    }
  }

  @Test("what does not fit the data set is one line with file, key and remedy")
  func refused() throws {
    var world = try TrainingWorld(images: 2)
    try TestDevice.withStream { stream in
      func message(_ name: String, _ write: (String) throws -> Void) throws -> String {
        let path = world.path(name)
        try write(path)
        world.configuration.clip.classEmbeddings = path
        do {
          _ = try source(world, on: stream).embeddings(of: .dataSet(names), note: { _ in })
          return "accepted"
        } catch {
          let text = line(of: error)
          #expect(text.hasPrefix(path), "\(text)")
          return text
        }
      }
      let few = try message("few.npy") { try ClassEmbeddingsFile.writeArray(rows(3), to: $0) }
      #expect(few.contains("clip.class_embeddings has 3 rows, the data set 4 classes"), "\(few)")
      #expect(few.contains("train.json"))
      let narrow = try message("narrow.npy") {
        try ClassEmbeddingsFile.writeArray(rows(4, width: 40), to: $0)
      }
      #expect(narrow.contains("has rows of 40 numbers") && narrow.contains("48"), "\(narrow)")
      let other = try message("other.safetensors") {
        try ClassEmbeddingsFile.write(
          [.lastBlock: rows(4)], of: ["apple", "cat", "bear", "tie"].map { ClassName($0) }, to: $0)
      }
      #expect(other.contains("names row 1 \"cat\"") && other.contains("\"bear\""), "\(other)")
      let kind = try message("kind.safetensors") {
        try ClassEmbeddingsFile.write(
          [.final: rows(4, width: 48)], of: names.map { ClassName($0) }, to: $0)
      }
      #expect(kind.contains("last_block"), "\(kind)")
      #expect(try message("none.npy") { _ in }.contains("no such file"))
    }
  }

  @Test("another vocabulary takes the file's rows if all are there, else it is encoded and told")
  func otherNames() throws {
    var world = try TrainingWorld(images: 2)
    let wanted = rows(names.count)
    try TestDevice.withStream { stream in
      let plain = try source(world, on: stream)
      func find(
        _ classes: [ClassName], _ source: ClassEmbeddingSource
      ) throws -> (rows: EmbeddingMatrix, notes: [String]) {
        var notes: [String] = []
        let rows = try source.embeddings(of: .classes(classes)) { notes.append($0) }
        return (rows, notes)
      }
      let path = world.path("rows.safetensors")
      try ClassEmbeddingsFile.write(
        [.lastBlock: wanted], of: names.map { ClassName($0) }, to: path)
      world.configuration.clip.classEmbeddings = path
      let file = try source(world, on: stream)
      let known = try find([ClassName("tie"), ClassName("Cat", synonyms: ["bear"])], file)
      #expect(known.rows == wanted.unitMeans(of: [[3], [2, 1]]) && known.notes.isEmpty)
      let mixed = [ClassName("tie"), ClassName("violin")]
      let unknown = try find(mixed, file)
      #expect(try unknown.rows == find(mixed, plain).rows)
      #expect(unknown.notes.count == 1 && unknown.notes[0].contains("\"violin\""))

      // A row stands for the synonyms that the file gives it.
      try ClassEmbeddingsFile.write(
        [.lastBlock: wanted],
        of: names.map { ClassName($0, synonyms: $0 == "cat" ? ["kitten"] : []) }, to: path)
      let kitten = try find(
        [ClassName("cat", synonyms: ["kitten"])], try source(world, on: stream))
      #expect(kitten.rows == wanted.unitMeans(of: [[2]]) && kitten.notes.isEmpty)
    }
  }

  @Test("the rows of a file without names are the annotations' classes if there are as many")
  func rowsWithoutNames() throws {
    var world = try TrainingWorld(images: 2)
    try TestDevice.withStream { stream in
      let plain = try source(world, on: stream)
      func find(
        _ classes: [ClassName], _ source: ClassEmbeddingSource
      ) throws -> (rows: EmbeddingMatrix, notes: [String]) {
        var notes: [String] = []
        let rows = try source.embeddings(of: .classes(classes)) { notes.append($0) }
        return (rows, notes)
      }
      let classes = [ClassName("tie"), ClassName("Cat.")]
      func write(_ count: Int) throws -> EmbeddingMatrix {
        let rows = rows(count)
        world.configuration.clip.classEmbeddings = world.path("rows.npy")
        try ClassEmbeddingsFile.writeArray(rows, to: world.configuration.clip.classEmbeddings)
        return rows
      }
      func encoded(_ classes: [ClassName], _ reason: String) throws {
        let found = try find(classes, try source(world, on: stream))
        #expect(try found.rows == find(classes, plain).rows)
        #expect(found.notes.count == 1 && found.notes[0].contains(reason), "\(found.notes)")
        #expect(found.notes.allSatisfy { !$0.contains("\n") })
      }
      let wanted = try write(names.count)
      let found = try find(classes, try source(world, on: stream))
      #expect(found.rows == wanted.unitMeans(of: [[3], [2]]) && found.notes.isEmpty)
      try encoded([ClassName("violin")], "\"violin\"")
      // As many classes count, of either file.
      let train = world.configuration.data.trainAnnotations
      world.configuration.data.validationAnnotations = world.path("few.json")
      try Data(#"{"categories": [{"id": 1, "name": "tie"}]}"#.utf8).write(
        to: URL(filePath: world.path("few.json")))
      #expect(try find(classes, try source(world, on: stream)).rows == found.rows)
      try Data(
        #"""
        [{"id": 4, "name": "tie"}, {"id": 1, "name": "apple"}, {"id": 2, "name": "bear"},
         {"id": 3, "name": "cat", "synonyms": ["cat", "kitten"]}]
        """#.utf8
      ).write(to: URL(filePath: world.path("few.json")))
      let kitten = try find(
        [ClassName("cat", synonyms: ["kitten"])], try source(world, on: stream))
      #expect(kitten.rows == wanted.unitMeans(of: [[2]]) && kitten.notes.isEmpty)
      try Data(#"{"categories": [{"id": 1, "name": "tie"}]}"#.utf8).write(
        to: URL(filePath: world.path("few.json")))
      world.configuration.data.trainAnnotations = "/nowhere.json"
      try encoded(classes, "few.json has 1 class; /nowhere.json")
      world.configuration.data.validationAnnotations = ""
      world.configuration.data.trainAnnotations = ""
      try encoded(classes, "holds no names, and its 4 rows fit no annotations: ")
      world.configuration.data.trainAnnotations = train
      _ = try write(3)
      try encoded(classes, "3 rows fit no annotations")
    }
  }
}
