import Formats

/// The table of a byte-pair tokenizer: an id for each symbol and the ranked pairs that merge.
struct BytePairVocabulary: Sendable {
  /// What a pair of symbols merges into, and how early.
  private struct Merge {
    let rank: Int
    let id: Int
  }

  /// Two symbol ids side by side.
  private struct Pair: Hashable {
    let left: Int
    let right: Int
  }

  let size: Int
  let startID: Int
  let endID: Int
  /// The ids of the 256 bytes inside a word, and at its end.
  private let inner: [Int]
  private let last: [Int]
  private let merges: [Pair: Merge]

  private static let startMarker = "<|startoftext|>"
  private static let endMarker = "<|endoftext|>"
  private static let wordEnd = "</w>"
  /// CLIP's table is cut so that symbols, merges and two markers number 49408.
  private static let mergeCount = 49_152 - 256 - 2

  /// Reads `vocab.json` and `merges.txt`.
  init(vocabulary vocabularyPath: String, merges mergesPath: String) throws {
    guard let members = try JSONValue(contentsOf: vocabularyPath).object else {
      throw TokenizerError.vocabulary(path: vocabularyPath, reason: "is not an object of ids")
    }
    let ids = try Self.ids(members, path: vocabularyPath)
    var lines = try MappedFile.read(mergesPath) { try Self.lines($0, path: mergesPath) }
    if lines.first?.hasPrefix("#") ?? false { lines.removeFirst() }
    while lines.last?.isEmpty ?? false { lines.removeLast() }
    try self.init(
      ids: ids, merges: lines, vocabularyPath: vocabularyPath, mergesPath: mergesPath)
  }

  /// Reads `tokenizer.json`, all that newer programs write: the table and the merges in one file.
  init(tokenizer path: String) throws {
    let document = try JSONValue(contentsOf: path)
    func refuse(_ reason: String) -> TokenizerError { .vocabulary(path: path, reason: reason) }
    let model = document["model"]
    guard model?["type"]?.string == "BPE", model?["end_of_word_suffix"]?.string == Self.wordEnd,
      var members = model?["vocab"]?.object, let merges = model?["merges"]?.array
    else {
      throw refuse(
        "is no byte-pair tokenizer whose words end with \(Self.wordEnd), as CLIP's is; take the files of "
          + "a CLIP model")
    }
    // The markers stand in the table, among the added tokens or in both.
    for token in document["added_tokens"]?.array ?? [] {
      guard let symbol = token["content"]?.string, let id = token["id"] else { continue }
      guard members[symbol] == nil || members[symbol] == id else {
        throw refuse("\"\(symbol)\" has two ids")
      }
      members[symbol] = id
    }
    let lines = try merges.enumerated().map { rank, merge in
      if let line = merge.string { return line }
      guard let pair = merge.array, pair.count == 2, let left = pair[0].string,
        let right = pair[1].string
      else { throw refuse("merge \(rank + 1) is no pair of symbols") }
      return "\(left) \(right)"
    }
    try self.init(
      ids: try Self.ids(members, path: path), merges: lines, vocabularyPath: path, mergesPath: path)
  }

  /// The ids by symbol, checked to be all the numbers from 0 on.
  private static func ids(_ members: [String: JSONValue], path: String) throws -> [String: Int] {
    var seen: Set<Int> = []
    return Dictionary(
      uniqueKeysWithValues: try members.map { symbol, value in
        guard let id = value.integer, id >= 0, id < members.count, seen.insert(id).inserted else {
          throw TokenizerError.vocabulary(
            path: path,
            reason: "\"\(symbol)\" has the id \(value.text()); ids must be 0 to "
              + "\(members.count - 1), each once")
        }
        return (symbol, id)
      })
  }

  /// Reads `bpe_simple_vocab_16e6.txt.gz`, from which the ids follow.
  init(mergeTable path: String) throws {
    let content = try Gzip.decompress(path: path)
    let lines = try content.withUnsafeBytes { try Self.lines($0, path: path) }
    guard lines.count > Self.mergeCount else {
      throw TokenizerError.vocabulary(
        path: path,
        reason: "has \(lines.count, "line"), CLIP's table at least \(Self.mergeCount + 1)")
    }
    // The first line is a title.
    let merges = Array(lines[1...Self.mergeCount])
    let bytes = ByteAlphabet.ordered.map { String($0) }
    let symbols =
      bytes + bytes.map { $0 + Self.wordEnd } + merges.map { $0.filter { $0 != " " } }
      + [Self.startMarker, Self.endMarker]
    let ids = Dictionary(symbols.enumerated().map { ($1, $0) }) { first, _ in first }
    guard ids.count == symbols.count else {
      throw TokenizerError.vocabulary(path: path, reason: "two merges give the same symbol")
    }
    try self.init(ids: ids, merges: merges, vocabularyPath: path, mergesPath: path)
  }

  private init(
    ids: [String: Int], merges lines: [String], vocabularyPath: String, mergesPath: String
  ) throws {
    func id(_ symbol: String) throws -> Int {
      guard let id = ids[symbol] else {
        throw TokenizerError.vocabulary(path: vocabularyPath, reason: "has no \"\(symbol)\"")
      }
      return id
    }
    let alphabet = ByteAlphabet.byByte.map { String($0) }
    inner = try alphabet.map { try id($0) }
    last = try alphabet.map { try id($0 + Self.wordEnd) }
    startID = try id(Self.startMarker)
    endID = try id(Self.endMarker)
    size = ids.count
    guard endID == size - 1 else {
      throw TokenizerError.vocabulary(
        path: vocabularyPath,
        reason: "the end marker has the id \(endID); encoders find a text's end by the largest, "
          + "\(size - 1)")
    }
    var merges: [Pair: Merge] = [:]
    merges.reserveCapacity(lines.count)
    for (rank, line) in lines.enumerated() {
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 2, let left = ids[String(parts[0])], let right = ids[String(parts[1])],
        let merged = ids[String(parts[0] + parts[1])]
      else {
        throw TokenizerError.vocabulary(
          path: mergesPath,
          reason: "merge \(rank + 1) is \"\(line.prefix(60))\"; it needs two symbols that, like "
            + "their merger, have ids")
      }
      // Of equal pairs the earlier wins.
      let pair = Pair(left: left, right: right)
      if merges[pair] == nil { merges[pair] = Merge(rank: rank, id: merged) }
    }
    self.merges = merges
  }

  /// The lines of a UTF-8 text, cut at line feeds only.
  private static func lines(_ bytes: UnsafeRawBufferPointer, path: String) throws -> [String] {
    try bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
      let slice = line.last == 0x0D ? line.dropLast() : line
      guard let text = String(validating: slice, as: UTF8.self) else {
        throw TokenizerError.vocabulary(path: path, reason: "is not valid UTF-8")
      }
      return text
    }
  }

  /// Appends the ids of one word: its bytes, merged pair by pair, the lowest rank first.
  func append(_ word: some Sequence<Unicode.Scalar>, to ids: inout [Int]) {
    var symbols: [Int] = []
    var lastByte = 0
    for scalar in word {
      for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
        symbols.append(inner[Int(byte)])
        lastByte = Int(byte)
      }
    }
    guard !symbols.isEmpty else { return }
    symbols[symbols.count - 1] = last[lastByte]
    while symbols.count > 1, let (pair, merge) = bestMerge(symbols) {
      // All occurrences from left to right, in place.
      var target = 0
      var source = 0
      while source < symbols.count {
        if source + 1 < symbols.count, symbols[source] == pair.left,
          symbols[source + 1] == pair.right
        {
          symbols[target] = merge.id
          source += 2
        } else {
          symbols[target] = symbols[source]
          source += 1
        }
        target += 1
      }
      symbols.removeSubrange(target...)
    }
    ids += symbols
  }

  private func bestMerge(_ symbols: [Int]) -> (Pair, Merge)? {
    var best: (Pair, Merge)?
    for index in 0..<symbols.count - 1 {
      let pair = Pair(left: symbols[index], right: symbols[index + 1])
      if let merge = merges[pair], merge.rank < best?.1.rank ?? .max { best = (pair, merge) }
    }
    return best
  }
}

/// The printable stand-ins of the 256 bytes.
enum ByteAlphabet {
  private static let printable = Array(33...126) + Array(161...172) + Array(174...255)

  /// The stand-in of each byte, by the byte's value.
  static let byByte: [Character] = {
    let plain = Set(printable)
    var next: UInt32 = 256
    return (0..<256).map { byte in
      var code = UInt32(byte)
      if !plain.contains(byte) {
        code = next
        next += 1
      }
      return Character(Unicode.Scalar(code) ?? "\u{FFFD}")
    }
  }()

  /// The stand-ins in the order of their ids: the printable bytes first.
  static let ordered: [Character] = {
    let plain = Set(printable)
    let others = (0..<256).filter { !plain.contains($0) }
    return (printable + others).map { byByte[$0] }
  }()
}
