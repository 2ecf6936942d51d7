import Formats
import Foundation
import Testing

@testable import OpenCL

@Suite("Tuner")
struct TunerTests {
  struct Failure: Error, CustomStringConvertible { let description: String }

  private let tuner = Tuner(tolerance: 1e-6)
  private let subject = Tuner.Subject(name: "product", calls: 2, seconds: 0.5)

  /// Searches among tiles with given seconds and errors; the shipped one is 1.
  private func search(
    _ table: [Int: (seconds: Double, error: Double)], stages: [[Int]] = [[2, 3, 4]]
  ) -> TuningRecord.Entry {
    tuner.search(
      subject, shipped: ["TILE": 1], stages: stages.count,
      candidates: { stage, _ in stages[stage].map { ["TILE": $0] } },
      measure: { parameters, isShipped in
        let tile = parameters["TILE"] ?? 0
        #expect(isShipped == (tile == 1))
        guard let (seconds, error) = table[tile] else {
          throw Failure(description: "tile \(tile) does not compile\nline 2 of a log")
        }
        return Tuner.Measurement(seconds: seconds, error: error)
      })
  }

  @Test("the fastest that computes rightly wins; the shipped one comes first")
  func fastest() {
    let entry = search([1: (1, 1e-7), 2: (0.8, 1e-7), 3: (0.5, 1e-7), 4: (0.6, 1e-7)])
    #expect(entry.parameters == ["TILE": 3] && abs(entry.score - 2) < 1e-9)
    #expect(!entry.isAccepted && entry.calls == 2 && entry.seconds == 0.5)
    #expect(entry.attempts.map { $0.parameters["TILE"] } == [1, 2, 3, 4])
    #expect(entry.attempts.first?.score == 1)
  }

  @Test("wrong, broken and slow candidates are recorded with the reason, not chosen")
  func rejected() throws {
    let entry = search([1: (1, 1e-7), 2: (0.1, 2e-6), 3: (0.1, .nan)])
    #expect(entry.parameters == nil && entry.score == 1)
    let reasons = entry.attempts.dropFirst().map { $0.rejection ?? "" }
    #expect(reasons[0].contains("error 2e-06 is above 1e-06"))
    #expect(reasons[1] == "its results are no numbers")
    #expect(reasons[2] == "tile 4 does not compile")
    #expect(entry.attempts.dropFirst().allSatisfy { $0.score == nil })
    #expect(Tuner.TooSlow(seconds: 3.14).description.contains("took 3.1 s"))
  }

  @Test("a larger error costs speed, a smaller one gains nothing")
  func accuracy() {
    let shipped = Tuner.Measurement(seconds: 1, error: 2e-7)
    func score(_ seconds: Double, _ error: Double) -> Double? {
      tuner.score(.init(seconds: seconds, error: error), shipped: shipped)
    }
    #expect(score(1, 2e-7) == 1 && score(0.5, 1e-9) == 2)
    #expect(abs((score(0.5, 8e-7) ?? 0) - 1) < 1e-9)
    #expect(score(0.01, 1.1e-6) == nil && score(0.01, .infinity) == nil)
  }

  @Test("a gain within the noise changes nothing")
  func noise() {
    #expect(search([1: (1, 0), 2: (0.98, 0), 3: (1, 0), 4: (1.2, 0)]).parameters == nil)
    // A shipped candidate that does not run leaves nothing to compare with.
    let broken = search([2: (0.1, 0)])
    #expect(broken.parameters == nil && broken.attempts.count == 1)
  }

  @Test("a later stage starts from the best of those before and repeats nothing")
  func stages() {
    var seen: [[String: Int]] = []
    let entry = tuner.search(
      subject, shipped: ["A": 1, "B": 1], stages: 2,
      candidates: { stage, best in
        seen.append(best)
        return [1, 2].map { best.merging([stage == 0 ? "A" : "B": $0]) { $1 } }
      },
      measure: { parameters, _ in
        .init(seconds: 1 / Double(parameters.values.reduce(0, +)), error: 0)
      })
    #expect(seen == [["A": 1, "B": 1], ["A": 2, "B": 1]])
    #expect(entry.parameters == ["A": 2, "B": 2] && entry.attempts.count == 3)
  }

  @Test("a search that was interrupted goes on where it stopped, saved after each subject")
  func resume() throws {
    try withTemporaryFolder { folder in
      let store = TuningStore(folder: folder)
      let subjects = (1...4).map {
        Tuner.Subject(name: "product \($0)", calls: $0, seconds: 1 / Double($0))
      }
      var record = TuningRecord(key: TuningRecordTests.key)
      var searched: [String] = []
      func search(_ subject: Tuner.Subject) throws -> TuningRecord.Entry {
        // The third one fails the first time.
        if searched == ["product 1", "product 2"] {
          searched.append("interrupted")
          throw Failure(description: "the device is gone")
        }
        searched.append(subject.name)
        var entry = TuningRecord.Entry()
        entry.parameters = ["TILE": subject.calls]
        return entry
      }
      #expect(throws: Failure.self) {
        try Tuner.searchMissing(subjects, in: &record, store: store, search: search)
      }
      // Another process: only the file is left.
      var later = try #require(store.load(record.key) { Issue.record("\($0)") })
      #expect(later.entries.keys.sorted() == ["product 1", "product 2"])
      var counts: [Int] = []
      let isDone = try Tuner.searchMissing(
        subjects, in: &later, store: store, progress: { done, _, _ in counts.append(done) },
        search: search)
      #expect(isDone && counts == [3, 4])
      #expect(searched == ["product 1", "product 2", "interrupted", "product 3", "product 4"])
      #expect(later.entries["product 4"]?.parameters == ["TILE": 4])
      // Time runs out before the first.
      var third = TuningRecord(key: TuningRecordTests.key)
      #expect(
        try !Tuner.searchMissing(
          subjects, in: &third, store: store, shouldStop: { true }, search: search))
      #expect(third.entries.isEmpty)
    }
  }
}
