import Formats
import Testing

@Suite(.serialized) struct ActivityTests {
  private struct Failure: Error {}

  @Test func theInnermostPartCounts() throws {
    #expect(Activity.current == nil)
    Activity.during("outer") {
      #expect(Activity.current?.text == "outer")
      let inner = Activity.begin("inner")
      #expect(Activity.current?.text == "inner")
      Activity.end(inner)
      Activity.end(inner)
      #expect(Activity.current?.text == "outer")
    }
    #expect(Activity.current == nil)
  }

  @Test func anErrorEndsItsPart() {
    #expect(throws: Failure.self) { try Activity.during("lost") { throw Failure() } }
    #expect(Activity.current == nil)
  }
}
