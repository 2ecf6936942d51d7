import Annotations
import Checkpoints
import Foundation
import Layers
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import CLIP

/// Collects lines from a closure that may run anywhere.
private final class Notes: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

@Suite(
  "Cache of class embeddings",
  .enabled(
    if: FileManager.default.fileExists(atPath: Fixture.folder + "/clip_tiny/hf/config.json"),
    "clip_tiny/hf is missing from the fixtures: set BARON_FIXTURES"))
struct ClassEmbeddingsCacheTests {
  /// An encoder of a copy of the tiny CLIP, and a cache of its own.
  private final class Place {
    let scratch: TemporaryFolder
    let stream: ComputeStream
    let encoder: TextEncoder
    let notes = Notes()
    var clip: String { scratch.folder + "/clip" }

    init(_ stream: ComputeStream) throws {
      scratch = try TemporaryFolder()
      self.stream = stream
      // Copies that may be written to, whatever the originals allow.
      let (from, to) = (Fixture.folder + "/clip_tiny/hf", scratch.folder + "/clip")
      try FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: from) {
        try Data(contentsOf: URL(filePath: "\(from)/\(name)"))
          .write(to: URL(filePath: "\(to)/\(name)"))
      }
      encoder = try TextEncoder(
        try CLIPWeights(folder: scratch.folder + "/clip"),
        store: ParameterStore(stream: stream, seed: 0) { _ in true })
    }

    var entries: [String] {
      let found = try? FileManager.default.contentsOfDirectory(atPath: scratch.folder + "/cache")
      return (found ?? []).map { "\(scratch.folder)/cache/\($0)" }.sorted()
    }

    /// Embeds two classes; gives the rows and whether anything was encoded.
    func embed(
      _ classes: [ClassName] = [ClassName("cat"), ClassName("stop_sign")],
      features: [EmbeddingFeature] = [.final], templates: [String] = ["a {name}.", "the {name}."],
      minimumWork: Double = 0
    ) throws -> (rows: [EmbeddingFeature: EmbeddingMatrix], isEncoded: Bool) {
      let embedder = try ClassEmbedder(
        folder: clip, encoder: encoder, templates: templates,
        cache: ClassEmbeddingsCache(folder: scratch.folder + "/cache", minimumWork: minimumWork) {
          [notes] in notes.add($0)
        })
      var isEncoded = false
      let rows = try embedder.embed(classes, features: features) { _, _ in isEncoded = true }
      return (rows, isEncoded)
    }
  }

  @Test("a second look-up encodes nothing and gives every bit")
  func hit() throws {
    try TestDevice.withStream { stream in
      let place = try Place(stream)
      let first = try place.embed()
      #expect(first.isEncoded && place.entries.count == 1)
      let second = try place.embed()
      #expect(!second.isEncoded && second.rows == first.rows)
      // Of two kinds only the missing one is made.
      let both = try place.embed(features: [.final, .lastBlock])
      #expect(both.isEncoded && both.rows[.final] == first.rows[.final])
      #expect(place.entries.count == 2)
      #expect(try !place.embed(features: [.lastBlock]).isEncoded)
      #expect(place.notes.all.isEmpty)
    }
  }

  @Test("whatever decides the numbers makes another entry")
  func keys() throws {
    try TestDevice.withStream { stream in
      let place = try Place(stream)
      _ = try place.embed()
      let names = [ClassName("cat"), ClassName("stop_sign")]
      for (label, other) in [
        ("order", { try place.embed(names.reversed()) }),
        ("names", { try place.embed(names + [ClassName("dog")]) }),
        ("synonyms", { try place.embed([names[0], ClassName("stop_sign", synonyms: ["sign"])]) }),
        ("templates", { try place.embed(templates: ["a {name}."]) }),
        ("published templates", { try place.embed(templates: []) }),
      ] {
        #expect(try other().isEncoded, "\(label)")
      }
      #expect(place.entries.count == 6)
      // Rewritten weights may be others, even at the same size.
      let weights = place.clip + "/model.safetensors"
      try Data(contentsOf: URL(filePath: weights)).write(to: URL(filePath: weights))
      #expect(try place.embed().isEncoded)
      #expect(try !place.embed().isEncoded)
      let config = place.clip + "/config.json"
      try (Data(contentsOf: URL(filePath: config)) + Data("\n".utf8))
        .write(to: URL(filePath: config))
      #expect(try place.embed().isEncoded)
    }
  }

  @Test("little work is not kept")
  func small() throws {
    try TestDevice.withStream { stream in
      let place = try Place(stream)
      for _ in 0..<2 { #expect(try place.embed(minimumWork: 1e9).isEncoded) }
      #expect(place.entries.isEmpty)
    }
  }

  @Test("a damaged or foreign entry is told and made anew")
  func damage() throws {
    try TestDevice.withStream { stream in
      let place = try Place(stream)
      let wanted = try place.embed().rows
      let entry = try #require(place.entries.first)
      let bytes = try Data(contentsOf: URL(filePath: entry))
      _ = try place.embed(templates: ["a {name}."])
      let foreign = try #require(place.entries.first { $0 != entry })
      var flipped = bytes
      flipped[flipped.count - 2] ^= 0x10
      var hostile = bytes
      hostile[3] = 0xFF
      for (label, content) in [
        ("one bit", flipped), ("cut", bytes.prefix(bytes.count - 40)), ("empty", Data()),
        ("text", Data("hello".utf8)), ("header", hostile),
        ("of other classes", try Data(contentsOf: URL(filePath: foreign))),
      ] {
        try content.write(to: URL(filePath: entry))
        let before = place.notes.all.count
        let again = try place.embed()
        #expect(again.isEncoded && again.rows == wanted, "\(label)")
        #expect(place.notes.all.count == before + 1, "\(label): \(place.notes.all)")
        #expect(place.notes.all.last?.contains(entry) ?? false)
        #expect(try Data(contentsOf: URL(filePath: entry)) == bytes, "\(label)")
      }
      #expect(try !place.embed().isEncoded)
    }
  }

  @Test("a folder that cannot be written costs a line, not the result")
  func unwritable() throws {
    try TestDevice.withStream { stream in
      let place = try Place(stream)
      try Data().write(to: URL(filePath: place.scratch.folder + "/cache"))
      #expect(try place.embed().rows[.final]?.count == 2)
      #expect(place.notes.all.count == 1)
    }
  }
}
