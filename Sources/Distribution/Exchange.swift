/// What ranks exchange, by name: all ranks have to be at the same one.
///
/// A world compares it before any number is exchanged, so that ranks which disagree learn both names
/// instead of mixing or waiting for each other.
package struct Exchange: Sendable, Equatable, CustomStringConvertible {
  /// What is exchanged, a layer's path for example.
  package let name: String
  /// Which one of that name: a bucket, an iteration, a replica.
  package let number: Int

  /// Names an exchange.
  ///
  /// - Parameters:
  ///   - name: What is exchanged.
  ///   - number: Which one of that name.
  package init(_ name: String, _ number: Int = 0) {
    self.name = name
    self.number = number
  }

  /// Name and number.
  package var description: String { number == 0 ? name : "\(name) \(number)" }
}

/// How an exchange works and how much it moves.
package struct ExchangeShape: Sendable, Equatable, CustomStringConvertible {
  /// What becomes of the values.
  package enum Kind: Int, Sendable {
    case floatSum, doubleSum, highest, union, broadcast, gather, barrier

    private var words: String {
      switch self {
      case .floatSum: "sum of floats"
      case .doubleSum: "sum of doubles"
      case .highest: "highest of numbers"
      case .union: "union of bits"
      case .broadcast: "broadcast"
      case .gather: "gathering"
      case .barrier: "barrier"
      }
    }

    fileprivate func words(count: Int) -> String {
      switch self {
      case .broadcast, .gather, .barrier: words
      default: "\(words), \(count) of them,"
      }
    }
  }

  package let kind: Kind
  /// Numbers or words; 0 where ranks may give different amounts.
  package let count: Int

  /// Describes an exchange.
  ///
  /// - Parameters:
  ///   - kind: What becomes of the values.
  ///   - count: How many there are, where all ranks have to give as many.
  package init(_ kind: Kind, count: Int = 0) {
    self.kind = kind
    self.count = count
  }

  /// For a message.
  package var description: String { kind.words(count: count) }
}
