import Testing

@testable import Training

@Suite struct CaptionGroupsTests {
  @Test func equalContentsGetEqualNumbers() {
    let captions = [
      "a photo of a disk and a star", "there is a star and a disk.", "a disk", "A photo of a DISK",
      "a disk and a disk", "nothing",
    ]
    // "disk" stands in five of six captions, "a" too, "photo" in two, "star" in two.
    let numbers = CaptionGroups(captions, commonShare: 0.99).numbers
    #expect(Set(numbers).count == 6)
    let groups = CaptionGroups(
      captions + (0..<20).map { "there is a photo of a \($0) and a \($0 + 100)" },
      commonShare: 0.5
    ).numbers
    #expect(groups[0] != groups[2] && groups[2] != groups[4] && groups[5] != groups[2])
  }

  @Test func commonWordsDoNotCount() {
    let things = ["disk", "star", "moon", "ring", "kite", "tee", "box", "ell"]
    let captions = things.flatMap { ["a photo of a \($0)", "there is a \($0)", "a \($0)"] }
    let numbers = CaptionGroups(captions, commonShare: 0.2).numbers
    for index in things.indices {
      #expect(Set(numbers[3 * index..<3 * index + 3]).count == 1)
    }
    #expect(Set(numbers).count == things.count)
  }

  @Test func orderDoesNotCountButNumberDoes() {
    let numbers = CaptionGroups(["x y", "y x", "x x y", "", "x"], commonShare: 1).numbers
    #expect(numbers == [0, 0, 1, 2, 3])
  }
}
