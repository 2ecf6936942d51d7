import DemoWorld
import Formats
import Foundation
import OpenCL
import Reporting
import Training

/// The published choices changed one at a time: in one or both worlds, with one or more seeds.
///
/// Each world and seed has a folder of its own, an ordinary demo whose detectors are the full recipe
/// and its changes.
struct DemoAblation {
  /// What is changed.
  struct Change {
    /// The detector's name.
    let name: String
    /// The change in words.
    let text: String
    let overrides: [String]
  }

  /// What the changes are compared with.
  static let full = Change(
    name: "full", text: "2 bags, 1 order, 4 words, queues of 512, region loss", overrides: [])

  /// The changes.
  ///
  /// - Parameter epoch: How many pictures there are to learn from.
  /// - Returns: The changes, one a detector.
  static func changes(epoch: Int) -> [Change] {
    func change(_ name: String, _ text: String, _ overrides: String...) -> Change {
      Change(name: name, text: text, overrides: overrides)
    }
    let alignment = "alignment"
    return [
      change("groups-1", "1 bag of a proposal", "\(alignment).sampling.group_limit=1"),
      change("groups-3", "3 bags of a proposal", "\(alignment).sampling.group_limit=3"),
      change("orders-2", "2 orders of a bag", "\(alignment).sampling.permutation_limit=2"),
      change("words-2", "2 words of a region", "model.head.words=2"),
      change("words-6", "6 words of a region", "model.head.words=6"),
      change("no-dropout", "no dropout of words", "model.head.word_dropout=0"),
      change("no-position", "no position embedding", "\(alignment).position_embedding=false"),
      change(
        "queues-0", "no queues", "\(alignment).bag_queue_length=0",
        "\(alignment).region_queue_length=0"),
      change(
        "queues-256", "queues of 256", "\(alignment).bag_queue_length=256",
        "\(alignment).region_queue_length=256"),
      // As published the cache fills first; here it is used from the second epoch on.
      change(
        "box-cache", "box cache from the second epoch", "\(alignment).cache.enabled=true",
        "\(alignment).cache.first_call=\(epoch + 1)"),
      change("no-regions", "no loss of single regions", "\(alignment).region_weight=0"),
    ]
  }

  /// Tokens of the teacher's texts: nine regions of six words, start and end.
  private static let teacherOverride = "model.context_length=56"

  let folder: String
  let worlds: [WorldKind]
  let seeds: Int
  let context: Context
  let overwrites: Bool
  /// The demo of a world, with a number added to the seed.
  let wanted: (WorldKind, Int) throws -> DemoConfiguration

  private var result: String { "\(folder)/ablation.json" }

  /// The command that goes on with it.
  var continuation: String {
    (["baron demo \(folder) --ablate"] + (worlds.count == 1 ? worlds.map { "--world \($0)" } : [])
      + (seeds == 1 ? [] : ["--seeds \(seeds)"])).joined(separator: " ")
  }

  /// Does what is left and prints the tables, as far as they are when interrupted.
  ///
  /// - Throws: `ExitCode` 130 when interrupted; else what the parts throw.
  func run() throws {
    let demos = try (0..<seeds).flatMap { seed in try worlds.map { try wanted($0, seed) } }
    try checkFolder()
    let roof = try Roof.measure(on: context)
    var found = AblationResult(device: context.device.name)
    func show() throws { try Console.print(found.text(style: .detect(descriptor: 1))) }
    do {
      for demo in demos {
        try run(demo, roof: roof) { change, score, seconds in
          found.add(change, score, seconds: seconds, demo)
          try AtomicFile.write(Data((found.json.text(pretty: true) + "\n").utf8), to: result)
        }
      }
    } catch {
      try? show()
      throw error
    }
    try show()
    try Console.print(
      "\(result)  the numbers for programs\n\(folder)/*/students  the detectors' runs")
  }

  private func run(
    _ wanted: DemoConfiguration, roof: Roof,
    scored: (Change, DemoVariant.Score, Double) throws -> Void
  ) throws {
    var wanted = wanted
    wanted.students.configs = ["demo-bags"]
    wanted.students.extraConfigs = []
    wanted.teacher.overrides.insert(Self.teacherOverride, at: 0)
    let place = DemoFolder(path: "\(folder)/\(wanted.world.kind.rawValue)-\(wanted.seed)")
    if overwrites { try place.removeDemo() }
    let demo = try Demo.open(place, wanted, context: context, continuation: continuation)
    let changes = [Self.full] + Self.changes(epoch: demo.configuration.world.trainingImages)
    let variants = try changes.map {
      try DemoVariant(
        "demo-bags", name: $0.name, overrides: $0.overrides, demo: demo.configuration,
        folder: place)
    }
    var rest = changes[...]
    try demo.train(variants, roof: roof) { variant, score in
      guard let change = rest.popFirst() else { return }
      try scored(change, score, variant.seconds)
    }
  }

  /// Refuses a folder in which something else lies, such as a demo.
  private func checkFolder() throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else { return }
    let found = try? FileManager.default.contentsOfDirectory(atPath: folder)
    guard isFolder.boolValue, let found,
      found.allSatisfy({ name in
        name == "ablation.json"
          || WorldKind.allCases.contains { name.hasPrefix("\($0.rawValue)-") }
      })
    else { throw DemoError.occupied(folder) }
  }
}
