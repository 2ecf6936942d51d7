import ArgumentParser
import Distribution
import Formats
import Foundation
import OpenCL
import Training

/// `baron train`: trains a detector by a preset or a configuration file.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a detector by a preset or a configuration file.",
    discussion: """
      Example: baron train mine.yaml --run first --set training.iterations=20

      Presets: \(Preset.names(of: .train).joined(separator: ", ")). Ctrl-C saves a checkpoint \
      and exits with 130; --resume goes on from the newest checkpoint, bit for bit. With \
      'mpirun -n N' or 'srun' before it N processes train together.
      """)

  @OptionGroup var training: TrainingOptions

  @Flag(
    name: .customLong("continue"),
    help:
      "Go on with the run where it is there already, else start it; for a loop of restarts.")
  var continues = false

  @Flag(
    name: .customLong("scale-lr"),
    help:
      "Scale rate, warm-up, milestones and iterations from optimizer.reference_batch to the batch.")
  var scalesRate = false

  @Option(
    help: ArgumentHelp(
      "Batches of a step whose mean gradient counts (training.replicas); with --resume the run goes "
        + "on with another number of them.", valueName: "N"))
  var replicas: Int?

  @Flag(help: "Print the resolved configuration and stop.")
  var printConfig = false

  @Flag(
    help: ArgumentHelp(
      "Write ranks/rank-N.log in the run's folder for each of several processes: what it said, and the "
        + "time of each step."))
  var rankLogs = false

  @Option(
    help: ArgumentHelp(
      "Seconds without progress after which several processes end with 75; 0 for never.",
      valueName: "seconds"))
  var hangLimit = 600.0

  @OptionGroup var ranks: RankOptions

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard !scalesRate || training.resume == nil else {
      throw ValidationError("a resumed run keeps its configuration: leave out --scale-lr")
    }
    guard !continues || training.resume == nil else {
      throw ValidationError("--continue finds the run itself: leave out --resume")
    }
    if let replicas, !(1...4096).contains(replicas) {
      throw ValidationError("--replicas \(replicas): give a number from 1 to 4096")
    }
    guard hangLimit == 0 || (10...1e6).contains(hangLimit) else {
      throw ValidationError("--hang-limit \(hangLimit): give 0 or a number from 10 to 1000000")
    }
  }

  /// How long pictures are opened before the first step, in seconds.
  private static let patience = 2.0

  func run() throws { try RankSession.run { try train(in: $0) } }

  private func train(in world: any World) throws {
    if world.rank > 0 { SilenceWatch.silence() }
    let read = try Agreement.onRank0("configuration", in: world) {
      try RankSession.telling(in: world) { try self.read(among: world.size) }
    }
    if printConfig {
      if let read { try Console.print(read.configuration.yaml(), terminator: "") }
      return
    }
    let configuration = try RunConfiguration.shared(read?.configuration, in: world)
    try configuration.checkFiles(in: world, seconds: Self.patience)
    // The device is looked at before a folder is made.
    let context = try device.makeContext(
      in: world, shares: ranks.shareDevice, threads: configuration.data.threads,
      tell: Console.warn
    ).context
    // One process of a machine compiles for all of them.
    if world.node.rank == 0 { context.compileInParallel() }
    try configuration.compareFiles(in: world)
    let run = try Agreement.onRank0("folder", in: world) { try open(configuration) }
    let changesReplicas =
      training.resume != nil
      && (replicas != nil || ResumeOverrides.changeReplicas(training.overrides))
    let talk = RankTalk(world, keepsLogs: rankLogs)
    try RankSession.watching(world, limit: hangLimit) {
      guard let run else {
        return try FollowingSession(
          configuration: configuration, context: context, world: world, talk: talk,
          changesReplicas: changesReplicas
        ).train()
      }
      try TrainingSession(
        configuration, context: context, run: run, changesReplicas: changesReplicas, among: world,
        talk: talk
      ).train(
        rewriting: training.changesRun || changesReplicas ? configuration.yaml() : nil,
        findings: read?.findings ?? [])
    }
  }

  /// The configuration with all that the command says of it, and what was found about it.
  private func read(
    among processes: Int
  ) throws -> (configuration: RunConfiguration, findings: [Finding]) {
    let findings = printConfig ? [] : try check()
    var configuration = try training.configuration(RunConfiguration.load)
    if let replicas { configuration.training.replicas = replicas }
    if continues, configuration.training.replicas == 0, let path = training.existing {
      // What a run was started with counts, whatever the number of processes now.
      configuration.training.replicas = try RunFolder.configuration(of: path).training.replicas
    }
    configuration = try configuration.sharing(among: processes)
    if scalesRate {
      let scaled = configuration.scaledToBatch()
      configuration = scaled.configuration
      Console.say("\(scaled.summary)")
    }
    return (configuration, findings)
  }

  /// Makes the folder of the run, or opens that of the run to go on with.
  private func open(_ configuration: RunConfiguration) throws -> RunFolder {
    guard continues, let path = training.existing else {
      return try training.open(yaml: configuration.yaml())
    }
    let differences = configuration.differences(from: try RunFolder.configuration(of: path))
    guard differences.isEmpty else {
      throw RunFolderError.otherConfiguration(path: path, keys: differences)
    }
    let run = try RunFolder.resume(at: path, note: Console.say)
    try RunRestarts.check(run, iterations: configuration.training.iterations)
    return run
  }

  /// Tells all that is wrong at once, also of single keys; gives what does not keep it from training.
  private func check() throws -> [Finding] {
    // A run that is not there is told as such.
    if training.resume != nil { _ = try training.configuration(RunConfiguration.load) }
    let name = training.config ?? training.resumedConfiguration
    let check = try RunCheck(name, overrides: training.overrides, seconds: Self.patience)
    try check.tell(of: training.config ?? training.resume ?? name)
    return check.findings
  }
}
