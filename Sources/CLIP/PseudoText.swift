import Tensors

/// Which words stand where in a batch of sentences: start, words, end, padding (spec clip 3.6).
///
/// Plain host data; the words themselves are rows of a tensor that ``TextEncoder`` gathers from.
package struct PseudoText: Sendable, Equatable {
  /// Positions per sentence L, start and end included.
  package let length: Int
  /// Per sentence, the rows of its words in order, as far as they fit.
  package let sentences: [[Int32]]

  /// The end token's position in each sentence.
  package var ends: [Int] { sentences.map { $0.count + 1 } }

  /// Number of sentences S.
  package var count: Int { sentences.count }

  /// Lays out sentences.
  ///
  /// - Parameters:
  ///   - sentences: Per sentence, the word rows in order.
  ///   - contextLength: The most positions a sentence may have; a longer one keeps its first words
  ///     and still ends with the end token.
  ///   - length: Positions per sentence; nil takes the longest sentence plus 2.
  package init(sentences: [[Int32]], contextLength: Int, length: Int? = nil) {
    let most = contextLength - 2
    self.sentences = sentences.map { Array($0.prefix(most)) }
    let longest = self.sentences.reduce(0) { max($0, $1.count) }
    self.length = min(length ?? longest + 2, contextLength)
  }

  /// One sentence per region, of the words that are kept, at the fixed length K + 2.
  ///
  /// - Parameters:
  ///   - keep: Per region K flags; where none is set, word 0 is kept.
  ///   - contextLength: The most positions a sentence may have.
  package init(keep: [[Bool]], contextLength: Int) {
    let words = keep.first?.count ?? 0
    let sentences = keep.enumerated().map { region, flags in
      Self.kept(flags).map { Int32(region * words + $0) }
    }
    self.init(sentences: sentences, contextLength: contextLength, length: words + 2)
  }

  /// The indices of the kept words; word 0 when none is kept (spec method 1.7).
  ///
  /// - Parameter flags: One flag per word.
  /// - Returns: Indices in order.
  package static func kept(_ flags: [Bool]) -> [Int] {
    let kept = flags.indices.filter { flags[$0] }
    return kept.isEmpty ? [0] : kept
  }

  /// Rows to gather for `[S·L]` positions from a table of `wordCount` words followed by the
  /// embeddings of start, end and padding.
  func rows(wordCount: Int) -> [Int32] {
    let (start, end, padding) = (Int32(wordCount), Int32(wordCount + 1), Int32(wordCount + 2))
    var rows = [Int32](repeating: padding, count: count * length)
    for (index, words) in sentences.enumerated() {
      let base = index * length
      rows[base] = start
      for (position, word) in words.enumerated() { rows[base + 1 + position] = word }
      rows[base + 1 + words.count] = end
    }
    return rows
  }

  /// The rows of `[S·L]` that hold words, sentence by sentence, and for each the row of its
  /// sentence's end.
  var wordPositions: (positions: [Int32], ends: [Int32]) {
    var positions: [Int32] = []
    var references: [Int32] = []
    for (index, words) in sentences.enumerated() {
      let base = Int32(index * length)
      for position in 1..<Int32(words.count + 1) {
        positions.append(base + position)
        references.append(base + Int32(words.count) + 1)
      }
    }
    return (positions, references)
  }
}
