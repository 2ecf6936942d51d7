import Formats
import Foundation

/// Learns the ranked pairs of a tokenizer from a few texts.
struct BytePairTraining {
  /// The symbols in the order of their ids, markers included.
  private(set) var symbols: [String]
  /// The merges in the order of their ranks, two symbols with a space between.
  private(set) var merges: [String] = []
  private var words: [[String]]

  /// Merges the commonest pair until every word of the texts is one symbol.
  init(texts: [String]) {
    let alphabet = ByteAlphabet.ordered.map { String($0) }
    symbols = alphabet + alphabet.map { $0 + "</w>" }
    var found: Set<[String]> = []
    for text in texts {
      TextSplitter.split(TextCleaning.clean(text)) { piece in
        guard case .word(let scalars) = piece else { return }
        let bytes = scalars.flatMap { Array(String($0).utf8) }
        var word = bytes.map { String(ByteAlphabet.byByte[Int($0)]) }
        word.append((word.popLast() ?? "") + "</w>")
        found.insert(word)
      }
    }
    // The order is that of the words' bytes, so equal texts give an equal table.
    words = found.sorted { $0.lexicographicallyPrecedes($1) }
    var known = Set(symbols)
    while let (left, right) = commonestPair() {
      merges.append("\(left) \(right)")
      if known.insert(left + right).inserted { symbols.append(left + right) }
      merge(left, right)
    }
    symbols += ["<|startoftext|>", "<|endoftext|>"]
  }

  private func commonestPair() -> (String, String)? {
    var counts: [[String]: Int] = [:]
    for word in words {
      for place in word.indices.dropLast() {
        counts[[word[place], word[place + 1]], default: 0] += 1
      }
    }
    let best = counts.max { a, b in
      a.value != b.value ? a.value < b.value : b.key.lexicographicallyPrecedes(a.key)
    }
    return best.map { ($0.key[0], $0.key[1]) }
  }

  /// All occurrences from left to right, as the tokenizer merges them.
  private mutating func merge(_ left: String, _ right: String) {
    for index in words.indices {
      var merged: [String] = []
      var place = 0
      let word = words[index]
      while place < word.count {
        if place + 1 < word.count, word[place] == left, word[place + 1] == right {
          merged.append(left + right)
          place += 2
        } else {
          merged.append(word[place])
          place += 1
        }
      }
      words[index] = merged
    }
  }
}

extension Tokenizer {
  /// Writes `vocab.json` and `merges.txt` of a small vocabulary in which every word of the texts is
  /// one token; other words are made of smaller pieces, down to bytes.
  ///
  /// Equal texts give equal files.
  ///
  /// - Parameters:
  ///   - texts: Texts in the language to come.
  ///   - folder: An existing folder.
  /// - Returns: The number of tokens.
  /// - Throws: `FormatError` when a file cannot be written.
  package static func writeVocabulary(of texts: [String], to folder: String) throws -> Int {
    let training = BytePairTraining(texts: texts)
    let ids = training.symbols.enumerated().map { ($1, JSONValue.number(Double($0))) }
    let vocabulary = JSONValue.object(Dictionary(ids) { first, _ in first })
    try AtomicFile.write(Data(vocabulary.text().utf8), to: "\(folder)/vocab.json")
    let lines = ["#version: 0.2"] + training.merges
    try AtomicFile.write(
      Data(lines.map { $0 + "\n" }.joined().utf8), to: "\(folder)/merges.txt")
    return training.symbols.count
  }
}
