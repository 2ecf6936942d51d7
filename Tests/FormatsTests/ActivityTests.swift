import Testing

@testable import Formats

@Suite(.serialized) struct ActivityTests {
  private struct Failure: Error {}

  /// The innermost part of these tests; others run beside them.
  private var current: String? {
    Activity.open.map(\.text).last { ["outer", "inner", "lost"].contains($0) }
  }

  @Test func theInnermostPartCounts() throws {
    #expect(current == nil)
    Activity.during("outer") {
      #expect(current == "outer")
      let inner = Activity.begin("inner")
      #expect(current == "inner")
      Activity.end(inner)
      Activity.end(inner)
      #expect(current == "outer")
    }
    #expect(current == nil)
  }

  @Test func anErrorEndsItsPart() {
    #expect(throws: Failure.self) { try Activity.during("lost") { throw Failure() } }
    #expect(current == nil)
  }
}
