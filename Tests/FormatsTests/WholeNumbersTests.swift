import Formats
import Testing

@Suite("Whole numbers")
struct WholeNumbersTests {
  @Test(
    arguments: [
      (0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (.max, 1, .max), (.max, 2, 1 << 62),
      (.max, .max, 1),
    ])
  func parts(number: Int, size: Int, count: Int) { #expect(number.dividedUp(by: size) == count) }

  @Test func multiplesAndDigits() {
    #expect(5.roundedUp(toMultipleOf: 4) == 8 && 8.roundedUp(toMultipleOf: 4) == 8)
    #expect(42.digits(6) == "000042" && 255.digits(1, radix: 16) == "ff")
  }
}
