import Distribution
import Evaluation
import Formats
import TestSupport
import Testing

@testable import Training

/// An evaluation on several ranks, one of which fails.
@Suite struct ValidationRoundsTests {
  private struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  /// Where something goes wrong.
  private enum Place: CaseIterable {
    case nowhere, opening, looking, taking, closing, scoring, progress
  }

  /// Goes through five rounds of eleven groups on three ranks.
  ///
  /// - Returns: For each rank what it ended with, and what rank 0 took.
  private func run(_ place: Place, rank failing: Int) -> [(error: String, taken: [UInt8])] {
    ThreadWorld.outcomes(3, hosts: ["a", "a", "b"], patience: 20) {
      world -> (error: String, taken: [UInt8]) in
      var rounds = ValidationRounds(among: world)
      var taken: [UInt8] = []
      let isFailing = world.rank == failing
      func look() throws {
        if place == .opening, isFailing { throw Fault(description: "no room") }
        let groups = AnyIterator((0..<11).map { $0..<$0 + 1 }.makeIterator())
        var round = 0
        while let ranges = try rounds.next(groups) {
          let piece = Result {
            if place == .looking, isFailing, round == 1 { throw Fault(description: "lost") }
            return world.rank < ranges.count
              ? DetectionResultsWriter.Piece(
                bytes: [UInt8(ranges[world.rank].lowerBound)], count: 1)
              : DetectionResultsWriter.Piece(bytes: [], count: 0)
          }
          try rounds.end(piece) { piece in
            if place == .taking, round == 2 { throw Fault(description: "disk full") }
            taken += piece.bytes
          }
          // Stopping is agreed upon: all ranks do.
          try rounds.leaving {
            if place == .progress, round == 2 { throw Fault(description: "stopped") }
          }
          round += 1
        }
        if place == .closing, isFailing { throw Fault(description: "disk full at the end") }
      }
      var error = ""
      do {
        if world.rank == 0 {
          let outcome = Result {
            try look()
            if place == .scoring { throw Fault(description: "no such class") }
          }
          try rounds.close(with: outcome)
          try outcome.get()
        } else {
          try look()
          try rounds.close(with: Result<Void, any Error>?.none)
        }
      } catch let fault {
        error = "\(fault)"
      }
      // All are at the same place afterwards.
      try world.barrier(Exchange("afterwards"))
      return (error, taken)
    }.map { outcome in
      switch outcome {
      case .success(let value): value
      case .failure(let error): ("apart: \(error)", [])
      }
    }
  }

  @Test func detectionsComeInTheOrderOfImages() {
    let found = run(.nowhere, rank: 0)
    #expect(found.map(\.error) == ["", "", ""])
    #expect(found[0].taken == Array(0..<11) && found[1].taken.isEmpty)
  }

  @Test(arguments: [0, 1, 2]) func aRankThatCannotLookEndsTheEvaluationOnAll(rank: Int) {
    let wanted = "rank \(rank) on host \(rank == 2 ? "b" : "a"): lost"
    #expect(run(.looking, rank: rank).map(\.error) == [wanted, wanted, wanted])
  }

  @Test func whatGoesWrongOnRank0IsKnownToAll() {
    let opening = run(.opening, rank: 0).map(\.error)
    #expect(opening[0] == "no room" && opening[1] == "rank 0 on host a: no room")
    #expect(opening[1] == opening[2])
    let taking = run(.taking, rank: 0).map(\.error)
    #expect(taking == Array(repeating: "rank 0 on host a: disk full", count: 3))
    for place in [Place.closing, .scoring] {
      let errors = run(place, rank: 0).map(\.error)
      #expect(errors[1].hasPrefix("rank 0 could not score the detections: \(errors[0])"))
      #expect(errors[1] == errors[2])
    }
  }

  @Test func allStopTogether() {
    #expect(run(.progress, rank: 0).map(\.error) == ["stopped", "stopped", "stopped"])
  }
}
