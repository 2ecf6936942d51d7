import Formats

/// How ranks come to the same end when something is wrong before the first step.
package enum Agreement {
  /// Something that has to be alike on all ranks.
  package struct Item: Equatable, Sendable {
    /// What it is, "instances_train2017.json" for example.
    let what: String
    /// Equal where it is alike.
    let digest: String
    /// More about it that helps to see the difference, "450 012 345 bytes" for example; may be empty.
    let details: String

    /// Describes something.
    ///
    /// - Parameters:
    ///   - what: What it is; the same on all ranks.
    ///   - digest: Equal where it is alike.
    ///   - details: What helps to see the difference.
    package init(_ what: String, digest: String, details: String = "") {
      (self.what, self.digest, self.details) = (what, digest, details)
    }

    fileprivate var json: JSONValue { .array([.string(what), .string(digest), .string(details)]) }

    fileprivate init?(_ json: JSONValue) {
      guard let parts = json.array, parts.count == 3, let what = parts[0].string,
        let digest = parts[1].string, let details = parts[2].string
      else { return nil }
      self.init(what, digest: digest, details: details)
    }
  }

  /// Does something on every rank; where it fails on any, all ranks get one error.
  ///
  /// - Parameters:
  ///   - what: What is done.
  ///   - world: The ranks.
  ///   - code: The exit code of an error that is no ``AgreedError``.
  ///   - body: Does it; exchanges nothing.
  /// - Returns: What `body` gives on this rank.
  /// - Throws: ``AgreedError``, or alone what `body` throws; ``WorldError``.
  package static func together<Value>(
    _ what: String, in world: any World, code: (any Error) -> Int32 = { _ in 1 },
    _ body: () throws -> Value
  ) throws -> Value {
    guard world.size > 1 else { return try body() }
    let outcome = Result { try body() }
    let note = Failure(outcome, host: world.host, code: code)
    try throwAgreed(note, what, world) { AgreedError(failures: $0) }
    return try outcome.get()
  }

  /// Does something on rank 0 alone; where it fails, all ranks get the error.
  ///
  /// - Parameters:
  ///   - what: What is done.
  ///   - world: The ranks.
  ///   - code: The exit code of an error.
  ///   - body: Does it.
  /// - Returns: What `body` gives on rank 0, nil elsewhere.
  /// - Throws: ``AgreedError``, or alone what `body` throws; ``WorldError``.
  package static func onRank0<Value>(
    _ what: String, in world: any World, code: (any Error) -> Int32 = { _ in 1 },
    _ body: () throws -> Value
  ) throws -> Value? {
    guard world.size > 1 else { return try body() }
    let outcome: Result<Value, any Error>? = world.rank == 0 ? Result { try body() } : nil
    let note = Failure(outcome, host: world.host, code: code)
    try throwAgreed(note, what, world) { failures in
      failures.first.flatMap { $0.code == 0 ? nil : AgreedError(text: $0.text, code: $0.code) }
    }
    return try outcome?.get()
  }

  /// Compares what has to be alike; where a rank differs from rank 0, all ranks get one error.
  ///
  /// - Parameters:
  ///   - items: In the same order on all ranks.
  ///   - world: The ranks.
  /// - Throws: ``AgreedError``; ``WorldError``.
  package static func compare(_ items: [Item], in world: any World) throws {
    guard world.size > 1 else { return }
    let own = JSONValue.array([.string(world.host)] + items.map(\.json))
    let all = try world.gathered(Array(own.text().utf8), Exchange("comparison"))
    let lines = try world.broadcast(
      Array((firstDifference(all.map(Self.read)) ?? "").utf8), Exchange("comparison"))
    guard lines.isEmpty else {
      throw AgreedError(text: String(decoding: lines, as: UTF8.self), code: 1)
    }
  }

  private static func read(_ bytes: [UInt8]) -> (host: String, items: [Item]) {
    let parts = list(bytes)
    return (parts.first?.string ?? "", parts.dropFirst().compactMap { Item($0) })
  }

  /// The first thing that is not alike, with the ranks where it is another than on rank 0.
  private static func firstDifference(_ all: [(host: String, items: [Item])]) -> String? {
    guard let first = all.first else { return nil }
    for (index, item) in first.items.enumerated() {
      let others = all.indices.filter { rank in
        !all[rank].items.indices.contains(index)
          || all[rank].items[index].what != item.what
          || all[rank].items[index].digest != item.digest
      }
      guard let rank = others.first else { continue }
      let other = all[rank].items.indices.contains(index) ? all[rank].items[index] : nil
      var details = ""
      if let other, !other.details.isEmpty, other.details != item.details {
        details = " (\(other.details), on rank 0 \(item.details))"
      }
      let more = others.count > 1 ? " (and \(others.count - 1) more)" : ""
      return "rank \(rank) on host \(all[rank].host)\(more) has another \(item.what) than rank 0"
        + "\(details); give all processes the same"
    }
    let counts = Set(all.map(\.items.count))
    return counts.count > 1 ? "the processes compare different things: use one version" : nil
  }

  /// The parts of a rank's message.
  private static func list(_ bytes: [UInt8]) -> [JSONValue] {
    let text = String(decoding: bytes, as: UTF8.self)
    return (try? JSONValue(parsing: text, source: "rank"))?.array ?? []
  }

  /// What a rank says of its attempt.
  fileprivate struct Failure {
    let text: String
    /// 0 when there was none.
    let code: Int32
    let host: String

    init(text: String, code: Int32, host: String) {
      (self.text, self.code, self.host) = (text, code, host)
    }

    init<Value>(
      _ outcome: Result<Value, any Error>?, host: String, code: (any Error) -> Int32
    ) {
      guard case .failure(let error)? = outcome else {
        self.init(text: "", code: 0, host: host)
        return
      }
      let agreed = error as? AgreedError
      self.init(text: "\(error)", code: max(1, agreed?.code ?? code(error)), host: host)
    }
  }

  private static func throwAgreed(
    _ own: Failure, _ what: String, _ world: any World, _ judge: ([Failure]) -> AgreedError?
  ) throws {
    let json = JSONValue.array([.string(own.text), .number(Double(own.code)), .string(own.host)])
    let all = try world.gathered(Array(json.text().utf8), Exchange(what)).map { bytes in
      let parts = list(bytes)
      return Failure(
        text: parts.first?.string ?? "",
        code: (parts.dropFirst().first?.integer).flatMap(Int32.init(exactly:)) ?? 0,
        host: parts.last?.string ?? "")
    }
    let error = world.rank == 0 ? judge(all) : nil
    let told = try world.broadcast(
      error.map { [UInt8(truncatingIfNeeded: $0.code)] + Array($0.description.utf8) } ?? [],
      Exchange(what))
    guard let code = told.first else { return }
    throw AgreedError(
      text: String(decoding: told.dropFirst(), as: UTF8.self), code: Int32(code))
  }
}

/// What went wrong on some ranks, the same on all of them; one rank tells it.
package struct AgreedError: Error, Equatable, CustomStringConvertible {
  /// The exit code.
  package let code: Int32
  /// One line with the remedy.
  package let description: String

  package init(text: String, code: Int32) {
    description = text
    self.code = code
  }

  /// What the failures of all ranks, by rank, are together; nil when there is none.
  fileprivate init?(failures: [Agreement.Failure]) {
    guard let first = failures.first(where: { $0.code != 0 }) else { return nil }
    var groups: [(text: String, ranks: [Int])] = []
    for (rank, failure) in failures.enumerated() where failure.code != 0 {
      if let index = groups.firstIndex(where: { $0.text == failure.text }) {
        groups[index].ranks.append(rank)
      } else {
        groups.append((failure.text, [rank]))
      }
    }
    let isCommon = groups.count == 1 && groups[0].ranks.count == failures.count
    let lines = groups.map { group in
      let rank = group.ranks[0]
      let more = group.ranks.count > 1 ? " (and \(group.ranks.count - 1) more)" : ""
      return "rank \(rank) on host \(failures[rank].host)\(more): \(group.text)"
    }
    self.init(text: isCommon ? groups[0].text : lines.joined(separator: "; "), code: first.code)
  }
}
