/// What keeps ranks from working together.
package enum WorldError: Error, Equatable, CustomStringConvertible {
  /// Two ranks are at different exchanges.
  case mixed(rank: Int, at: String, other: Int, otherAt: String)
  /// A rank has ended, so that an exchange cannot take place.
  case lost(rank: Int, exchange: String)
  /// Nothing came for too long.
  case hangs(exchange: String, missing: [Int], seconds: Double)
  /// The library reports an error.
  case call(name: String, exchange: String, reason: String)
  /// A rank ended all others.
  case aborted(code: Int32)

  /// One line with the remedy.
  package var description: String {
    switch self {
    case .mixed(let rank, let at, let other, let otherAt):
      "rank \(rank) is at the \(at), but rank \(other) at the \(otherAt): the processes are not in "
        + "the same step; go on from the last checkpoint, and report this line"
    case .lost(let rank, let exchange):
      "rank \(rank) has ended while others wait at '\(exchange)'; go on from the last checkpoint"
    case .hangs(let exchange, let missing, let seconds):
      "'\(exchange)' waits since \(Int(seconds)) s for rank "
        + "\(missing.map(String.init).joined(separator: ", ")); go on from the last checkpoint"
    case .call(let name, let exchange, let reason):
      "\(name) failed at '\(exchange)': \(reason); look for a process or a network that is gone, and "
        + "go on from the last checkpoint"
    case .aborted(let code):
      "another rank ended the run with code \(code); its line says why"
    }
  }
}

extension WorldError {
  /// The error of ranks that are at different exchanges, if they are.
  ///
  /// - Parameter offers: What each rank is at, by rank.
  package static func mixed(_ offers: [(exchange: String, shape: String)]) -> WorldError? {
    guard let first = offers.first,
      let other = offers.firstIndex(where: { $0 != first })
    else { return nil }
    func place(_ offer: (exchange: String, shape: String)) -> String {
      "\(offer.shape) '\(offer.exchange)'"
    }
    return .mixed(rank: 0, at: place(first), other: other, otherAt: place(offers[other]))
  }
}
