import Tensors

/// Sentences of which every beginning stands there once: attention is causal, so that what becomes of
/// a beginning does not depend on what follows.
///
/// A row is a beginning that differs from all others, "a photo of a" for example; R is their number,
/// S that of the sentences, L the length of the longest.
struct SentenceTree {
  /// The last token of each row, `[R]`.
  let tokens: [Int32]
  /// Where in its sentences that token stands, `[R]`.
  let positions: [Int32]
  /// L.
  let length: Int
  /// The row at each place of each sentence, `[S·L]`; behind the end that of the end again.
  let rows: [Int32]
  /// A place that shows each row, `[R]`.
  let places: [Int32]
  /// The row of each sentence's end, `[S]`.
  let ends: [Int32]
  /// The place of each sentence's end, `[S]`.
  let endPlaces: [Int32]

  /// S.
  var count: Int { ends.count }

  private struct Branch: Hashable {
    let parent, token: Int32
  }

  /// Lays out sentences.
  ///
  /// - Parameter sentences: Token ids, at least one each; the end is the first position of the
  ///   largest.
  init(_ sentences: [[Int32]]) {
    let sentences = sentences.map { ids in
      ids.prefix((ids.firstIndex(of: ids.max() ?? 0) ?? 0) + 1)
    }
    let length = sentences.reduce(0) { max($0, $1.count) }
    var (tokens, positions, rows, places): ([Int32], [Int32], [Int32], [Int32]) = ([], [], [], [])
    var known: [Branch: Int32] = [:]
    for (index, ids) in sentences.enumerated() {
      var row: Int32 = -1
      for (position, token) in ids.enumerated() {
        let branch = Branch(parent: row, token: token)
        if let old = known[branch] {
          row = old
        } else {
          row = Int32(tokens.count)
          known[branch] = row
          tokens.append(token)
          positions.append(Int32(position))
          places.append(Int32(index * length + position))
        }
        rows.append(row)
      }
      rows += [Int32](repeating: row, count: length - ids.count)
    }
    (self.tokens, self.positions, self.rows, self.places) = (tokens, positions, rows, places)
    let endPlaces = sentences.enumerated().map { Int32($0 * length + $1.count - 1) }
    (self.length, self.endPlaces) = (length, endPlaces)
    ends = endPlaces.map { [rows] in rows[Int($0)] }
  }

  /// Its lists on a device.
  struct Lists {
    let count, length: Int
    let rows, places, ends, endPlaces: Tensor
  }

  /// Its lists on a device.
  func lists(on stream: ComputeStream) throws -> Lists {
    func list(_ values: [Int32]) throws -> Tensor {
      try Tensor(values, shape: [values.count], on: stream, label: "sentences")
    }
    return Lists(
      count: count, length: length, rows: try list(rows), places: try list(places),
      ends: try list(ends), endPlaces: try list(endPlaces))
  }
}
