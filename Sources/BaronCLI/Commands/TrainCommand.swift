import ArgumentParser
import Formats
import Foundation
import Training

/// `baron train`: trains a detector by a preset or a configuration file.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a detector by a preset or a configuration file.",
    discussion: """
      Example: baron train mine.yaml --run first --set training.iterations=20

      Presets: \(Preset.names(of: .train).joined(separator: ", ")). Ctrl-C saves a checkpoint \
      and exits with 130; --resume goes on from the newest checkpoint, bit for bit.
      """)

  @OptionGroup var training: TrainingOptions

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

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard !scalesRate || training.resume == nil else {
      throw ValidationError("a resumed run keeps its configuration: leave out --scale-lr")
    }
    if let replicas, !(1...4096).contains(replicas) {
      throw ValidationError("--replicas \(replicas): give a number from 1 to 4096")
    }
  }

  /// How long pictures are opened before the first step, in seconds.
  private static let patience = 2.0

  func run() throws {
    let findings = printConfig ? [] : try check()
    var configuration = try training.configuration(RunConfiguration.load)
    if let replicas { configuration.training.replicas = replicas }
    configuration = try configuration.sharing(among: 1)
    if scalesRate {
      let scaled = configuration.scaledToBatch()
      configuration = scaled.configuration
      Console.say("\(scaled.summary)")
    }
    if printConfig {
      try Console.print(configuration.yaml(), terminator: "")
      return
    }
    // The device is looked at before a folder is made.
    let context = try device.makeContext()
    context.compileInParallel()
    let run = try training.open(yaml: configuration.yaml())
    let changesReplicas = training.resume != nil && replicas != nil
    try TrainingSession(
      configuration, context: context, run: run, changesReplicas: changesReplicas
    ).train(
      rewriting: training.changesRun || changesReplicas ? configuration.yaml() : nil,
      findings: findings)
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
