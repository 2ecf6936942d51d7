import Formats
import Foundation
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct OverlapTests {
  private struct Fault: Error, Equatable { let step: String }

  @Test func piecesPassInOrder() throws {
    var (next, done) = (0, [Int]())
    try Overlap.run {
      next += 1
      return next <= 200 ? next : nil
    } work: {
      2 * $0
    } finish: {
      done.append($0)
    }
    #expect(done == (1...200).map { 2 * $0 })
  }

  @Test func nothingIsNoFault() throws {
    try Overlap.run {
      nil as Int?
    } work: {
      $0
    } finish: { _ in
      Issue.record("a piece of nothing")
    }
  }

  /// While the second step is busy with a piece, the first has the next and the third the last.
  @Test func stepsRunAtTheSameTime() throws {
    let read = Atomic(0)
    let finished = Atomic(0)
    var next = 0
    try Overlap.run {
      next += 1
      read.store(next, ordering: .sequentiallyConsistent)
      return next <= 3 ? next : nil
    } work: { piece in
      let end = Date.now + 20
      while Date.now < end {
        if read.load(ordering: .sequentiallyConsistent) > piece,
          finished.load(ordering: .sequentiallyConsistent) == piece - 1
        {
          return piece
        }
        usleep(500)
      }
      throw Fault(step: "waited in vain")
    } finish: {
      finished.store($0, ordering: .sequentiallyConsistent)
    }
    #expect(finished.load(ordering: .sequentiallyConsistent) == 3)
  }

  @Test(arguments: ["read", "work", "finish"], [1, 2, 50])
  func aFaultEndsAllSteps(_ step: String, _ place: Int) throws {
    var (next, done) = (0, [Int]())
    #expect(throws: Fault(step: step)) {
      try Overlap.run {
        next += 1
        if step == "read", next == place { throw Fault(step: step) }
        return next <= 100 ? next : nil
      } work: { piece in
        if step == "work", piece == place { throw Fault(step: step) }
        return piece
      } finish: { piece in
        if step == "finish", piece == place { throw Fault(step: step) }
        done.append(piece)
      }
    }
    #expect(done == Array(1..<place) && next <= place + 5)
  }
}
