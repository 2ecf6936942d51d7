import Testing

@testable import Reporting

@Suite struct ProgressLineTests {
  /// Collects the text and holds the time.
  private final class Recorder {
    var time = 0.0
    var written: [String] = []

    func line(
      total: Int, start: Int = 0, _ style: TerminalStyle,
      interval: ProgressLine.PlainInterval = .seconds(10)
    ) -> ProgressLine {
      ProgressLine(
        label: "train", total: total, start: start, style: { style }, interval: interval,
        clock: { self.time }, sink: { self.written.append($0) })
    }
  }

  private let details = ProgressLine.Details(
    losses: [("loss", 0.53214), ("class", 0.25)], imagesPerSecond: 12.34, dataWaitShare: 0.042)

  private func terminal(_ width: Int, color: Bool = false) -> TerminalStyle {
    TerminalStyle(isTerminal: true, width: width, usesColor: color)
  }

  @Test func aWideTerminalShowsEverything() {
    let recorder = Recorder()
    let line = recorder.line(total: 200, terminal(120))
    recorder.time = 25
    line.update(step: 50, details)
    line.finish()
    #expect(
      recorder.written == [
        "\rtrain [=======                       ] 50/200 25%  ETA 1:15  12.3 images/s  "
          + "data wait 4%  loss 0.5321  class 0.2500\u{1B}[K",
        "\n",
      ])
  }

  @Test(arguments: [
    (
      90,
      "train [====              ] 50/200 25%  ETA 1:15  12.3 images/s  data wait 4%  loss 0.5321"
    ),
    (70, "train [==         ] 50/200 25%  ETA 1:15  12.3 images/s  data wait 4%"),
    (45, "train [===            ] 50/200 25%  ETA 1:15"), (20, "train 50/200 25%"), (8, "train 5"),
  ])
  func aNarrowTerminalDropsTheLastTexts(width: Int, text: String) {
    let recorder = Recorder()
    let line = recorder.line(total: 200, terminal(width))
    recorder.time = 25
    line.update(step: 50, details)
    #expect(recorder.written == ["\r\(text)\u{1B}[K"])
    #expect(text.count < width)
  }

  /// A window that became narrower shows the line that stands on several rows.
  @Test func aNarrowerWindowKeepsNoRemnants() {
    let recorder = Recorder()
    var width = 120
    let line = ProgressLine(
      label: "train", total: 200, style: { self.terminal(width) }, clock: { recorder.time },
      sink: { recorder.written.append($0) })
    line.update(step: 50, details)
    let columns = recorder.written[0].columns - "\r\u{1B}[K".columns
    recorder.time = 1
    width = 40
    line.update(step: 51, details)
    let up = (columns - 1) / 40
    #expect(up == 2)
    #expect(recorder.written[1].hasPrefix("\r\u{1B}[\(up)A\u{1B}[Jtrain "))
    // The new line fits, so the next one only goes back; a note takes it off.
    recorder.time = 2
    line.update(step: 52, details)
    #expect(recorder.written[2].hasPrefix("\rtrain "))
    width = 20
    line.note("said")
    #expect(recorder.written[3] == "\r\u{1B}[1A\u{1B}[Jsaid\n")
    recorder.time = 3
    line.update(step: 53, details)
    #expect(recorder.written[4].hasPrefix("\rtrain "))
  }

  @Test func colourIsOnlyUsedWhereAllowed() {
    for color in [true, false] {
      let recorder = Recorder()
      recorder.line(total: 2, terminal(60, color: color)).update(step: 1)
      #expect(recorder.written[0].contains("\u{1B}[36m") == color)
    }
  }

  @Test func aTerminalIsRewrittenTenTimesASecondAtMost() {
    let recorder = Recorder()
    let line = recorder.line(total: 100, terminal(80))
    for step in 1...100 {
      recorder.time = Double(step) * 0.03125
      line.update(step: step)
    }
    // Steps 1, 5, 9, … 97 and the last.
    #expect(recorder.written.count == 26)
    #expect(recorder.written[25].contains("100/100 100%  took 0:03"))
  }

  @Test func aFileGetsALineEveryFewSeconds() {
    let recorder = Recorder()
    let line = recorder.line(total: 25, .plain)
    for step in 1...25 {
      recorder.time = Double(step)
      line.update(step: step, details)
    }
    line.finish()
    let tail = "12.3 images/s  data wait 4%  loss 0.5321  class 0.2500\n"
    #expect(
      recorder.written == [
        "train  1/25 4%  ETA 0:24  " + tail, "train  11/25 44%  ETA 0:14  " + tail,
        "train  21/25 84%  ETA 0:04  " + tail, "train  25/25 100%  took 0:25  " + tail,
      ])
  }

  @Test func aFileGetsALineEveryFewSteps() {
    let recorder = Recorder()
    let line = recorder.line(total: 100, start: 90, .plain, interval: .steps(4))
    for step in 91...100 {
      recorder.time += 60
      line.update(step: step)
    }
    #expect(
      recorder.written == [
        "train  91/100 91%  ETA 9:00\n", "train  95/100 95%  ETA 5:00\n",
        "train  99/100 99%  ETA 1:00\n", "train  100/100 100%  took 10:00\n",
      ])
  }

  @Test func aNoteStandsAboveTheLiveLine() {
    let recorder = Recorder()
    let line = recorder.line(total: 10, terminal(40))
    line.note("first")
    line.update(step: 1)
    line.note("second")
    line.update(step: 2)
    #expect(recorder.written[0] == "first\n")
    #expect(recorder.written[2] == "\r\u{1B}[Ksecond\n")
    #expect(recorder.written.count == 4)
  }

  @Test func aWarningIsOneShortLine() {
    let recorder = Recorder()
    recorder.line(total: 10, terminal(40)).warn(String(repeating: "a\n", count: 1000) + "remedy")
    let line = recorder.written[0]
    #expect(line.hasPrefix("warning: a\\na") && line.hasSuffix("remedy\n"))
    #expect(line.unicodeScalars.count == 501)
    #expect(line.count { $0 == "\n" } == 1)
  }

  @Test func durationsReadLikeAClock() {
    #expect(ProgressLine.duration(0.4) == "0:00")
    #expect(ProgressLine.duration(59.6) == "1:00")
    #expect(ProgressLine.duration(3_725) == "1:02:05")
    #expect(ProgressLine.duration(360_000) == "100:00:00")
    #expect(ProgressLine.duration(.infinity) == "?")
  }
}
