import DemoWorld
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// A demo under way: each part is done only if it is not there yet.
struct Demo {
  let configuration: DemoConfiguration
  let folder: DemoFolder
  let context: Context
  /// The command that goes on with it.
  let continuation: String

  /// A new demo in a folder, or the one that is there.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - wanted: The configuration of a new demo.
  ///   - context: Where it computes.
  ///   - continuation: The command that goes on with it; nil for `baron demo` alone.
  /// - Throws: What ``DemoFolder/open(_:)`` throws.
  static func open(
    _ folder: DemoFolder, _ wanted: DemoConfiguration, context: Context,
    continuation: String? = nil
  ) throws -> Demo {
    let goesOn = !folder.isNew
    let configuration = try folder.open(wanted)
    if goesOn { Console.say("going on with the demo in \(folder.path) as it was started") }
    return Demo(
      configuration: configuration, folder: folder, context: context,
      continuation: continuation ?? "baron demo \(folder.path)")
  }

  /// Does what is left, writes report and result and prints the table.
  ///
  /// - Throws: `ExitCode` 130 when interrupted; else what the parts throw.
  func run() throws {
    let variants = try configuration.students.configs.map {
      try DemoVariant($0, demo: configuration, folder: folder)
    }
    let roof = try Roof.measure(on: context)
    var rows: [DemoResult.Row] = []
    let started = MonotonicClock.seconds
    try train(variants, roof: roof) { rows.append(.init(variant: $0, score: $1)) }
    let seconds = MonotonicClock.seconds - started
    let result = DemoResult(
      seed: configuration.seed, kind: configuration.world.drawnKind, device: context.device.name,
      teacher: CLIPTraining.score(of: folder.teacher), probe: try probe(), rows: rows)
    try AtomicFile.write(
      Data((result.json.text(pretty: true) + "\n").utf8), to: folder.result)
    try DemoReport(
      demo: configuration, folder: folder, context: context, result: result, roof: roof
    ).write()
    try Console.print(result.text(style: .detect(descriptor: 1)))
    try Console.print(try closing(seconds, variants))
  }

  /// Draws the worlds and trains teacher and detectors, each only if it is not there yet.
  ///
  /// - Parameters:
  ///   - variants: The detectors.
  ///   - roof: What the device can do, to estimate the time.
  ///   - scored: Gets each detector's score as soon as it is known.
  /// - Throws: `ExitCode` 130 when interrupted; else what the parts throw.
  func train(
    _ variants: [DemoVariant], roof: Roof, scored: (DemoVariant, DemoVariant.Score) throws -> Void
  ) throws {
    let teacher = try folder.teacherConfiguration(configuration)
    let plan = DemoPlan(
      configuration, teacher: teacher, teacherIsDone: hasTeacher, variants: variants,
      worldIsDone: FileManager.default.fileExists(atPath: teacher.data.classSplit),
      peak: roof.operationsPerSecond)
    Console.say(plan.text(style: .detect(descriptor: 2)))
    try folder.drawWorlds(configuration)
    if !hasTeacher { try train(teacher) }
    for variant in variants {
      if !variant.isTrained { try train(variant) }
      let score = try variant.score {
        try ValidationSession(
          location: ModelLocation(run: variant.run, warn: Console.warn), clip: nil
        ).run(context: context)
      }
      try scored(variant, score)
    }
  }

  /// Which of two names the teacher gives what it sees of each object, tight and enlarged, in a
  /// world where shapes have two.
  private func probe() throws -> DemoResult.Probe? {
    let kind = configuration.world.drawnKind
    let data = try folder.teacherConfiguration(configuration).data
    let stream = try ComputeStream(context: context)
    func choice(_ scale: Float) throws -> NameChoice? {
      let seen = try ZeroShotCosines(
        folder: CLIPTraining.modelFolder(of: folder.teacher), data: data, cropScale: scale,
        on: stream)
      return NameChoice(
        kind: kind, names: seen.categories.map(\.name), labels: seen.labels, cosines: seen.rows)
    }
    guard kind == .scenery, let tight = try choice(1), let enlarged = try choice(2) else {
      return nil
    }
    return .init(tight: tight, enlarged: enlarged)
  }

  private var hasTeacher: Bool {
    FileManager.default.fileExists(atPath: "\(CLIPTraining.modelFolder(of: folder.teacher))")
      && CLIPTraining.score(of: folder.teacher) != nil
  }

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
      : try RunFolder.create(at: path, yaml: yaml, note: Console.say)
  }

  private func closing(_ seconds: Double, _ variants: [DemoVariant]) throws -> String {
    let last = variants.last?.run ?? folder.path
    let kind = configuration.world.drawnKind
    let suggestion = try variants.last.flatMap { try DemoSuggestion($0, kind: kind) }
    let names = suggestion?.names ?? (kind.base.prefix(1) + kind.novel.prefix(2)).map(\.name)
    return """
      \(folder.report)  the whole story with plots and pictures; open it in a browser
      \(folder.result)  the numbers for programs
      \(folder.path)/world        the scenes as COCO data sets
      \(folder.teacher)      the teacher's run; teacher/clip is a Hugging Face folder
      \(folder.path)/students     the detectors' runs

      Try: baron detect \(folder.path)/world/\(configuration.world.evaluation.rawValue)/images/\
      \(suggestion?.file ?? "000000.png") --checkpoint \(last) --vocabulary \
      "\(names.joined(separator: ", "))"
      """
  }
}
