import Formats
import Reporting
import Testing

@Suite("Comparison of profiles")
struct ProfileComparisonTests {
  private static func profile(
    steps: Double = 2, device: String = "cpu", kernels: [JSONValue], phases: [JSONValue] = []
  ) -> JSONValue {
    [
      "device": .string(device), "driver": "1.0", "steps": .number(steps),
      "wall_seconds": .number(0.010 * steps), "kernels": .array(kernels),
      "phases": .array(phases),
    ]
  }

  private static func kernel(_ name: String, _ seconds: Double, phase: String? = nil) -> JSONValue {
    .object(
      ["kernel": .string(name), "seconds": .number(seconds)].merging(
        phase.map { ["phase": .string($0)] } ?? [:]
      ) { $1 })
  }

  private static func compare(_ old: JSONValue, _ new: JSONValue) throws -> ProfileComparison {
    ProfileComparison(
      old: try SavedProfile(old, source: "old.json"),
      new: try SavedProfile(new, source: "new.json"))
  }

  private static func example() throws -> ProfileComparison {
    func phase(_ name: String, _ student: Double, _ teacher: Double, host: Double) -> JSONValue {
      [
        "phase": .string(name), "host_seconds": .number(host),
        "queue_seconds": ["student": .number(student), "teacher": .number(teacher)],
      ]
    }
    return try compare(
      profile(
        kernels: [kernel("a", 0.004), kernel("b", 0.002), kernel("c", 0.001)],
        phases: [phase("forward", 0.004, 0.003, host: 0.002)]),
      profile(
        steps: 4, device: "gpu",
        kernels: [kernel("a", 0.004), kernel("b", 0.0042), kernel("d", 0.012)],
        phases: [
          phase("forward", 0.008, 0.002, host: 0.004), phase("backward", 0, 0.002, host: 0.001),
        ]))
  }

  @Test("the largest difference of a step comes first")
  func order() throws {
    let rows = try Self.example().kernels
    #expect(rows.map(\.name) == ["d", "a", "c", "b"])
    #expect(rows.map(\.old) == [nil, 0.002, 0.0005, 0.001])
    #expect(rows.map { $0.ratio.map { ($0 * 100).rounded() } } == [nil, 50, nil, 105])
  }

  @Test("the text marks what is new and what is gone")
  func text() throws {
    #expect(
      try Self.example().text(style: .plain) == """
        old         old.json
        new         new.json
        step        10.000 ms before, 10.000 ms now, new/old 1.00
        warning     different devices: cpu, driver 1.0, and gpu, driver 1.0

        kernels, device time a step:
        kernel  old ms  new ms  change ms  new/old
        ------  ------  ------  ---------  -------
        d            -   3.000     +3.000      new
        a        2.000   1.000     -1.000     0.50
        c        0.500       -     -0.500     gone
        b        1.000   1.050     +0.050     1.05
        ------  ------  ------  ---------  -------
        sum      3.500   5.050     +1.550     1.44

        phases, device time a step:
        phase     old ms  new ms  change ms  new/old
        --------  ------  ------  ---------  -------
        forward    3.500   2.500     -1.000     0.71
        backward       -   0.500     +0.500      new
        --------  ------  ------  ---------  -------
        sum        3.500   3.000     -0.500     0.86

        phases, host time a step without that of inner phases:
        phase     old ms  new ms  change ms  new/old
        --------  ------  ------  ---------  -------
        backward       -   0.250     +0.250      new
        forward    1.000   1.000     +0.000     1.00
        --------  ------  ------  ---------  -------
        sum        1.000   1.250     +0.250     1.25

        """)
  }

  @Test("phases count only when both sides keep them apart")
  func phases() throws {
    let phased = Self.profile(kernels: [
      Self.kernel("a", 0.002, phase: "x"), Self.kernel("a", 0.004, phase: "y"),
    ])
    let plain = Self.profile(kernels: [Self.kernel("a", 0.006)])
    let mixed = try Self.compare(phased, plain)
    #expect(mixed.kernels.count == 1 && mixed.kernels.first?.difference == 0)
    let both = try Self.compare(phased, phased)
    #expect(both.kernels.map(\.phase) == ["x", "y"])
    #expect(both.text(style: .plain).contains("phase  kernel"))
  }

  @Test("profiles without kernels compare")
  func empty() throws {
    let empty = Self.profile(kernels: [])
    #expect(try Self.compare(empty, empty).text(style: .plain).contains("sum"))
  }

  private static let mistakes: [(key: String, value: JSONValue, sentence: String)] = [
    ("steps", JSONValue.number(0), "steps: must be at least 1"),
    ("steps", .string("2"), "steps: must be a number, 0 or more"),
    ("device", .null, "device: must be a text"),
    ("kernels", .null, "kernels: must be a list"),
    ("kernels", [1], "kernels[0].kernel: must be a text"),
    ("kernels", [["kernel": "a", "seconds": -1]], "kernels[0].seconds: must be a number"),
    ("kernels", [["kernel": "a", "seconds": 1, "phase": 3]], "kernels[0].phase: must be a text"),
    ("phases", [["phase": "p"]], "phases[0].queue_seconds: must be an object of numbers"),
    (
      "phases", [["phase": "p", "queue_seconds": ["student": "x"]]],
      "phases[0].queue_seconds.student: must be a number"
    ),
  ]

  @Test(
    "what is no profile is refused with file and field",
    arguments: mistakes)
  func wrong(_ mistake: (key: String, value: JSONValue, sentence: String)) throws {
    var members = try #require(Self.profile(kernels: []).object)
    members[mistake.key] = mistake.value
    #expect {
      _ = try SavedProfile(.object(members), source: "step.json")
    } throws: { error in
      let text = "\(error)"
      #expect(text.hasSuffix("; take a file that 'baron profile --json' wrote"))
      return text.hasPrefix("step.json: \(mistake.sentence)")
    }
    #expect(throws: FormatError.self) { try SavedProfile([1, 2], source: "list.json") }
  }
}
