import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

@testable import CLIP

/// Where the tokenizer's fixtures are.
private enum Fixtures {
  static let root = Fixture.folder
  static let mergeTable = root + "/clip-bpe/bpe_simple_vocab_16e6.txt.gz"
  static let tinyFolder = root + "/clip_tiny/hf"
  static let cases = root + "/clip/tokenizer.json"
  static let tinyCases = root + "/clip/tokenizer_tiny.json"
  static let prompts = root + "/clip/prompts.safetensors"
  static func exist(_ paths: String...) -> Bool {
    paths.allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }
}

private func numbers(_ value: JSONValue?) throws -> [Int] {
  try #require(value?.array).map { try #require($0.integer) }
}

@Suite(
  "Tokenizer against the peer",
  .enabled(
    if: Fixtures.exist(Fixtures.mergeTable, Fixtures.cases), "clip-bpe/ or clip/ fixtures missing"))
struct TokenizerPeerTests {
  private static let tokenizer = Result { try Tokenizer(mergeTable: Fixtures.mergeTable) }

  @Test func everyTextHasThePeersIDs() throws {
    let tokenizer = try Self.tokenizer.get()
    let document = try JSONValue(contentsOf: Fixtures.cases)
    #expect(tokenizer.vocabularySize == document["vocab_size"]?.integer)
    for entry in try #require(document["cases"]?.array) {
      let text = try #require(entry["text"]?.string)
      let found = tokenizer.ids(text)
      #expect(found == (try numbers(entry["ids"])), "\(text.debugDescription)")
      if let cleaned = entry["cleaned"]?.string {
        let clean = TextCleaning.clean(text)
        #expect(Array(clean.unicodeScalars) == Array(cleaned.unicodeScalars))
      }
      let tokens = try numbers(entry["tokens"])
      let rows = try tokenizer.encode([text], overflow: .truncate, padding: .longest)
      #expect(rows == [tokens.map { Int32($0) }], "\(text.debugDescription)")
    }
  }

  @Test func aBatchIsPaddedToItsLongestText() throws {
    let batch = try #require(try JSONValue(contentsOf: Fixtures.cases)["batch"])
    let texts = try #require(batch["texts"]?.array).map { try #require($0.string) }
    let wanted = try #require(batch["tokens"]?.array).map { try numbers($0).map { Int32($0) } }
    let rows = try Self.tokenizer.get().encode(texts, overflow: .truncate, padding: .longest)
    #expect(rows == wanted)
  }

  @Test(arguments: [
    ("a photo of a cat.", [320, 1125, 539, 320, 2368, 269]),
    (
      "This is a photo of a dog in the scene.",
      [589, 533, 320, 1125, 539, 320, 1929, 530, 518, 3562, 269]
    ),
    ("hello world!", [3306, 1002, 256]),
    ("zebra crossing, 2 people", [22548, 8673, 267, 273, 1047]),
    ("", []),
  ])
  func theSpecificationsExamplesAgree(text: String, ids: [Int]) throws {
    #expect(try Self.tokenizer.get().ids(text) == ids)
  }

  @Test func aLongTextIsRefusedOrCut() throws {
    let tokenizer = try Self.tokenizer.get()
    let text = String(repeating: "cat ", count: 76)
    let error = #expect(throws: TokenizerError.self) {
      try tokenizer.encode([text], overflow: .reject)
    }
    #expect(error == .tooLong(text: text, count: 78, limit: 77))
    #expect("\(try #require(error))".contains("has 78 tokens, the context 77"))
    let row = try #require(try tokenizer.encode([text], overflow: .truncate).first)
    #expect(row.count == 77)
    #expect(row.first == Int32(tokenizer.startID))
    #expect(row.last == Int32(tokenizer.endID))
    #expect(row[75] == Int32(try #require(tokenizer.ids("cat").first)))
    #expect(try tokenizer.encode([], overflow: .reject, padding: .longest).isEmpty)
  }

  @Test func markersInATextStandForThemselves() throws {
    let tokenizer = try Self.tokenizer.get()
    #expect(tokenizer.ids("<|startoftext|><|ENDOFTEXT|>") == [tokenizer.startID, tokenizer.endID])
  }
}

@Suite(
  "Tokenizer from a model folder",
  .enabled(
    if: Fixtures.exist(Fixtures.tinyFolder, Fixtures.tinyCases, Fixtures.prompts),
    "clip_tiny/ or clip/ fixtures missing"))
struct TokenizerFolderTests {
  @Test func everyTextHasThePeersIDs() throws {
    let tokenizer = try Tokenizer(folder: Fixtures.tinyFolder)
    let document = try JSONValue(contentsOf: Fixtures.tinyCases)
    #expect(tokenizer.vocabularySize == document["vocab_size"]?.integer)
    var texts: [String] = []
    for entry in try #require(document["cases"]?.array) {
      let text = try #require(entry["text"]?.string)
      texts.append(text)
      #expect(tokenizer.ids(text) == (try numbers(entry["ids"])), "\(text.debugDescription)")
      let rows = try tokenizer.encode([text], overflow: .truncate, padding: .longest)
      #expect(rows.first?.map { Int($0) } == (try numbers(entry["tokens"])))
    }
    let stored = try SafeTensorsFile(path: Fixtures.prompts).tensor(named: "tokens")
    let rows = try tokenizer.encode(
      texts, contextLength: stored.shape[1], overflow: .reject, padding: .context)
    #expect(rows.flatMap { $0.map { Int($0) } } == (try stored.integers()))
  }

  @Test func damagedVocabulariesAreRefused() throws {
    let folder = try TemporaryFolder()
    let vocabulary = try String(
      contentsOfFile: Fixtures.tinyFolder + "/vocab.json", encoding: .utf8)
    let merges = try String(contentsOfFile: Fixtures.tinyFolder + "/merges.txt", encoding: .utf8)
    func message(_ vocabulary: String?, _ merges: String?) throws -> String {
      for (name, text) in [("vocab.json", vocabulary), ("merges.txt", merges)] {
        let file = URL(filePath: folder.path).appending(path: name)
        try? FileManager.default.removeItem(at: file)
        try text?.write(to: file, atomically: true, encoding: .utf8)
      }
      let error = #expect(throws: (any Error).self) { try Tokenizer(folder: folder.path) }
      return "\(try #require(error))"
    }
    #expect(try message(nil, merges).contains("vocab.json: no such file"))
    #expect(try message(vocabulary, nil).contains("merges.txt: no such file"))
    #expect(try message("[]", merges).contains("is not an object"))
    #expect(try message("{\"a\": 1", merges).contains("line 1"))
    #expect(try message("{\"a\": -1}", merges).contains("\"a\" has the id -1"))
    #expect(try message("{\"a\": 0}", merges).contains("has no"))
    #expect(try message(vocabulary, merges + "one two three\n").contains("one two three"))
    #expect(try message(vocabulary, merges + "\u{732B} x\n").contains("merge"))
    #expect(
      try message(vocabulary.replacing("<|endoftext|>", with: "end"), merges)
        .contains("<|endoftext|>"))
  }

  @Test func aForeignMergeTableIsRefused() throws {
    let error = #expect(throws: FormatError.self) {
      try Tokenizer(mergeTable: Fixtures.tinyFolder + "/merges.txt")
    }
    #expect(error?.reason == "is not a gzip file")
  }
}

@Suite("Text cleaning")
struct TextCleaningTests {
  @Test(arguments: [
    ("  Two\t\n words ", "two words"), ("a &amp;amp; b", "a & b"), ("&#x41;&#66;&lt;", "ab<"),
    ("AT&T &copy2 &unknown; &", "at&t \u{A9}2 &unknown; &"),
    ("&#128;&#0;&#xD800;", "€\u{FFFD}\u{FFFD}"),
    ("\u{201C}x\u{201D} it\u{2019}s", "\"x\" it's"), ("\u{FF21}\u{FB01}\u{3000}b", "afi b"),
    ("cafe\u{301}", "caf\u{E9}"), ("it\u{E2}\u{20AC}\u{2122}s", "it's"), ("ΟΔΟΣ ΣΑΣ", "οδος σας"),
    ("x\u{0}y\u{FEFF}", "xy"), ("caf\u{E9} na\u{EF}ve", "caf\u{E9} na\u{EF}ve"),
    ("&notin; &hellip;", "\u{2209} \u{2026}"), ("&nosuchname", "&nosuchname"),
  ])
  func isAsSpecified(text: String, cleaned: String) {
    #expect(Array(TextCleaning.clean(text).unicodeScalars) == Array(cleaned.unicodeScalars))
  }

  @Test func wordsAreCutAsSpecified() {
    var pieces: [String] = []
    TextSplitter.split("it's 42!? we'll o'clock") { piece in
      if case .word(let scalars) = piece {
        pieces.append(String(String.UnicodeScalarView(scalars)))
      }
    }
    #expect(pieces == ["it", "'s", "4", "2", "!?", "we", "'ll", "o", "'", "clock"])
  }
}
