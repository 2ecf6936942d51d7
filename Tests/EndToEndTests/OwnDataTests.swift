import Annotations
import Formats
import Foundation
import TestSupport
import Testing

/// From own pictures and a few words to a detector, in four commands with nothing edited.
@Suite(
  "Own data", .serialized,
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct OwnDataTests {
  private static let folder = Result { try OwnFolder() }

  private static func initialise(_ more: String..., output: String) throws -> BaronProcess.Result {
    try folder.get().baron(
      [
        "init", "--annotations", "train.json", "--images", "photos", "--clip", "CLIP", "-o", output,
      ] + more)
  }

  /// Few steps, all else as it was written.
  private static let short = [
    "--set", "training.iterations=3", "--set", "training.evaluate_every=2",
    "--set", "training.checkpoint_every=3", "--set", "training.detection_batch=2",
    "--set", "training.alignment_batch=2",
  ]

  @Test("init, check, train and detect, nothing edited")
  func fourCommands() throws {
    let own = try Self.folder.get()
    let made = try Self.initialise(
      "--validation", "val.json", "--find", OwnFolder.wanted, "--epochs", "3", output: "mine.yaml")
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.output.contains("baron train mine.yaml"))
    let split = try OpenVocabularySplit(path: "\(own.path)/mine.classes.json")
    #expect(split.base.count == 12 && split.novel == ["ring", "star", "heart", "glass", "fence"])
    let text = try String(contentsOfFile: "\(own.path)/mine.yaml", encoding: .utf8)
    for key in ["anchor_sizes", "short_sides", "detection_batch", "iterations", "words"] {
      // Each choice has its reason behind it.
      #expect(text.contains(try Regex("\\n +\(key): [^#\\n]+ # .+")), "\(key) in \(text)")
    }

    let check = try own.baron(["check", "mine.yaml", "--quick", "--json"])
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    let report = try JSONValue(parsing: check.output, source: "check")
    #expect(report["classes"]?.array?.count == 17)
    // The names alone are enough, and said to be: no error, no warning.
    let notes = report["findings"]?.array?.compactMap { $0["text"]?.string } ?? []
    #expect(notes.contains { $0.contains("5 of the 5 novel classes are not among") }, "\(notes)")

    let trained = try own.baron(["train", "mine.yaml"] + Self.short)
    #expect(trained.status == 0, "\(trained.errors)")
    let scores = try JSONValue(contentsOf: "\(own.path)/runs/mine/scores/iteration-3.json")
    #expect(scores["groups"]?["base"]?["measures"]?["AP50"]?.number != nil)
    #expect(scores["groups"]?["novel"]?["measures"]?["AP50"] == .null)

    let log = try String(contentsOfFile: "\(own.path)/runs/mine/log.txt", encoding: .utf8)
    for word in [
      " note: device: ", " note: checkpoint: ", " note: protocol ", "novel classes are not",
    ] {
      #expect(log.contains(word), "\(word) is not in \(log)")
    }
    // Everything that lies in a run stands in the list of its files.
    let reference = try String(
      contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/reference.md"), encoding: .utf8)
    for file in try FileManager.default.contentsOfDirectory(atPath: "\(own.path)/runs/mine") {
      let name = file.hasPrefix("events.out.tfevents.") ? "events.out.tfevents." : file
      #expect(reference.contains("`\(name)"), "\(file) is not in docs/reference.md")
    }
    #expect(trained.lines("next: baron evaluate --checkpoint runs/mine").count == 1)
    let session = try #require(
      try JSONValue(contentsOf: "\(own.path)/runs/mine/run.json")["sessions"]?.array?.first)
    #expect(session["outcome"] == "finished" && session["iterations_done"] == 3)
    #expect(session["command"]?.string?.hasPrefix("baron train mine.yaml --set ") == true)
    for key in ["version", "device", "driver", "started", "ended", "host", "system"] {
      #expect(session[key]?.string?.isEmpty == false, "\(key)")
    }

    let photo = try #require(
      try FileManager.default.contentsOfDirectory(atPath: "\(own.path)/photos").sorted().first)
    let found = try own.baron([
      "detect", "photos/\(photo)", "--checkpoint", "mine", "--vocabulary", "ring, star",
    ])
    #expect(found.status == 0, "\(found.errors)")
  }

  @Test("everything that is wrong is told at once, by check and before the first step")
  func everyFault() throws {
    let own = try Self.folder.get()
    let made = try Self.initialise(
      "--validation", "val.json", "--find", "ring", output: "wrong.yaml")
    #expect(made.status == 0, "\(made.errors)")
    let photos = "\(own.path)/photos"
    let names = try FileManager.default.contentsOfDirectory(atPath: photos).sorted()
    let (first, second) = (try #require(names.first), names[3])
    try FileManager.default.moveItem(atPath: "\(photos)/\(first)", toPath: "\(own.path)/kept")
    let whole = try Data(contentsOf: URL(filePath: "\(photos)/\(second)"))
    try whole.prefix(whole.count / 2).write(to: URL(filePath: "\(photos)/\(second)"))
    defer {
      try? FileManager.default.moveItem(atPath: "\(own.path)/kept", toPath: "\(photos)/\(first)")
      try? whole.write(to: URL(filePath: "\(photos)/\(second)"))
    }
    let split = try OpenVocabularySplit(path: "\(own.path)/wrong.classes.json")
    let misspelt = (["diks"] + split.base.dropFirst()).map { JSONValue.string($0) }
    let other: JSONValue = ["base": .array(misspelt), "novel": ["ring"]]
    try Data(other.text().utf8)
      .write(to: URL(filePath: "\(own.path)/wrong.classes.json"))
    let settings = [
      "--set", "training.iteration=3", "--set", "optimizer.rate=fast",
      "--set", "clip.folder=nowhere", "--set", "model.start=gone.pth",
      "--set", "data.validation_annotations=gone.json",
    ]
    let wanted = [
      "training.iteration=3", "has no key \"iteration\"; did you mean \"iterations\"",
      "optimizer.rate must be a number", "clip.folder: ", "nowhere/config.json: no such file",
      "model.start: ", "gone.pth", "data.validation_annotations: ", "gone.json",
      "data.class_split: ", "there is no class \"diks\"; did you mean \"disk\"",
      "data.train_images: ", first, second,
    ]
    let began = MonotonicClock.seconds
    let check = try own.baron(["check", "wrong.yaml", "--quick"] + settings)
    #expect(check.status == 1 && MonotonicClock.seconds - began < 30)
    for word in wanted { #expect(check.output.contains(word), "\(word) is not in \(check.output)") }

    let train = try own.baron(["train", "wrong.yaml", "--run", "never"] + settings)
    #expect(train.status == 1 && train.lines("error:").count == 1)
    for word in wanted { #expect(train.errors.contains(word), "\(word) is not in \(train.errors)") }
    #expect(!FileManager.default.fileExists(atPath: "\(own.path)/runs/never"))
  }

  @Test("without a validation set some pictures are set aside; none of the words is needed")
  func setAside() throws {
    let own = try Self.folder.get()
    let made = try Self.initialise("--fraction", "0.25", output: "alone.yaml")
    #expect(made.status == 0, "\(made.errors)")
    let (train, held) = try (
      AnnotationIndex(path: "\(own.path)/alone.train.json"),
      AnnotationIndex(path: "\(own.path)/alone.val.json")
    )
    #expect(train.imageCount == 27 && held.imageCount == 9)
    let whole = try AnnotationIndex(path: "\(own.path)/train.json")
    #expect(train.annotationCount + held.annotationCount == whole.annotationCount)
    #expect(Set(train.images.ids).isDisjoint(with: held.images.ids))
    let check = try own.baron(["check", "alone.yaml", "--quick"])
    #expect(check.status == 0, "\(check.output)")
    #expect(check.output.hasPrefix("alone.yaml: nothing is wrong"))
  }

  @Test("what is set aside takes no class its last box; a folder may be named twice")
  func rareClassesAndFolders() throws {
    let own = try Self.folder.get()
    var root = try JSONValue(contentsOf: "\(own.path)/train.json").object ?? [:]
    // One box of each class, each on another picture, and names that begin with the folder.
    var known: Set<Int> = []
    var used: Set<Int> = []
    root["annotations"] = .array(
      (root["annotations"]?.array ?? []).filter { annotation in
        guard let image = annotation["image_id"]?.integer, !used.contains(image),
          known.insert(annotation["category_id"]?.integer ?? -1).inserted
        else { return false }
        return used.insert(image).inserted
      })
    root["images"] = .array(
      (root["images"]?.array ?? []).map { image in
        var record = image.object ?? [:]
        record["file_name"] = .string("photos/" + (record["file_name"]?.string ?? ""))
        return .object(record)
      })
    try Data(JSONValue.object(root).text().utf8).write(to: URL(filePath: "\(own.path)/rare.json"))
    let made = try own.baron([
      "init", "--annotations", "rare.json", "--images", "photos", "--clip", "CLIP", "--fraction",
      "0.5", "-o", "rare.yaml",
    ])
    #expect(made.status == 0 && made.lines("warning:").isEmpty, "\(made.errors)")
    #expect(made.errors.contains("relative to .\n"), "\(made.errors)")
    let train = try AnnotationIndex(path: "\(own.path)/rare.train.json")
    #expect(train.annotationCount == known.count && known.count > 8)
    let held = try AnnotationIndex(path: "\(own.path)/rare.val.json")
    #expect(held.imageCount == min(18, 36 - known.count))
    let check = try own.baron(["check", "rare.yaml", "--quick"])
    #expect(check.status == 0, "\(check.output)")
  }

  @Test("a class that is wanted by name and has boxes loses them")
  func hiddenBoxes() throws {
    let own = try Self.folder.get()
    let made = try Self.initialise("--find", "Disk, rings", output: "hidden.yaml")
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("boxes of disk are left out"))
    let split = try OpenVocabularySplit(path: "\(own.path)/hidden.classes.json")
    #expect(split.novel == ["disk", "rings"] && split.base.count == 11)
  }

  @Test("what is missing is told together, and nothing is overwritten")
  func missing() throws {
    let own = try Self.folder.get()
    let result = try own.baron([
      "init", "--annotations", "gone.json", "--images", "nowhere", "--clip", "none", "-o", "x.yaml",
    ])
    expectError(result, "--annotations gone.json", "--images nowhere", "--clip")
    #expect(!FileManager.default.fileExists(atPath: "\(own.path)/x.yaml"))
    try Data("mine".utf8).write(to: URL(filePath: "\(own.path)/there.yaml"))
    expectError(try Self.initialise(output: "there.yaml"), "exists already", "--overwrite")
    #expect(try Self.initialise("--overwrite", output: "there.yaml").status == 0)
    #expect(try Self.initialise("--hours", "1", "--epochs", "2", output: "y.yaml").status == 64)
  }

  @Test("check makes real steps and tells memory and time")
  func steps() throws {
    let own = try Self.folder.get()
    #expect(try Self.initialise(output: "timed.yaml").status == 0)
    let check = try own.baron(["check", "timed.yaml", "--json"] + Self.short)
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    let report = try JSONValue(parsing: check.output, source: "check")
    #expect(report["seconds_per_step"]?.number ?? 0 > 0)
    #expect(report["memory_bytes"]?.number ?? 0 > 1e6 && report["hours"]?.number ?? 0 > 0)
    #expect(report["disk_needed_bytes"]?.number ?? 0 > 1e5)
  }

  /// What newcomers type, and the words that send them the right way.
  @Test(
    "typical mistakes are answered at first reading",
    arguments: [
      (["train", "train.json"], 1, "'baron init --annotations train.json'"),
      (["trian"], 64, "did you mean \"train\"?"), (["predict", "x.jpg"], 64, "\"detect\"?"),
      (["train", "mine.yaml", "--data", "x"], 64, "baron init"),
      (["train", "mine.yaml", "--epochs", "5"], 64, "training.iterations"),
      (["train", "mine.yaml", "--imgsz", "640"], 64, "data.short_sides"),
      (["train", "demo-bags", "--weights", "x.pth"], 64, "model.start"),
      (["detect", "photos", "--conf", "0.5"], 64, "--score-threshold"),
      (["train", "demo-bags", "--set", "iterations=5"], 1, "\"training.iterations\""),
      (["split", "coco", "train.json", "-o", "out"], 1, "--split takes a file"),
      (
        ["evaluate", "--annotations", "train.json", "--detections", "train.json"], 1,
        "results are a list of detections"
      ),
      (
        ["evaluate", "--annotations", "https://x.org/a.json", "--detections", "train.json"], 1,
        "download it"
      ),
      (["train", "coco-mini"], 1, "BARON_SHARED is not set"),
      (["train", "ov-coco-fpn-kd"], 1, "data.validation_images: "),
      (["detect", "photos", "--checkpoint", "none"], 1, "runs/none: there is no run here"),
      (["config", "explain", "optimizer.rte"], 1, "\"optimizer.rate\"?"),
      (
        ["init", "--annotations", "photos", "--clip", "CLIP", "-o", "z.yaml"], 1,
        "Annotations (VOC)"
      ),
      (["init", "--annotations", "train.json", "--clip", "CLIP", "-o", "z.yaml"], 1, "--images"),
      (["convert-data", "yolo", "photos", "-o", "x.json"], 1, "images and labels"),
    ] as [([String], Int32, String)])
  func typicalMistakes(words: [String], status: Int32, answer: String) throws {
    let result = try Self.folder.get().baron(words)
    #expect(result.status == status, "\(words): \(result.errors)")
    #expect(result.errors.contains(answer), "\(words): \(result.errors)")
  }

  @Test("the split of another data set, and a run as a start")
  func anotherSplitAndStart() throws {
    let own = try Self.folder.get()
    #expect(try Self.initialise(output: "base.yaml").status == 0)
    let wrong = try own.baron(
      ["train", "base.yaml", "--run", "w", "--set", "data.class_split=ov_coco"])
    expectError(wrong, "data.class_split", "48 base classes are not in", "baron init")
    #expect(try own.baron(["train", "base.yaml", "--run", "first"] + Self.short).status == 0)
    let second = try own.baron(
      ["train", "base.yaml", "--run", "second", "--set", "model.start=runs/first"] + Self.short)
    #expect(second.status == 0 && second.errors.contains(", 0 missing"), "\(second.errors)")
    let other = try own.baron([
      "check", "base.yaml", "--quick", "--set", "model.start=runs/first",
      "--set", "model.backbone.stem_width=8",
    ])
    #expect(other.status == 1 && other.output.contains("holds a ResNet with stem_width 16"))
  }
}
