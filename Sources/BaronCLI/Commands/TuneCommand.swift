import ArgumentParser
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Workbench

/// `baron tune`: searches faster kernel parameters for a configuration on this device.
struct TuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Search faster kernel parameters for a configuration's training step.",
    discussion: """
      Example: baron tune demo-bags

      Records the matrix products of one training step and tries other tiles, blocks and splits \
      for those that take most of its time. A candidate scores t0/t * sqrt((1 - e/T)/(1 - e0/T)): \
      seconds t and error e, with index 0 those of the shipped parameters; the root counts where e \
      is the larger one. The error is that of 256 sampled elements against float64, beside the sum \
      of absolute products; above the tolerance T (4e-6, more for coarser precisions) or without a \
      number a candidate is rejected. It takes a score of \(Tuner.leastScore) to be chosen.

      At the end whole steps are timed with the shipped parameters and with those found; only what \
      wins by more than 1 % and the noise is used from then on, by every command, on this device \
      with this driver and these kernels. BARON_TUNING=off or --shipped-plans leaves it out. \
      The record lies beside the compiled kernels; it is saved after each class of products, and \
      the same command goes on where it was stopped. Without the configured data drawn pictures \
      take its place.
      """)

  @Argument(
    help: "A preset, also one of clip-train, or a YAML file.",
    completion: Completions.configurations)
  var config: String

  @Option(
    help: ArgumentHelp(
      "Seconds that the first run of a candidate, with compiling, may take.",
      valueName: "seconds"))
  var limit = 2.0

  @Option(
    help: ArgumentHelp(
      "Seconds after which no new search starts; the same command goes on later.",
      valueName: "seconds"))
  var budget: Double?

  @Option(help: ArgumentHelp("Classes of products at most.", valueName: "count"))
  var classes = 32

  @Option(
    help: ArgumentHelp("Percent of the products' time that is searched.", valueName: "percent"))
  var share = 95.0

  @Option(help: "Rounds of the final comparison.")
  var rounds = 3

  @Option(help: "Measured steps of a round.")
  var steps = 3

  @Flag(help: "Forget what is known of this configuration's products and start over.")
  var again = false

  @OptionGroup var inputs: DrawnOption

  @Option(
    help: ArgumentHelp("Write record and comparison.", valueName: "file.json"), completion: .file())
  var json: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard limit > 0 else { throw ValidationError("--limit \(limit): take more than 0.") }
    guard budget ?? 0 >= 0 else { throw ValidationError("--budget: take at least 0.") }
    guard (0...100).contains(share) else {
      throw ValidationError("--share \(share): take 0 to 100.")
    }
    try OptionRange.check(
      ("--classes", classes, 1...1_000_000), ("--rounds", rounds, 1...1_000_000),
      ("--steps", steps, 1...1_000_000))
  }

  func run() throws {
    // Wrong input is told before the device is asked.
    var training = try StepRunner(config, overrides: overrides)
    guard let store = TuningStore.standard else { throw TuneError.noCache }
    let context = try device.makeContext(isTuned: false)
    let key = try TuningRecord.Key(context.device, family: context.family)
    let record = store.load(key) { Console.warn($0) } ?? TuningRecord(key: key)
    let folder = try TemporaryFolder("tune")
    defer { withExtendedLifetime(folder) {} }
    if inputs.drawn || !training.hasData {
      if !inputs.drawn {
        Console.warn("\(config): its data is not there; drawn pictures instead")
      }
      training = try inputs.replace(in: training, folder: folder, context: context)
    }
    let session = TuningSession(
      training: training, name: ([config] + overrides).joined(separator: " "), context: context,
      store: store,
      limits: .init(
        candidateSeconds: limit, searchSeconds: budget, classes: classes, share: share / 100,
        rounds: rounds, steps: steps), note: Console.say)
    let outcome = try session.run(record, again: again)
    if let json {
      try AtomicFile.write(Data(document(outcome, store).text(pretty: true).utf8), to: json)
    }
    try Console.print(text(outcome, store), terminator: "")
  }

  private func text(_ outcome: TuningSession.Outcome, _ store: TuningStore) -> String {
    let entries = outcome.record.entries
    let found = outcome.uses.compactMap { use in entries[use.shape.name]?.parameters }
    var lines = [
      "device    \(outcome.record.key.device), driver \(outcome.record.key.driver)",
      "searched  \(outcome.searched) of \(outcome.uses.count, "class") of products"
        + (outcome.isPartial ? "; time ran out, the same command goes on" : ""),
      "faster    \(found.count, "class") \(found.count.verb("has", "have")) better parameters "
        + "than the shipped ones",
    ]
    if let comparison = outcome.comparison {
      lines.append(
        String(
          format: "step      shipped %.2f ms, tuned %.2f ms: %+.1f %%, noise %.2f ms, %d rounds",
          1e3 * comparison.shipped, 1e3 * comparison.tuned,
          100 * (comparison.tuned / comparison.shipped - 1), 1e3 * comparison.noise,
          comparison.rounds))
      lines.append(
        comparison.isWon
          ? "result    the tuned parameters are used from now on: "
            + (outcome.record.table?.summary ?? "")
          : "result    the shipped parameters stay: the gain is within the noise or below 1 %")
    } else {
      lines.append("result    the shipped parameters stay: nothing better was found")
    }
    lines.append("record    \(store.path(for: outcome.record.key))")
    return lines.map { $0 + "\n" }.joined()
  }

  private func document(_ outcome: TuningSession.Outcome, _ store: TuningStore) -> JSONValue {
    [
      "configuration": .string(config),
      "accepted": .bool(outcome.comparison?.isWon ?? false),
      "comparison": outcome.comparison?.json ?? .null,
      "classes": .number(Double(outcome.uses.count)),
      "searched": .number(Double(outcome.searched)), "partial": .bool(outcome.isPartial),
      "table": outcome.record.table.map { .string($0.digest) } ?? .null,
      "record": outcome.record.json,
      "uses": .array(
        outcome.uses.map { use in
          [
            "name": .string(use.shape.name), "calls": .number(Double(use.calls)),
            "seconds": .number(use.seconds),
          ]
        }),
    ]
  }
}

/// Why nothing can be tuned; the description is one line with the remedy.
enum TuneError: Error, CustomStringConvertible {
  case noCache

  var description: String {
    switch self {
    case .noCache: "BARON_CACHE=off: there is no place for a record; unset it or name a folder"
    }
  }
}
