import ArgumentParser
import Distribution
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// `baron ranks`: the processes that would train together, and how fast they exchange.
struct RanksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ranks",
    abstract: "List the processes that mpirun or srun starts, and time what they exchange.",
    discussion: """
      Example: mpirun -n 8 baron ranks ov-coco-fpn-kd

      Sums are checked as well as timed. With a configuration the model of docs/distributed.md says \
      what share of its speed each process keeps; it is a model, no measurement.
      """)

  @Argument(
    help: "A preset or a YAML file whose exchanges are modelled.",
    completion: Completions.configurations)
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(help: "Milliseconds of a step of one process alone, for the model.")
  var step = 90.0

  @Option(help: "Mebibytes of the largest sum.")
  var largest = 256

  @OptionGroup var ranks: RankOptions

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard (1...4096).contains(largest) else {
      throw ValidationError("--largest \(largest): take a number from 1 to 4096.")
    }
    guard (0.001...1e6).contains(step) else {
      throw ValidationError("--step \(step): take a number from 0.001 to 1000000.")
    }
  }

  func run() throws {
    try RankSession.run { world in
      let configuration = try Agreement.together("configuration", in: world) {
        try config.map { try RunConfiguration.load($0, overrides: overrides) }
      }
      let threads = configuration?.data.threads ?? RunConfiguration.Data().threads
      let (context, all) = try device.makeContext(
        in: world, shares: ranks.shareDevice, threads: threads
      ) { Console.warn($0) }
      let stream = try Agreement.together("queue", in: world) {
        try ComputeStream(context: context)
      }
      let amount = try Agreement.together("model", in: world) {
        try configuration.map { try GradientAmount($0, on: stream) }
      }
      try show(Self.table(of: all).text(style: .detect(descriptor: 1)), in: world)
      let times = try RankMeasurement(
        world, stream: stream, largest: largest << 20, channels: amount?.channels ?? 0)
      try show("\n" + times.table.text(style: .detect(descriptor: 1)), in: world)
      guard times.isRight else {
        throw AgreedError(
          text: "a sum came out wrong; take another MPI library (BARON_MPI) or another way of "
            + "summing (for Open MPI --mca coll ^tuned)", code: 1)
      }
      if let amount, let config { try show("\n" + model(amount, times, config), in: world) }
    }
  }

  private func show(_ text: String, in world: any World) throws {
    // Standard output that is full or closed on rank 0 ends all.
    _ = try Agreement.onRank0("output", in: world) { try Console.print(text, terminator: "") }
  }

  /// The processes.
  private static func table(of all: [RankFacts]) -> TerminalTable {
    var table = TerminalTable([
      .number("rank"), .text("host"), .number("there"), .text("device"), .text("address"),
      .number("cores"), .number("of"), .text("library"),
    ])
    for facts in all {
      table.add([
        "\(facts.rank)", facts.host, "\(facts.node)", facts.device, facts.address ?? "-",
        "\(facts.cores)", "\(facts.allCores)", facts.library,
      ])
    }
    return table
  }

  /// What the model says of a configuration.
  private func model(
    _ amount: GradientAmount, _ times: RankMeasurement, _ config: String
  ) -> String {
    let model = EfficiencyModel(buckets: amount.buckets, exchanges: amount.exchanges)
    let (seconds, speed) = (step / 1000, times.speed)
    return String(
      format: "model of %@, no measurement: %.1f million numbers, %d exchanges of statistics and "
        + "%.0f ms a step of one process: each of %d keeps %.2f of its speed; %.2f of the exchange of "
        + "gradients is hidden\n", config, amount.floats / 1e6, amount.exchanges, step, times.ranks,
      times.ranks == 1 ? 1 : model.efficiency(of: seconds, at: speed),
      times.ranks == 1 ? 1 : model.hiddenShare(of: seconds, at: speed))
  }
}
