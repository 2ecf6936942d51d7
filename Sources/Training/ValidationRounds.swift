import Distribution
import Evaluation

/// The rounds in which ranks look at the images of a validation set, a group of images each.
///
/// What goes wrong on a rank, rank 0's disk included, ends the evaluation on all of them with the same
/// error, wherever they wait: rank 0 says in each round who looks at what, or why there is no next one.
struct ValidationRounds {
  /// What the other ranks wait for.
  private enum Stage {
    case looking, scoring, over
  }

  private let world: any World
  private var round = 0
  private var stage = Stage.looking
  /// On rank 0 why there will be no next round.
  private var failure: String?

  init(among world: any World) { self.world = world }

  /// The groups of images that the ranks look at next, one each; nil after the last.
  ///
  /// Rank 0 divides, so that groups are those of one process whatever other ranks see of the files.
  ///
  /// - Parameter groups: The groups that are left; asked on rank 0 only.
  /// - Throws: ``ValidationRunError/ofRank(reason:)`` on all ranks; `WorldError`.
  mutating func next(_ groups: AnyIterator<Range<Int>>) throws -> [Range<Int>]? {
    var ranges: [Range<Int>] = []
    if world.rank == 0, failure == nil {
      while ranges.count < world.size, let range = groups.next() { ranges.append(range) }
    }
    if world.size > 1 { ranges = try told(ranges) }
    if ranges.isEmpty { stage = .scoring }
    return ranges.isEmpty ? nil : ranges
  }

  /// Rank 0's ranges, or its failure, on every rank.
  private mutating func told(_ ranges: [Range<Int>]) throws -> [Range<Int>] {
    let bounds = ranges.flatMap { [UInt32($0.lowerBound), UInt32($0.upperBound)] }
    let own = failure.map { [1] + Array($0.utf8) } ?? [0] + bounds.bytes
    let told = try leaving { [world, round] in
      try world.broadcast(own, Exchange("validation images", round))
    }
    guard told.first == 0 else {
      stage = .over
      throw ValidationRunError.ofRank(reason: String(decoding: told.dropFirst(), as: UTF8.self))
    }
    let words = Array(told.dropFirst()).words
    return stride(from: 0, to: words.count - 1, by: 2).map { Int(words[$0])..<Int(words[$0 + 1]) }
  }

  /// Ends a round with what this rank found.
  ///
  /// - Parameters:
  ///   - own: This rank's detections, or why there are none.
  ///   - take: Gets on rank 0 the detections of each group, in the order of images.
  /// - Throws: `WorldError`; alone what the rank failed with.
  mutating func end(
    _ own: Result<DetectionResultsWriter.Piece, any Error>,
    _ take: (DetectionResultsWriter.Piece) throws -> Void
  ) throws {
    defer { round += 1 }
    guard world.size > 1 else { return try take(own.get()) }
    let message = message(own)
    let all = try leaving { [world, round] in
      try world.gathered(message, Exchange("detections", round))
    }
    for bytes in all {
      guard bytes.first == 0 else {
        failure = failure ?? String(decoding: bytes.dropFirst(), as: UTF8.self)
        continue
      }
      let (count, records) = (Array(bytes[1..<5]).words[0], Array(bytes.dropFirst(5)))
      guard failure == nil else { continue }
      do {
        try take(DetectionResultsWriter.Piece(bytes: records, count: Int(count)))
      } catch {
        failure = name(error)
      }
    }
  }

  /// What rank 0 gets of a rank: 0, the number of records and these, or 1 and an error.
  private func message(_ own: Result<DetectionResultsWriter.Piece, any Error>) -> [UInt8] {
    switch own {
    case .success(let piece): [0] + [UInt32(piece.count)].bytes + piece.bytes
    case .failure(let error): [1] + Array(name(error).utf8)
    }
  }

  private func name(_ error: any Error) -> String {
    "rank \(world.rank) on host \(world.host): \(error)"
  }

  /// Does what all ranks do together and leave together.
  mutating func leaving<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      stage = .over
      throw error
    }
  }

  /// Tells the ranks that wait, wherever they do, how it went on rank 0; the others learn it here.
  ///
  /// - Parameter outcome: What rank 0 has; nil elsewhere.
  /// - Throws: ``ValidationRunError/notScored(reason:)`` on ranks other than 0; `WorldError`.
  mutating func close<Value>(with outcome: Result<Value, any Error>?) throws {
    guard world.size > 1, stage != .over else { return }
    if case .failure(let error)? = outcome, stage == .looking {
      // It did not come to a next round, which the others wait for.
      failure = name(error)
      _ = try? told([])
      return
    }
    stage = .over
    var text = ""
    if case .failure(let error)? = outcome { text = "\(error)" }
    let told = try world.broadcast(Array(text.utf8), Exchange("scores"))
    guard outcome == nil, !told.isEmpty else { return }
    throw ValidationRunError.notScored(reason: String(decoding: told, as: UTF8.self))
  }
}
