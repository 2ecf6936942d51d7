import ArgumentParser
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
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
      """)

  @Argument(help: "The folder, new or of an earlier demo.")
  var folder = "runs/demo"

  @Option(help: ArgumentHelp("What to do: a preset or a YAML file.", valueName: "config"))
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

  @Flag(help: "Remove an earlier demo in the folder first.")
  var overwrite = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard config == nil || !quick else {
      throw ValidationError("give --config or --quick, not both.")
    }
  }

  func run() throws {
    var wanted = try DemoConfiguration.load(
      config ?? (quick ? "demo-quick" : "demo"),
      overrides: overrides + (seed.map { ["seed=\($0)"] } ?? []))
    if allVariants {
      wanted.students.configs += wanted.students.extraConfigs.filter {
        !wanted.students.configs.contains($0)
      }
    }
    let place = DemoFolder(path: folder)
    let context = try device.makeContext()
    context.compileInParallel()
    if overwrite { try place.removeDemo() }
    let goesOn = !place.isNew
    let demo = try place.open(wanted)
    if goesOn { Console.say("going on with the demo in \(folder) as it was started") }
    try StopSignals.answering(by: .exit("stopped; 'baron demo \(place.path)' goes on")) {
      try Demo(configuration: demo, folder: place, context: context).run()
    }
  }
}

/// A demo under way: each part is done only if it is not there yet.
struct Demo {
  let configuration: DemoConfiguration
  let folder: DemoFolder
  let context: Context

  /// Does what is left, writes report and result and prints the table.
  ///
  /// - Throws: `ExitCode` 130 when interrupted; else what the parts throw.
  func run() throws {
    let teacher = try folder.teacherConfiguration(configuration)
    let variants = try configuration.students.configs.map {
      try DemoVariant($0, demo: configuration, folder: folder)
    }
    let roof = try Roof.measure(on: context)
    let plan = DemoPlan(
      configuration, teacher: teacher, teacherIsDone: hasTeacher, variants: variants,
      worldIsDone: FileManager.default.fileExists(atPath: teacher.data.classSplit),
      peak: roof.operationsPerSecond)
    Console.say(plan.text(style: .detect(descriptor: 2)))
    let started = MonotonicClock.seconds
    try folder.drawWorlds(configuration)
    if !hasTeacher { try train(teacher) }
    var scores: [DemoVariant.Score] = []
    for variant in variants {
      if !variant.isTrained { try train(variant) }
      scores.append(
        try variant.score {
          try ValidationSession(
            location: ModelLocation(run: variant.run, warn: Console.warn), clip: nil
          ).run(context: context)
        })
    }
    let seconds = MonotonicClock.seconds - started
    let result = DemoResult(
      seed: configuration.seed, device: context.device.name,
      teacher: CLIPTraining.score(of: folder.teacher),
      rows: zip(variants, scores).map {
        .init(variant: $0, score: $1)
      })
    try AtomicFile.write(
      Data((result.json.text(pretty: true) + "\n").utf8), to: folder.result)
    try DemoReport(
      demo: configuration, folder: folder, context: context, result: result, roof: roof
    ).write()
    try Console.print(result.text(style: .detect(descriptor: 1)))
    try Console.print(closing(seconds, variants))
  }

  private var hasTeacher: Bool {
    FileManager.default.fileExists(atPath: "\(CLIPTraining.modelFolder(of: folder.teacher))")
      && CLIPTraining.score(of: folder.teacher) != nil
  }

  private var continuation: String { "baron demo \(folder.path)" }

  private func train(_ configuration: CLIPTrainingConfiguration) throws {
    try TrainingSession(
      configuration, context: context,
      run: try Self.open(folder.teacher, yaml: configuration.yaml()), continuation: continuation
    ).train()
  }

  private func train(_ variant: DemoVariant) throws {
    Console.say("\(variant.name): \(variant.teaching)")
    try TrainingSession(
      variant.configuration, context: context,
      run: try Self.open(variant.run, yaml: variant.configuration.yaml()),
      continuation: continuation
    ).train()
  }

  /// A new run, or one that was interrupted.
  private static func open(_ path: String, yaml: String) throws -> RunFolder {
    FileManager.default.fileExists(atPath: "\(path)/config.yaml")
      ? try RunFolder.resume(at: path, note: Console.say)
      : try RunFolder.create(at: path, yaml: yaml)
  }

  private func closing(_ seconds: Double, _ variants: [DemoVariant]) -> String {
    let last = variants.last?.run ?? folder.path
    return """
      \(folder.report)  the whole story with plots and pictures; open it in a browser
      \(folder.result)  the numbers for programs
      \(folder.path)/world        the scenes as COCO data sets
      \(folder.teacher)      the teacher's run; teacher/clip is a Hugging Face folder
      \(folder.path)/students     the detectors' runs

      Try: baron detect \(folder.path)/world/\(configuration.world.evaluation.rawValue)/images/\
      000000.png --checkpoint \(last) --vocabulary "disk, heart, star"
      """
  }
}
