/// A tensor name with gaps, such as `backbone.layer{n}.{i}.bn{j}.{*}`.
///
/// `{n}` stands for a whole number and `{n+1}` for the number above it; `{*}` stands for the last
/// part of a name, without a dot, and `{**}` for all that is left.
struct NameTemplate: Sendable {
  private enum Piece {
    case text(String)
    case number(Character, added: Int)
    case rest(acrossDots: Bool)
  }

  /// What stood in the gaps of a name.
  struct Filling: Equatable {
    var numbers: [Character: Int] = [:]
    var rest = ""
  }

  private let pieces: [Piece]

  /// Reads a template; anything in braces that is no gap counts as text.
  init(_ template: String) {
    var pieces: [Piece] = []
    var left = template[...]
    while !left.isEmpty {
      let text = left.prefix { $0 != "{" }
      if !text.isEmpty { pieces.append(.text(String(text))) }
      left = left.dropFirst(text.count)
      guard let end = left.firstIndex(of: "}") else {
        if !left.isEmpty { pieces.append(.text(String(left))) }
        break
      }
      let gap = left[left.index(after: left.startIndex)..<end]
      left = left[left.index(after: end)...]
      if gap.first == "*" {
        pieces.append(.rest(acrossDots: gap == "**"))
      } else if let letter = gap.first {
        pieces.append(.number(letter, added: Int(gap.dropFirst()) ?? 0))
      }
    }
    self.pieces = pieces
  }

  /// What stands in the gaps of a name, or nil when the name is not of this kind.
  func match(_ name: String) -> Filling? {
    var filling = Filling()
    var left = name[...]
    for piece in pieces {
      switch piece {
      case .text(let text):
        guard left.hasPrefix(text) else { return nil }
        left = left.dropFirst(text.count)
      case .number(let letter, let added):
        let digits = left.prefix { $0.isASCII && $0.isNumber }
        guard digits.count < 6, let number = Int(digits), number >= added else { return nil }
        filling.numbers[letter] = number - added
        left = left.dropFirst(digits.count)
      case .rest(let acrossDots):
        guard !left.isEmpty, acrossDots || !left.contains(".") else { return nil }
        filling.rest = String(left)
        left = ""
      }
    }
    return left.isEmpty ? filling : nil
  }

  /// The name with these gaps.
  func name(_ filling: Filling) -> String {
    pieces.map { piece in
      switch piece {
      case .text(let text): text
      case .number(let letter, let added): "\((filling.numbers[letter] ?? 0) + added)"
      case .rest: filling.rest
      }
    }.joined()
  }
}
