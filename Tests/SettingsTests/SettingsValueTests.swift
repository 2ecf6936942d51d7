import Settings
import Testing

@Suite("Values of settings")
struct SettingsValueTests {
  private func plain(_ text: String) -> SettingsNode { .text(text, isQuoted: false) }

  @Test func wholeNumbers() {
    #expect(Int(node: plain("1_000")) == 1000 && Int(node: plain("-3")) == -3)
    for text in ["", "1.5", "1e3", "x", "9223372036854775808"] {
      #expect(Int(node: plain(text)) == nil, "\(text)")
    }
    #expect(Int(node: .text("1", isQuoted: true)) == nil, "a quoted number is a text")
    #expect(Int(node: .list([plain("1")])) == nil)
  }

  @Test func numbers() {
    #expect(Double(node: plain("2.5e-5")) == 2.5e-5 && Double(node: plain("1_0.5")) == 10.5)
    for text in ["", "nan", "inf", "0x10", "1e999"] {
      #expect(Double(node: plain(text)) == nil, "\(text)")
    }
    // The nearest to the nearest double, as for a value that is read as one and then rounded.
    #expect(Float(node: plain("0.85")) == Float(0.85 as Double))
    #expect(Float(node: plain("1e39")) == nil, "more than a Float holds")
    #expect(Float(0.85).settingText == "0.85" && (1e-4).settingText == "0.0001")
  }

  @Test func textsAndTruthValues() {
    #expect(Bool(node: plain("true")) == true && Bool(node: plain("yes")) == nil)
    #expect(Bool(node: .text("true", isQuoted: true)) == nil)
    #expect(String(node: .text("a b", isQuoted: true)) == "a b")
    #expect("a \"b\"\n".settingText == #""a \"b\"\n""#)
    #expect([Int](node: .list([plain("1"), plain("2")])) == [1, 2])
    #expect([Int](node: .list([plain("1"), plain("x")])) == nil)
    #expect([[1, 2], [3]].settingText == "[[1, 2], [3]]")
  }

  private enum Norm: String, CaseIterable, SettingsChoice {
    case batch
    case frozen
  }

  @Test func choicesThatMayBeLeftOut() {
    #expect(Norm.expectation == "one of batch, frozen")
    #expect(Norm?.expectation == "one of none, batch, frozen")
    #expect(Norm(node: plain("frozen")) == .frozen && Norm(node: plain("none")) == nil)
    #expect(Norm?(node: plain("none")) == .some(.none))
    #expect(Norm?(node: plain("batch")) == .some(.some(.batch)))
    #expect(Norm?(node: plain("other")) == nil)
    #expect((nil as Norm?).settingText == "none" && (.batch as Norm?).settingText == "batch")
  }

  @Test func rulesSayWhatTheyAccept() {
    let share = ValueRule<Float>.number(0...1)
    #expect(share.expected == "a number from 0 to 1")
    #expect(share.accepts(1) && !share.accepts(1.0001))
    #expect(ValueRule<Double>.number(-0.9...1).expected == "a number from -0.9 to 1")
    #expect(ValueRule<Int>.whole(1...24).expected == "a whole number from 1 to 24")
    #expect(ValueRule<Int>.seed.expected == "a whole number of at least 0")
    #expect(ValueRule<Int>.seed.accepts(.max) && !ValueRule<Int>.seed.accepts(-1))
    let pair = ValueRule<[Int]>.list(of: 2, .atLeast(0))
    #expect(pair.expected == "a list of 2 values, each a whole number from 0 to 2147483647")
    #expect(pair.accepts([0, 2_147_483_647]) && !pair.accepts([0, 2_147_483_648]))
    #expect(pair.accepts([0, 1]) && !pair.accepts([0]) && !pair.accepts([0, -1]))
  }
}
