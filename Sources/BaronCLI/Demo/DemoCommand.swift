import ArgumentParser
import DemoWorld
import Formats
import OpenCL
import Training

/// `baron demo`: the whole method in small, without any download.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Draw a small world, train a teacher and detectors on it, compare what they find.",
    discussion: """
      Example: baron demo runs/demo --seed 1

      A tiny CLIP learns from captions; three detectors learn from boxes of base classes, without \
      distillation, with single regions, and with bags of regions; report.html shows how well each \
      finds base classes and classes that it never saw a box of. Ctrl-C saves; the same command \
      goes on from there. baron config show demo prints what is done, demo-teacher and \
      demo-student how.

      In the world of scenery most shapes have two names, and only the ground says which. --ablate \
      changes the published choices one at a time, in both worlds or in that of --world: a teacher \
      and twelve detectors for each world and seed. It goes on in the same way.
      """)

  @Argument(
    help: "The folder, new or of an earlier demo (default: runs/demo, runs/ablation to ablate).",
    completion: .directory)
  var folder: String?

  @Option(help: "What is drawn: shapes (the default) or scenery.")
  var world: WorldKind?

  @Option(
    help: ArgumentHelp("What to do: a preset or a YAML file.", valueName: "config"),
    completion: Completions.configurations)
  var config: String?

  @Flag(help: "Take the preset demo-quick: two minutes, less to learn from.")
  var quick = false

  @Option(help: "The seed of training scenes, teacher and detectors.")
  var seed: Int?

  @Flag(help: "Train the extra detectors of the configuration too.")
  var allVariants = false

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Flag(help: "Train with bags, changing the published choices one at a time, and compare.")
  var ablate = false

  @Option(help: "How many seeds to ablate with, from --seed on (default: 1).")
  var seeds: Int?

  @Flag(help: "Remove an earlier demo in the folder first.")
  var overwrite = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard config == nil || !quick else {
      throw ValidationError("give --config or --quick, not both.")
    }
    guard config == nil || world == nil else {
      throw ValidationError("the file of --config says the world; leave out --world.")
    }
    guard world != .scenery || !quick else {
      throw ValidationError("--quick is of the world of shapes; give it or --world scenery.")
    }
    guard !ablate || !(allVariants || quick || config != nil) else {
      throw ValidationError(
        "--ablate has its own plan; leave out --all-variants, --quick and --config.")
    }
    guard ablate || seeds == nil else { throw ValidationError("--seeds belongs to --ablate.") }
    guard (1...100).contains(seeds ?? 1) else {
      throw ValidationError("--seeds \(seeds ?? 1): take 1 to 100.")
    }
  }

  func run() throws {
    let context = try device.makeContext()
    context.compileInParallel()
    guard !ablate else {
      let ablation = DemoAblation(
        folder: folder ?? "runs/ablation", worlds: world.map { [$0] } ?? WorldKind.allCases,
        seeds: seeds ?? 1, context: context, overwrites: overwrite
      ) { try configuration(of: $0, seed: $1) }
      return try StopSignals.answering(by: .exit("stopped; '\(ablation.continuation)' goes on")) {
        try ablation.run()
      }
    }
    let place = DemoFolder(path: folder ?? "runs/demo")
    if overwrite { try place.removeDemo() }
    if let world, let kind = place.kind, world != kind {
      throw DemoError.otherWorld(place.path, kind)
    }
    var wanted = try configuration(of: world ?? place.kind ?? .shapes, seed: 0)
    if allVariants {
      wanted.students.configs += wanted.students.extraConfigs.filter {
        !wanted.students.configs.contains($0)
      }
    }
    try StopSignals.answering(by: .exit("stopped; 'baron demo \(place.path)' goes on")) {
      try Demo.open(place, wanted, context: context).run()
    }
  }

  /// What is asked for.
  ///
  /// - Parameters:
  ///   - kind: The world, unless a file says it.
  ///   - offset: What is added to the seed.
  /// - Throws: `ConfigurationError` with the place of what is wrong.
  private func configuration(of kind: WorldKind, seed offset: Int) throws -> DemoConfiguration {
    let preset = kind == .scenery ? "demo-scenery" : quick ? "demo-quick" : "demo"
    // Settings are compared on scenes to choose settings on.
    let all =
      (ablate ? ["world.evaluation=validation"] : []) + overrides
      + (seed.map { ["seed=\($0)"] } ?? [])
    let wanted = try DemoConfiguration.load(config ?? preset, overrides: all)
    guard offset > 0 else { return wanted }
    return try DemoConfiguration.load(
      config ?? preset, overrides: all + ["seed=\(wanted.seed + offset)"])
  }
}
