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

  /// A number that stands for the exchange and its kind, from 0 to 2^62.
  func code(_ kind: ExchangeShape.Kind) -> Int64 {
    // FNV-1a: two exchanges that a program can confuse have different ones.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for byte in name.utf8 { mix(byte) }
    for shift in stride(from: 0, to: 64, by: 8) {
      mix(UInt8(truncatingIfNeeded: number >> shift))
    }
    mix(UInt8(truncatingIfNeeded: kind.rawValue))
    return Int64(hash >> 2)
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
