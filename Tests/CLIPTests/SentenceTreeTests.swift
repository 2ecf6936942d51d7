import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

@testable import CLIP

@Suite("Sentences whose beginnings are shared")
struct SentenceTreeTests {
  @Test("rows, places and ends of a few sentences")
  func layout() {
    // 9 ends a sentence; what follows it is padding.
    let tree = SentenceTree([
      [8, 1, 2, 9, 0], [8, 1, 9, 0, 0], [8, 3, 2, 9, 0], [8, 1, 2, 9, 0],
    ])
    #expect(tree.tokens == [8, 1, 2, 9, 9, 3, 2, 9])
    #expect(tree.positions == [0, 1, 2, 3, 2, 1, 2, 3])
    #expect(tree.length == 4 && tree.count == 4)
    #expect(tree.rows == [0, 1, 2, 3, 0, 1, 4, 4, 0, 5, 6, 7, 0, 1, 2, 3])
    #expect(tree.places == [0, 1, 2, 3, 6, 9, 10, 11])
    #expect(tree.ends == [3, 4, 7, 3])
    #expect(tree.endPlaces == [3, 6, 11, 15])
  }

  @Test("the published sentences of a word are 318 rows of 664, those of eight 1739 of 5312")
  func published() {
    func counts(_ names: [String]) -> [Int] {
      // A word or a sign a token, which is what CLIP's vocabulary has for common words.
      var known: [Substring: Int32] = [:]
      let sentences = names.flatMap { PromptTemplates.texts(for: $0) }.map { text in
        var ids: [Int32] = [1]
        for word in text.replacing("-", with: " - ").replacing(".", with: " .").split(
          separator: " ")
        {
          let id = known[word] ?? Int32(known.count + 2)
          known[word] = id
          ids.append(id)
        }
        ids.append(10_000)
        return ids
      }
      let tree = SentenceTree(sentences)
      return [tree.tokens.count, sentences.reduce(0) { $0 + $1.count }]
    }
    #expect(counts(["cat"]) == [318, 664])
    let names = ["cat", "dog", "apple", "horse", "car", "bus", "tree", "boat"]
    #expect(counts(names) == [1739, 5312])
  }

  @Test(
    "features of a tree are those of whole sentences, at every depth",
    .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
  func features() throws {
    let fixture = try Fixture("clip/prompts.safetensors")
    let (values, shape) = (try fixture.integers("tokens"), try fixture.shape("tokens"))
    let ids = (0..<shape[0]).map { Array(values[$0 * shape[1]..<($0 + 1) * shape[1]]) }
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 0)
      let encoder = try TextEncoder(try clipWeights(fixture), store: store)
      let outputs =
        [.final] + (0...encoder.configuration.text.layers).map { TextEncoder.Output.block($0) }
      for (output, features) in zip(outputs, try encoder.encode(ids: ids, outputs: outputs)) {
        let whole = try encoder.encode(ids: ids, output: output).sentences.floats()
        expectClose(try features.floats(), whole.map(Double.init), "\(output)")
        let alone = try encoder.encode(ids: ids, outputs: [output])[0].floats()
        #expect(try features.floats() == alone)
      }
    }
  }
}
