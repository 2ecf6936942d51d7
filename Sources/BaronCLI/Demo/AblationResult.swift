import DemoWorld
import Formats
import Reporting
import Training

/// What changes of the recipe did to its result.
struct AblationResult {
  /// One detector.
  private struct Outcome {
    let change: DemoAblation.Change
    let score: DemoVariant.Score
    let seconds: Double
    let kind: WorldKind
    let seed: Int
  }

  let device: String
  private var outcomes: [Outcome] = []

  init(device: String) { self.device = device }

  /// Takes the score of a change.
  mutating func add(
    _ change: DemoAblation.Change, _ score: DemoVariant.Score, seconds: Double,
    _ demo: DemoConfiguration
  ) {
    outcomes.append(
      Outcome(
        change: change, score: score, seconds: seconds, kind: demo.world.drawnKind, seed: demo.seed)
    )
  }

  /// A table for each world: the mean of the seeds, how it differs from the full recipe with the
  /// same seed, and between what bounds the seeds differ.
  func text(style: TerminalStyle) -> String {
    WorldKind.allCases.compactMap { kind -> String? in
      let outcomes = outcomes.filter { $0.kind == kind }
      guard !outcomes.isEmpty else { return nil }
      let seeds = Set(outcomes.map(\.seed)).sorted()
      var table = TerminalTable([
        .text(kind.rawValue), .number("base AP50"), .number("novel AP50"), .number("difference"),
        .number("of the seeds"), .number("right of two names"), .number("training s"),
      ])
      var named: [String] = []
      for outcome in outcomes where !named.contains(outcome.change.name) {
        named.append(outcome.change.name)
        table.add(row(outcomes.filter { $0.change.name == outcome.change.name }, among: outcomes))
      }
      let one = "one seed: how far seeds differ is not known"
      return table.text(style: style) + (seeds.count == 1 ? one : "mean of \(seeds.count) seeds")
        + "\n"
    }.joined(separator: "\n")
  }

  private func row(_ found: [Outcome], among all: [Outcome]) -> [String] {
    func mean(_ values: [Double]) -> String {
      values.isEmpty ? "-" : DemoResult.percent(values.reduce(0, +) / Double(values.count))
    }
    let novel = found.map(\.score.novel)
    let isFull = found.allSatisfy { $0.change.name == DemoAblation.full.name }
    let differences = found.compactMap { outcome in
      all.first { $0.change.name == DemoAblation.full.name && $0.seed == outcome.seed }.map {
        outcome.score.novel - $0.score.novel
      }
    }
    func signed(_ value: Double) -> String {
      (value < 0 ? "" : "+") + DemoResult.percent(value)
    }
    let spread = isFull ? novel.map(DemoResult.percent) : differences.map(signed)
    return [
      found.first?.change.text ?? "", mean(found.map(\.score.base)), mean(novel),
      isFull || differences.isEmpty
        ? "" : signed(differences.reduce(0, +) / Double(differences.count)),
      spread.count > 1 ? spread.joined(separator: " ") : "-",
      mean(found.compactMap { $0.score.names?.novel.percent }), mean(found.map(\.seconds)),
    ]
  }

  /// The outcomes for programs.
  var json: JSONValue {
    [
      "device": .string(device),
      "outcomes": .array(
        outcomes.map { outcome in
          [
            "world": .string(outcome.kind.rawValue), "seed": .number(Double(outcome.seed)),
            "name": .string(outcome.change.name),
            "overrides": .array(outcome.change.overrides.map { .string($0) }),
            "base_ap50": .number(outcome.score.base), "novel_ap50": .number(outcome.score.novel),
            "right_names": outcome.score.names?.json ?? .null,
            "seconds": .number(outcome.seconds),
          ]
        }),
    ]
  }
}
