import Formats
import Foundation
import FoundationXML
import TestSupport
import Testing

/// The demonstration, shortened to a few steps of each part.
@Suite(
  "The demonstration", .serialized,
  .enabled(if: BaronProcess.path != nil, "the program was not built"))
struct DemoTests {
  private static let names = ["none", "individual", "bags", "region-crops"]

  private static func arguments(_ folder: String) -> [String] {
    let students =
      "[training.iterations=4, training.checkpoint_every=2, training.log_every=1, "
      + "training.detection_batch=2, training.alignment_batch=2]"
    let teacher =
      "[training.iterations=4, training.checkpoint_every=2, training.batch=8, training.log_every=1]"
    return [
      "demo", folder, "--seed", "5", "--set", "world.training_images=24", "--set",
      "world.evaluation_images=6", "--set", "world.regions_per_image=2", "--set",
      "report.pictures=2", "--set", "report.profile_steps=1", "--set",
      "students.overrides=\(students)", "--set", "teacher.overrides=\(teacher)",
    ]
  }

  private static func bytes(_ folder: String, _ file: String) throws -> Data {
    try Data(contentsOf: URL(filePath: "\(folder)/\(file)"))
  }

  @Test("trains, compares and reports; goes on where it was")
  func whole() throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/demo"
    let first = try BaronProcess(Self.arguments(folder)).finish()
    #expect(first.status == 0, "\(first.errors)")
    // A plan with times comes first.
    let plan = try #require(first.errors.range(of: "about"))
    let start = try #require(first.errors.range(of: "device:"))
    #expect(plan.lowerBound < start.lowerBound)
    for name in Self.names.prefix(3) { #expect(first.output.contains("\n\(name) ")) }
    #expect(first.output.contains("novel AP50"))

    // What it tells to try is there.
    let hint = try #require(first.output.firstMatch(of: /baron detect (\S+) --checkpoint (\S+)/))
    for path in [hint.1, hint.2] {
      #expect(FileManager.default.fileExists(atPath: String(path)), "\(path)")
    }

    let result = try JSONValue(contentsOf: "\(folder)/result.json")
    #expect(result["seed"]?.integer == 5)
    let variants = try #require(result["variants"]?.array)
    #expect(variants.map { $0["name"]?.string } == Self.names.prefix(3).map { $0 })
    for variant in variants {
      for key in ["base_ap50", "novel_ap50"] {
        #expect((0...100).contains(try #require(variant[key]?.number)))
      }
      #expect(try #require(variant["seconds"]?.number) > 0)
      #expect(variant["classes"]?.object?.count == 24)
    }
    let report = try String(contentsOfFile: "\(folder)/report.html", encoding: .utf8)
    #expect(XMLParser(data: Data(report.utf8)).parse(), "the report is not well-formed")
    for part in ["<svg", "data:image/png;base64,", "matrix_product", "region", "seed 5"] {
      #expect(report.contains(part), "\(part)")
    }
    // Pictures are text too, in which any three letters may stand.
    let words = report.replacing(/base64,[^"]*/, with: "")
    #expect(!words.contains("NaN") && !words.contains("nan"))

    // Nothing is left to do but what was not asked for before.
    let again = try BaronProcess(["demo", folder, "--all-variants"]).finish()
    #expect(again.status == 0, "\(again.errors)")
    #expect(again.errors.contains("going on with the demo"))
    let more = try #require(try JSONValue(contentsOf: "\(folder)/result.json")["variants"]?.array)
    #expect(more.map { $0["name"]?.string } == Self.names.map { $0 })
    for (old, new) in zip(variants, more) { #expect(old == new) }
    let third = try BaronProcess(["demo", folder, "--all-variants"]).finish()
    #expect(third.status == 0, "\(third.errors)")
    #expect(third.output == again.output)
  }

  @Test("in the world of scenery it counts names and controls and has enlarged crops")
  func scenery() throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/demo"
    let first = try BaronProcess(Self.arguments(folder) + ["--world", "scenery"]).finish()
    #expect(first.status == 0, "\(first.errors)")
    for part in ["right of two names, novel", "novel controls AP50", "\nenlarged-crops "] {
      #expect(first.output.contains(part), "\(part)")
    }
    let result = try JSONValue(contentsOf: "\(folder)/result.json")
    #expect(result["world"]?.string == "scenery")
    let annotations = try JSONValue(
      contentsOf: "\(folder)/world/test/annotations/instances.json")
    // Base classes 1 to 8 and novel classes 13 to 20 are pairs.
    let ids = (annotations["annotations"]?.array ?? []).compactMap { $0["category_id"]?.integer }
    for crop in ["tight", "enlarged"] {
      let names = try #require(result["teacher_names"]?[crop])
      #expect(names["base"]?["found"]?.integer == ids.count { (1...8).contains($0) })
      #expect(names["novel"]?["found"]?.integer == ids.count { (13...20).contains($0) })
    }
    let variants = try #require(result["variants"]?.array)
    #expect(variants.map { $0["name"]?.string } == Self.names + ["enlarged-crops"])
    for variant in variants {
      #expect((0...100).contains(try #require(variant["controls_ap50"]?.number)))
      let novel = try #require(variant["right_names"]?["novel"])
      let found = try #require(novel["found"]?.integer)
      #expect((0...found).contains(try #require(novel["right"]?.integer)))
      #expect(variant["classes"]?.object?.count == 22)
    }
    let report = try String(contentsOfFile: "\(folder)/report.html", encoding: .utf8)
    #expect(report.contains("cup or bucket") && report.contains("right of two names"))
    // Without an option it goes on in the same world; another world is refused.
    let again = try BaronProcess(["demo", folder]).finish()
    #expect(again.status == 0 && again.output == first.output, "\(again.errors)")
    expectError(
      try BaronProcess(["demo", folder, "--world", "shapes"]).finish(),
      "holds a demo of the world of scenery")
  }

  @Test("the published choices are changed one at a time, and what is done is kept")
  func ablation() throws {
    let scratch = try Scratch()
    let folder = scratch.folder + "/ablation"
    let arguments = Self.arguments(folder) + ["--ablate", "--seeds", "2", "--world"]
    let first = try BaronProcess(arguments + ["scenery"]).finish()
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.output.contains("mean of 2 seeds"))
    let outcomes = try #require(
      try JSONValue(contentsOf: "\(folder)/ablation.json")["outcomes"]?.array)
    let names = outcomes.compactMap { $0["name"]?.string }
    #expect(names.count == 24 && names.prefix(12) == names.suffix(12) && Set(names).count == 12)
    #expect(outcomes.map { $0["seed"]?.integer } == (0..<24).map { $0 < 12 ? 5 : 6 })
    let file = "scenery-5/students/words-6/checkpoints/iteration-000004/model.safetensors"
    let before = try Self.bytes(folder, file)
    let started = ContinuousClock.now
    let again = try BaronProcess(arguments + ["scenery"]).finish()
    #expect(again.status == 0 && again.output == first.output, "\(again.errors)")
    #expect(try Self.bytes(folder, file) == before && ContinuousClock.now - started < .seconds(60))
    // The choices reach the runs.
    let plain = try String(
      contentsOfFile: "\(folder)/scenery-5/students/full/config.yaml", encoding: .utf8)
    for (name, line) in [
      ("groups-3", "group_limit: 3"), ("orders-2", "permutation_limit: 2"), ("words-2", "words: 2"),
      ("no-dropout", "word_dropout: 0.0"), ("no-position", "position_embedding: false"),
      ("queues-0", "bag_queue_length: 0"), ("queues-256", "region_queue_length: 256"),
      ("box-cache", "first_call: 25"), ("no-regions", "region_weight: 0.0"),
    ] {
      let text = try String(
        contentsOfFile: "\(folder)/scenery-5/students/\(name)/config.yaml", encoding: .utf8)
      #expect(text.contains("\(line)\n") && !plain.contains("\(line)\n"), "\(name)")
    }
    try "mine".write(toFile: folder + "/notes.txt", atomically: true, encoding: .utf8)
    expectError(try BaronProcess(arguments + ["shapes"]).finish(), folder)
    for wrong in [
      ["--seeds", "2"], ["--ablate", "--seeds", "0"], ["--ablate", "--all-variants"],
      ["--quick", "--world", "scenery"],
    ] {
      #expect(try BaronProcess(["demo", scratch.folder + "/x"] + wrong).finish().status == 64)
    }
  }

  @Test("stopped by Ctrl-C in either training, it ends bit for bit the same")
  func interruption() throws {
    let scratch = try Scratch()
    let straight = scratch.folder + "/straight"
    #expect(try BaronProcess(Self.arguments(straight)).finish().status == 0)
    let folder = scratch.folder + "/stopped"
    for checkpoint in ["teacher", "students/none", "students/bags"] {
      let process = try BaronProcess(Self.arguments(folder))
      process.wait {
        FileManager.default.fileExists(
          atPath: "\(folder)/\(checkpoint)/checkpoints/iteration-000002")
      }
      process.signal(SIGINT)
      let stopped = try process.finish()
      // A step may have been the last one already.
      if stopped.status != 0 {
        #expect(stopped.status == 130, "\(stopped.errors)")
        #expect(stopped.errors.contains("'baron demo \(folder)' goes on"))
      }
    }
    let last = try BaronProcess(Self.arguments(folder)).finish()
    #expect(last.status == 0, "\(last.errors)")
    for file in [
      "teacher/clip/model.safetensors",
      "students/none/checkpoints/iteration-000004/model.safetensors",
      "students/individual/checkpoints/iteration-000004/model.safetensors",
      "students/bags/checkpoints/iteration-000004/state.safetensors",
    ] {
      #expect(try Self.bytes(folder, file) == Self.bytes(straight, file), "\(file)")
    }
  }

  @Test("what is done and how can be read")
  func presets() throws {
    let list = try BaronProcess.run("config", "list")
    let parts = [
      ("demo", "training_images: 3000"), ("demo-quick", "training_images: 1200"),
      ("demo-teacher", "second_momentum: 0.98"), ("demo-student", "kind: bags"),
      ("demo-none", "kind: none"), ("demo-individual", "kind: regions"),
      ("demo-bags", "kind: bags"), ("demo-region-crops", "enabled: true"),
      ("demo-enlarged-crops", "crop_scale: 2"), ("demo-scenery", "kind: scenery"),
    ]
    for (name, line) in parts {
      #expect(list.output.contains("\n\(name) "), "\(name)")
      let shown = try BaronProcess.run("config", "show", name)
      #expect(shown.status == 0 && shown.output.contains(line), "\(name): \(shown.output)")
      let source = try BaronProcess.run("config", "show", name, "--source")
      #expect(source.status == 0 && source.output.hasPrefix("# "), "\(name)")
    }
  }

  @Test("folders that hold something else are left alone")
  func occupied() throws {
    let scratch = try Scratch()
    try "mine".write(toFile: scratch.folder + "/notes.txt", atomically: true, encoding: .utf8)
    for extra in [[], ["--overwrite"]] {
      expectError(
        try BaronProcess(Self.arguments(scratch.folder) + extra).finish(), scratch.folder)
    }
    #expect(FileManager.default.fileExists(atPath: scratch.folder + "/notes.txt"))
    let wrong = try BaronProcess(["demo", scratch.folder + "/new", "--set", "world.images=3"])
      .finish()
    expectError(wrong, "world has no key \"images\"")
    #expect(!FileManager.default.fileExists(atPath: scratch.folder + "/new"))
  }
}
