import Annotations
import CLIP
import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Files of class embeddings")
struct ClassEmbeddingsFileTests {
  private static let rows = EmbeddingMatrix([0.6, 0.8, 0, 1, -1, 0], width: 2)
  private static let classes = [
    ClassName("cat"), ClassName("dog \"x\"", synonyms: ["hound"]), ClassName("été"),
  ]

  /// The error's line, or "accepted".
  private func line<Result>(_ body: () throws -> Result) -> String {
    do {
      _ = try body()
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test("safetensors keeps every bit, both kinds and the names; .npy the rows")
  func roundTrip() throws {
    let scratch = try TemporaryFolder()
    let path = scratch.folder + "/a.safetensors"
    let wide = EmbeddingMatrix([1, 0, 0, 0, 1, 0, 0, 0, -1], width: 3)
    try ClassEmbeddingsFile.write(
      [.final: Self.rows, .lastBlock: wide], of: Self.classes, to: path)
    let file = try ClassEmbeddingsFile(path: path)
    #expect(file.classes == Self.classes)
    #expect(try file.matrix(.final, width: 2) == Self.rows.unitRows())
    #expect(try file.matrix(.lastBlock, width: 3) == wide)
    #expect(line { try file.matrix(.final, width: 3) }.contains("\(path): tensor \"final\""))

    let array = scratch.folder + "/a.npy"
    try ClassEmbeddingsFile.writeArray(wide, to: array)
    let read = try ClassEmbeddingsFile(path: array)
    #expect(read.classes == nil)
    // A file without kinds serves any.
    #expect(try read.matrix(.final, width: 3) == wide)
    #expect(try read.matrix(.lastBlock, width: 3) == wide)
  }

  @Test("other lengths become 1, and rows of length 1 keep every bit")
  func units() throws {
    let unit: [Float] = [0.6000001, 0.79999995]
    let matrix = EmbeddingMatrix([3, 4] + unit + [0, 0], width: 2).unitRows()
    #expect(Array(matrix[0]) == [0.6, 0.8])
    #expect(Array(matrix[1]) == unit)
    #expect(Array(matrix[2]) == [0, 0])
    let means = EmbeddingMatrix([1, 0, 0, 1, 0, -1], width: 2).unitMeans(of: [[0, 1], [2]])
    #expect(Array(means[0]) == [Float(0.5.squareRoot()), Float(0.5.squareRoot())])
    #expect(Array(means[1]) == [0, -1])
  }

  @Test("what cannot stand for classes is named with its remedy")
  func refused() throws {
    let scratch = try TemporaryFolder()
    func file(_ tensors: [(String, HostTensor)], _ metadata: [String: String] = [:]) throws
      -> String
    {
      let path = scratch.folder + "/\(UUID().uuidString).safetensors"
      try SafeTensors.write(
        tensors: tensors.map { (name: $0.0, tensor: $0.1) }, metadata: metadata, to: path)
      return path
    }
    func message(_ path: String) -> String {
      line { try ClassEmbeddingsFile(path: path).matrix(.lastBlock, width: 2) }
    }
    let good = HostTensor(shape: [2, 2], floats: [1, 0, 0, 1])
    #expect(message(try file([("anything", good)])) == "accepted")
    let zero = try file(
      [("last_block", HostTensor(shape: [2, 2], floats: [1, 0, 0, 0]))],
      ["names": #"["cat","dog"]"#])
    #expect(message(zero).contains("\(zero): tensor \"last_block\": row 1 (\"dog\") is zero"))
    let infinite = try file([("m", HostTensor(shape: [1, 2], floats: [.infinity, 0]))])
    #expect(message(infinite).contains("\(infinite): tensor \"m\": element 0 is inf"))
    let flat = try file([("m", HostTensor(shape: [4], floats: [1, 0, 0, 1]))])
    #expect(message(flat).contains("has the shape [4]"))
    let whole = try file([("m", HostTensor(shape: [1, 2], integers: [1, 0]))])
    #expect(message(whole).contains("I32"))
    let wrong = try file([("final", good)])
    #expect(message(wrong).contains("baron embed --feature last_block"))
    let many = try file([("a", good), ("b", good)])
    #expect(message(many).contains("holds 2 tensors"))
    let short = try file([("final", good), ("last_block", good)], ["names": #"["cat"]"#])
    #expect(message(short).contains("2 rows but the metadata 1 name;"))
    for names in ["cat", "[1, 2]", "{}"] {
      let odd = try file([("last_block", good)], ["names": names])
      #expect(message(odd).contains("metadata \"names\""), "\(names)")
    }
    let odd = try file(
      [("last_block", good)], ["names": #"["a","b"]"#, "synonyms": #"[["c"]]"#])
    #expect(message(odd).contains("metadata \"synonyms\""))
    #expect(message(scratch.folder + "/nothing.npy").contains("nothing.npy"))
  }
}

/// The arrays of the authors' program, which tell the two kinds apart (spec clip 3.10).
@Suite(
  "Published class embeddings",
  .enabled(if: Fixture.dataAvailable, "the test data are missing: set BARON_SHARED"))
struct PublishedEmbeddingsTests {
  private struct Anchors {
    let file: String
    let count: Int
    let mean: Double
    let least: Double
    let most: Double
    /// Rows of cat-dog, car-truck, person-bicycle, cup-wine glass and couch-chair in COCO.
    var pairs: [Double] = []
    var person: [Float] = []
  }

  /// Ids 17-18, 3-8, 1-2, 47-46 and 63-62 as rows by ascending id.
  private static let pairs = [(15, 16), (2, 7), (0, 1), (41, 40), (57, 56)]
  private static let anchors = [
    Anchors(
      file: "coco_clip_hand_craft_attn12.npy", count: 80, mean: 0.4541, least: 0.2160,
      most: 0.8655, pairs: [0.7529, 0.8061, 0.6159, 0.7316, 0.6844],
      person: [0.0481, -0.0697, -0.0061, 0.2343]),
    Anchors(
      file: "coco_clip_hand_craft.npy", count: 80, mean: 0.7760, least: 0.6088, most: 0.9490,
      pairs: [0.9272, 0.9345, 0.8679, 0.8938, 0.8557], person: [0.0012, 0.0232, -0.0131, 0.0012]),
    Anchors(
      file: "lvis_clip_hand_craft.npy", count: 1203, mean: 0.7396, least: 0.4826, most: 0.9832),
  ]

  @Test("cosines of the two kinds, and every class is its own best match", arguments: 0..<3)
  func cosines(index: Int) throws {
    let wanted = Self.anchors[index]
    let path = "\(Fixture.sharedFolder)/data/metadata/\(wanted.file)"
    let stored = try NumPyArray.read(path: path).floats()
    for row in 0..<wanted.count {
      let length = stored[row * 512..<(row + 1) * 512].reduce(0) { $0 + Double($1) * Double($1) }
      #expect(abs(length.squareRoot() - 1) < 2e-3, "row \(row)")
    }
    let matrix = try ClassEmbeddingsFile(path: path).matrix(.lastBlock, width: 512)
    #expect(matrix.count == wanted.count)
    var cosines: [Float] = []
    try TestDevice.withStream { stream in
      let classes = try matrix.tensor(on: stream)
      cosines = try classes.cosineSimilarity(classes, temperature: 1).floats()
    }
    func cosine(_ a: Int, _ b: Int) -> Double { Double(cosines[a * wanted.count + b]) }
    var (sum, least, most) = (0.0, 1.0, -1.0)
    for row in 0..<wanted.count {
      let scores = cosines[row * wanted.count..<(row + 1) * wanted.count]
      #expect(scores.firstIndex(of: scores.max() ?? 0) == scores.startIndex + row)
      for other in 0..<wanted.count where other != row {
        sum += cosine(row, other)
        least = min(least, cosine(row, other))
        most = max(most, cosine(row, other))
      }
    }
    let mean = sum / Double(wanted.count * (wanted.count - 1))
    // The table has four digits of 16-bit numbers.
    for (got, want) in zip([mean, least, most], [wanted.mean, wanted.least, wanted.most]) {
      #expect(abs(got - want) < 5e-4, "\(wanted.file): \(got) for \(want)")
    }
    for (pair, want) in zip(Self.pairs, wanted.pairs) {
      #expect(abs(cosine(pair.0, pair.1) - want) < 5e-4, "\(wanted.file): \(pair)")
    }
    for (got, want) in zip(matrix[0], wanted.person) { #expect(abs(got - want) < 1e-4) }
  }
}
