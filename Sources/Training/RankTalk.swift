import Distribution
import Formats
import Foundation

/// What ranks have to say while they train: the others tell rank 0, which says each warning once (spec
/// distributed 6).
///
/// Texts travel after a step in which a rank has some, so that a step without any costs nothing.
package final class RankTalk {
  /// Something said.
  struct Message: Equatable {
    let kind: RunLog.Kind
    let text: String
  }

  /// How often a warning came after it was told.
  private struct Tally {
    let text: String
    var more = 0
  }

  private let world: any World
  /// Whether rank 0 writes a log for each rank, and so gets all that a rank says.
  private let keepsLogs: Bool
  /// What rank 0 has not got yet.
  private var waiting: [Message] = []
  private var hasBegun = false
  /// Warnings that were told, on rank 0.
  private var told: [String: Int] = [:]
  private var tallies: [Tally] = []
  private var logs: [Int: RunLog] = [:]

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - world: The processes.
  ///   - keepsLogs: Whether rank 0 writes a log for each rank.
  package init(_ world: any World, keepsLogs: Bool = false) {
    self.world = world
    self.keepsLogs = keepsLogs
  }

  /// Takes up what happens on this rank.
  ///
  /// - Parameter event: What.
  func see(_ event: TrainingEvent) {
    switch event {
    case .starting: hasBegun = true
    case .note(let text) where keepsLogs: waiting.append(Message(kind: .note, text: text))
    case .warning(let text):
      if world.rank == 0 { tell(text) }
      // Before the first step every rank finds what rank 0 finds and tells.
      guard keepsLogs || world.rank > 0 && hasBegun else { break }
      waiting.append(Message(kind: hasBegun ? .warning : .note, text: text))
    default: break
    }
  }

  /// Takes up how long a step took on this rank.
  ///
  /// - Parameters:
  ///   - iteration: The step.
  ///   - seconds: What it took.
  ///   - waitShare: The share of it that waited for data.
  func see(step iteration: Int, seconds: Double, waitShare: Double) {
    guard keepsLogs else { return }
    let times = String(format: "%.3f s, data wait %.0f %%", seconds, 100 * waitShare)
    waiting.append(Message(kind: .note, text: "iteration \(iteration): \(times)"))
  }

  /// Whether rank 0 has not got all of it.
  var isWaiting: Bool { !waiting.isEmpty }

  /// The warnings that rank 0 has not got, for a rank that ends by itself.
  package func takeWarnings() -> [String] {
    defer { waiting = [] }
    return waiting.filter { $0.kind == .warning }.map(\.text)
  }

  /// Carries what all ranks have said to rank 0; every rank has to call it.
  ///
  /// - Parameters:
  ///   - folder: Where rank 0 writes the logs, in a folder `ranks`; nil on other ranks.
  ///   - number: Which time it is, alike on all ranks.
  /// - Returns: On rank 0 the warnings that are new, with their ranks.
  /// - Throws: `WorldError`.
  func carry(to folder: String?, number: Int) throws -> [String] {
    let own = JSONValue.array(
      [.string(world.host)]
        + waiting.map { .array([.string($0.kind.rawValue), .string($0.text)]) })
    waiting = []
    let all = try world.gathered(Array(own.text().utf8), Exchange("messages", number))
      .enumerated().map { Said(rank: $0, $1) }
    if keepsLogs, let folder { write(all, to: "\(folder)/ranks") }
    return new(of: all)
  }

  /// What a rank has said.
  private struct Said {
    let rank: Int
    let host: String
    let messages: [Message]

    init(rank: Int, _ bytes: [UInt8]) {
      let text = String(decoding: bytes, as: UTF8.self)
      let parts = (try? JSONValue(parsing: text, source: "rank"))?.array ?? []
      self.rank = rank
      host = parts.first?.string ?? ""
      messages = parts.dropFirst().compactMap { part in
        guard let pair = part.array, pair.count == 2, let text = pair[1].string,
          let kind = pair[0].string.flatMap(RunLog.Kind.init)
        else { return nil }
        return Message(kind: kind, text: text)
      }
    }
  }

  private func write(_ all: [Said], to folder: String) {
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    for said in all {
      let log = logs[said.rank] ?? RunLog(path: "\(folder)/rank-\(said.rank).log")
      logs[said.rank] = log
      for message in said.messages { log.add(message.kind, message.text) }
    }
  }

  /// Notes that a warning is told; another one like it is counted.
  private func tell(_ text: String) {
    guard told[text] == nil else { return }
    told[text] = tallies.count
    tallies.append(Tally(text: text))
  }

  /// The warnings of other ranks that were not told before, each with the ranks that have it.
  private func new(of all: [Said]) -> [String] {
    var fresh: [(text: String, first: Said, ranks: Set<Int>)] = []
    for said in all where said.rank > 0 {
      for message in said.messages where message.kind == .warning {
        if let index = fresh.firstIndex(where: { $0.text == message.text }) {
          if !fresh[index].ranks.insert(said.rank).inserted { count(message.text) }
        } else if told[message.text] != nil {
          count(message.text)
        } else {
          tell(message.text)
          fresh.append((message.text, said, [said.rank]))
        }
      }
    }
    return fresh.map { text, first, ranks in
      let more = ranks.count > 1 ? " (and \(ranks.count - 1) more)" : ""
      return "rank \(first.rank) on host \(first.host)\(more): \(text)"
    }
  }

  private func count(_ text: String) {
    if let index = told[text] { tallies[index].more += 1 }
  }

  /// How often told warnings came again, a line each.
  func closing() -> [String] {
    tallies.filter { $0.more > 0 }.map { tally in
      "\(tally.more, "more time") on other processes: \(tally.text)"
    }
  }
}
