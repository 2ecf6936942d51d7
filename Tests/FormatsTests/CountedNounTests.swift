import Testing

@testable import Formats

@Suite("Counted nouns")
struct CountedNounTests {
  @Test(arguments: [
    ("box", "boxes"), ("base class", "base classes"), ("category", "categories"),
    ("key", "keys"), ("tensor", "tensors"), ("patch", "patches"), ("process", "processes"),
    ("y", "ys"),
  ])
  func nounFollowsItsNumber(one: String, many: String) {
    #expect("\(1, one)" == "1 \(one)")
    #expect("\(0, one) and \(2, one)" == "0 \(many) and 2 \(many)")
    #expect("\(UInt64.max, one)" == "18446744073709551615 \(many)")
  }

  @Test func verbFollowsItsNumber() {
    #expect([0, 1, 2].map { $0.verb("is", "are") } == ["are", "is", "are"])
  }
}
