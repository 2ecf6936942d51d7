import Formats
import Foundation
import Geometry
import Pictures
import TestSupport
import Testing

/// The main job on real photographs, shortened: train, evaluate, detect.
@Suite(
  "The main job", .serialized,
  .enabled(if: BaronProcess.available, Comment(rawValue: BaronProcess.missing)))
struct MainJobTests {
  static let iterations = 6

  /// Trains with a preset, shortened; more settings win.
  static func train(
    _ preset: String = "coco-mini", into folder: String, _ settings: String...
  ) throws -> BaronProcess {
    var arguments = ["train", preset, "--run", folder]
    for setting in [
      "training.iterations=\(iterations)", "training.checkpoint_every=2",
      "training.evaluate_every=0", "training.log_every=1", "model.head.score_threshold=0",
    ] + settings {
      arguments += ["--set", setting]
    }
    return try BaronProcess(arguments)
  }

  private static func bytes(_ run: String, _ file: String) throws -> Data {
    try Data(
      contentsOf: URL(filePath: "\(run)/checkpoints/iteration-00000\(iterations)/\(file)"))
  }

  @Test("train, evaluate and detect on photographs")
  func wholePath() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let trained = try Self.train(into: run).finish()
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.lines("warning:").isEmpty, "\(trained.errors)")
    let records = try metrics(run)
    #expect(records.count == Self.iterations)
    for record in records {
      let losses = try #require(record["losses"]?.object)
      #expect(
        Set(losses.keys) == [
          "loss_bag", "loss_single", "loss_cls", "loss_bbox", "loss_rpn_cls", "loss_rpn_bbox",
        ])
      #expect(losses.values.allSatisfy { $0.number?.isFinite ?? false })
    }
    try evaluate(run)
    try detect(run, into: scratch.folder)
    try detectByTheBestThreshold(run, into: scratch.folder)
    try evaluateWithoutPictures(run, in: scratch.folder)
  }

  /// Without a threshold that of the evaluation counts; classes of training compete unless told not to.
  private func detectByTheBestThreshold(_ run: String, into folder: String) throws {
    let iteration = "iteration-\(Self.iterations)"
    // The evaluation of another data set before this kept no scores.
    let path = "\(run)/scores/\(iteration).json"
    // What the evaluation of such a model finds is chance: numbers that a test can know.
    var scores = try #require(try JSONValue(contentsOf: path).object)
    scores["thresholds"] = ["base": ["score": 0.75], "novel": ["score": 0.001]]
    try Data(JSONValue.object(scores).text().utf8).write(to: URL(filePath: path))
    let photo = "\(Fixture.sharedFolder)/data/images/bus.jpg"
    func find(_ name: String, _ options: String...) throws -> (BaronProcess.Result, [JSONValue]) {
      let result = try BaronProcess(
        ["detect", photo, "--checkpoint", run, "--json", "--output", "\(folder)/\(name)"] + options
      ).finish()
      #expect(result.status == 0, "\(result.errors)")
      let json = try JSONValue(parsing: result.output, source: "detect --json")
      return (result, json["objects"]?.array ?? [])
    }
    func found(_ name: String) throws -> [Double] {
      (try JSONValue(contentsOf: "\(folder)/\(name)/detections.json").array ?? []).compactMap {
        $0["score"]?.number
      }
    }
    let rivals = try find("rivals", "--vocabulary", "dog")
    let said = rivals.0.errors.components(separatedBy: "shown from score 0.750 on").count - 1
    #expect(said == 1 && rivals.0.errors.contains("from 0.001 on"), "\(rivals.0.errors)")
    let alone = try find("alone", "--vocabulary", "dog", "--only", "--score-threshold", "0")
    #expect(!alone.0.errors.contains("shown from"))
    // With others to be, a region is at most as surely the one; hidden ones take no place of it.
    let (many, one) = (try found("rivals"), try found("alone"))
    #expect(try #require(many.max()) <= #require(one.max()))
    #expect(!many.isEmpty)
    #expect(rivals.1.count < alone.1.count)
    // Each shown object has its place, unless the user wants all.
    func overlaps(_ objects: [JSONValue]) -> Int {
      let boxes = objects.map { object in
        [Box](corners: (object["box"]?.array ?? []).compactMap(\.number).map { Float($0) })[0]
      }
      return boxes.indices.reduce(0) { count, index in
        count + boxes[..<index].count { $0.iou(with: boxes[index]) > Suppression.sameObject }
      }
    }
    let names = ["--vocabulary", "bus, truck, car", "--only", "--score-threshold", "0"]
    let apart = try BaronProcess(
      ["detect", photo, "--checkpoint", run, "--json", "--output", "\(folder)/apart"] + names
    ).finish()
    let all = try BaronProcess(
      [
        "detect", photo, "--checkpoint", run, "--json", "--output", "\(folder)/all",
        "--keep-overlapping",
      ] + names
    ).finish()
    func objects(_ result: BaronProcess.Result) throws -> [JSONValue] {
      try JSONValue(parsing: result.output, source: "detect --json")["objects"]?.array ?? []
    }
    #expect(overlaps(try objects(apart)) == 0)
    #expect(try objects(all).count >= objects(apart).count)
    expectWrongUse(try BaronProcess.run("detect", photo, "--checkpoint", run, "--only"), "--only")
  }

  @Test("two runs have reports, event files and a comparison")
  func reportsAndComparison() throws {
    let scratch = try Scratch()
    let runs = ["one", "two"].map { "\(scratch.folder)/\($0)" }
    for (run, rate) in zip(runs, ["0.03", "0.01"]) {
      let trained = try Self.train(
        into: run, "training.evaluate_every=3", "optimizer.rate=\(rate)"
      ).finish()
      #expect(trained.status == 0, "\(trained.errors)")
      #expect(trained.lines("warning:").isEmpty, "\(trained.errors)")
      let page = try String(contentsOfFile: "\(run)/report.html", encoding: .utf8)
      for word in ["Errors by kind", "<td>optimizer.rate</td>", "6 of 6 iterations"] {
        #expect(page.contains(word), "\(word)")
      }
      #expect(page.utf8.count < 5_000_000)
      let files = try FileManager.default.contentsOfDirectory(atPath: run)
      #expect(files.count { $0.hasPrefix("events.out.tfevents.") } == 1)
    }
    let again = try BaronProcess.run("report", runs[0], "-o", "\(scratch.folder)/again.html")
    #expect(again.status == 0, "\(again.errors)")
    #expect(again.output == "\(scratch.folder)/again.html\n")
    let page = "\(scratch.folder)/compare.html"
    let compared = try BaronProcess.run("compare", runs[0], runs[1], "-o", page)
    #expect(compared.status == 0, "\(compared.errors)")
    #expect(compared.output.contains("optimizer.rate") && compared.output.contains("novel AP50"))
    #expect(FileManager.default.fileExists(atPath: page))
    let json = try BaronProcess.run("compare", runs[0], runs[1], "--json")
    let parsed = try JSONValue(parsing: json.output, source: "compare --json")
    #expect(parsed["runs"]?.array?.count == 2)
    expectError(try BaronProcess.run("report", "\(scratch.folder)/none"), "no run here")
    expectWrongUse(try BaronProcess.run("compare", runs[0]), "two runs")
    // Without TensorBoard there are no event files.
    let quiet = "\(scratch.folder)/quiet"
    let trained = try Self.train(into: quiet, "training.tensorboard=false").finish()
    #expect(trained.status == 0, "\(trained.errors)")
    let files = try FileManager.default.contentsOfDirectory(atPath: quiet)
    #expect(!files.contains { $0.hasPrefix("events.") } && files.contains("report.html"))
  }

  private func expectWrongUse(_ result: BaronProcess.Result, _ word: String) {
    #expect(result.status == 64 && result.errors.contains(word), "\(result.errors)")
  }

  /// Pictures that are missing are no pictures without objects.
  private func evaluateWithoutPictures(_ run: String, in folder: String) throws {
    let pictures = "\(folder)/pictures"
    try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
    func evaluate(_ options: String...) throws -> BaronProcess.Result {
      try BaronProcess(
        ["evaluate", "--checkpoint", run, "--set", "data.validation_images=\(pictures)"] + options
      ).finish()
    }
    expectError(try evaluate(), "none of the 52 images", pictures, "data.validation_images")
    let all = "\(Fixture.sharedFolder)/data/coco-mini/images/val2017"
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: all).first)
    try FileManager.default.copyItem(atPath: "\(all)/\(name)", toPath: "\(pictures)/\(name)")
    let some = try evaluate()
    expectError(some, "51 of 52 images could not be read", "--allow-missing")
    #expect(some.output.contains("images      52; 51 could not be read"), "\(some.output)")
    let accepted = try evaluate("--allow-missing", "--json")
    #expect(accepted.status == 0, "\(accepted.errors)")
    let json = try JSONValue(parsing: accepted.output, source: "evaluate --json")
    #expect(json["images_unreadable"] == 51)
  }

  @Test("captions teach a detector that evaluates and detects")
  func captions() throws {
    let scratch = try Scratch()
    let run = scratch.folder + "/run"
    let trained = try Self.train(
      "coco-mini-captions", into: run, "training.iterations=30", "training.checkpoint_every=30"
    ).finish()
    #expect(trained.status == 0, "\(trained.errors)")
    #expect(trained.lines("warning:").isEmpty, "\(trained.errors)")
    #expect(!trained.lines("captions: 81 images with 405 captions").isEmpty, "\(trained.errors)")
    let losses = try metrics(run).map { record in
      try #require(record["losses"]?["loss_caption"]?.number)
    }
    try #require(losses.count == 30)
    func mean(_ part: ArraySlice<Double>) -> Double { part.reduce(0, +) / Double(part.count) }
    // From the third step on the queues are full and losses compare.
    let (first, last) = (mean(losses[3..<10]), mean(losses.suffix(7)))
    #expect(last < 0.95 * first, "caption losses \(losses)")
    try evaluate(run)
    try detect(run, of: "coco-mini-captions", into: scratch.folder)
  }

  private func evaluate(_ run: String) throws {
    let scored = try BaronProcess.run("evaluate", "--checkpoint", run)
    #expect(scored.status == 0, "\(scored.errors)")
    for word in ["base", "novel", "AP50"] { #expect(scored.output.contains(word)) }
    let folder = "\(run)/detections"
    let file = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
    let alone = try BaronProcess.run(
      "evaluate", "--annotations",
      "\(Fixture.sharedFolder)/data/coco-mini/annotations/instances_val_base_novel.json",
      "--detections", "\(folder)/\(file)", "--json")
    #expect(alone.status == 0, "\(alone.errors)")
    let json = try JSONValue(parsing: alone.output, source: "evaluate --json")
    #expect(json.text().contains("novel"))
    // Another data set and its own protocol, without a word of training.
    let transferred = "\(Fixture.sharedFolder)/data/coco-mini"
    let transfer = try BaronProcess.run(
      "evaluate", "--checkpoint", run, "--split", "voc", "--set",
      "data.validation_annotations=\(transferred)/annotations/instances_val_novel.json", "--set",
      "data.validation_images=\(transferred)/images/val2017")
    #expect(transfer.status == 0, "\(transfer.errors)")
    #expect(transfer.output.contains("VOC") && transfer.output.contains("AP50"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
  }

  private func detect(
    _ run: String, of config: String = "coco-mini", into folder: String
  ) throws {
    let photo = "\(Fixture.sharedFolder)/data/images/bus.jpg"
    let original = try ImageDecoder.decode(path: photo)
    var results: [[String]] = []
    for (index, names) in ["bus, person, traffic cone", "traffic cone,bus,person"].enumerated() {
      let output = "\(folder)/detect-\(index)"
      let found = try BaronProcess.run(
        "detect", photo, "--checkpoint", run, "--vocabulary", names, "--score-threshold", "0",
        "--output", output)
      #expect(found.status == 0, "\(found.errors)")
      let picture = try ImageDecoder.decode(path: "\(output)/bus.jpg")
      #expect((picture.width, picture.height) == (original.width, original.height))
      #expect(picture.bytes != original.bytes)
      let categories = try JSONValue(contentsOf: "\(output)/images.json")["categories"]?.array
      let name = Dictionary(
        (categories ?? []).map { ($0["id"]?.integer ?? 0, $0["name"]?.string ?? "") }
      ) { first, _ in first }
      let rows = try #require(try JSONValue(contentsOf: "\(output)/detections.json").array)
      #expect(!rows.isEmpty)
      for row in rows {
        let box = (row["bbox"]?.array ?? []).compactMap(\.number)
        try #require(box.count == 4)
        #expect(box[0] >= 0 && box[0] + box[2] <= Double(original.width) + 1e-3)
        #expect(box[1] >= 0 && box[1] + box[3] <= Double(original.height) + 1e-3)
      }
      // The order of the names must not matter.
      results.append(
        rows.map { row in
          "\(name[row["category_id"]?.integer ?? 0] ?? "") \(row["bbox"]?.text() ?? "") "
            + "\(row["score"]?.text() ?? "")"
        }.sorted())
    }
    #expect(results[0] == results[1])
    try linesAtOnce(run, into: folder)
    try sameFromAWeightFile(run, of: config, photo, into: folder)
  }

  /// A line of JSON is there as soon as its image is done.
  private func linesAtOnce(_ run: String, into folder: String) throws {
    let found = try BaronProcess([
      "detect", "\(Fixture.sharedFolder)/data/coco-mini/images/val2017", "--checkpoint", run,
      "--json", "--batch", "1", "--output", "\(folder)/detect-lines",
    ])
    found.wait { found.outputSoFar.contains("\n") }
    #expect(found.isRunning)
    let line = try #require(found.outputSoFar.split(separator: "\n").first)
    #expect(try JSONValue(parsing: String(line), source: "detect --json").object != nil)
    found.signal(SIGKILL)
    _ = try found.finish()
  }

  /// Weights without a run, their configuration by name; batches and crops change nothing.
  private func sameFromAWeightFile(
    _ run: String, of config: String, _ photo: String, into folder: String
  ) throws {
    let checkpoints = try FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints")
    let weights = "\(run)/checkpoints/\(try #require(checkpoints.max()))/model.safetensors"
    let names = [
      "--vocabulary", "bus, person", "--score-threshold", "0", "--limit", "5", "--only",
      "--keep-overlapping",
    ]
    let other = "\(Fixture.sharedFolder)/data/images/mmdet_demo.jpg"
    let one = try BaronProcess(
      ["detect", photo, other, "--checkpoint", run, "--batch", "1", "--output", "\(folder)/one"]
        + names
    ).finish()
    #expect(one.status == 0, "\(one.errors)")
    let two = try BaronProcess(
      [
        "detect", photo, other, "--checkpoint", weights, "--config", config, "--set",
        "model.head.score_threshold=0", "--crop",
        "--output", "\(folder)/two",
      ] + names
    ).finish()
    #expect(two.status == 0, "\(two.errors)")
    let results = try ["one", "two"].map {
      try String(contentsOfFile: "\(folder)/\($0)/detections.json", encoding: .utf8)
    }
    #expect(results[0] == results[1])
    let crops = FileManager.default.enumerator(atPath: "\(folder)/two/crops")?.compactMap {
      ($0 as? String).flatMap { $0.hasSuffix(".png") ? $0 : nil }
    }
    #expect(crops?.count == 10, "\(crops ?? [])")
    // Inside of their run they stand for its checkpoint, elsewhere they need a configuration.
    let inside = try BaronProcess(
      ["detect", photo, "--checkpoint", weights, "--output", "\(folder)/inside"] + names
    ).finish()
    #expect(inside.status == 0, "\(inside.errors)")
    let copy = "\(folder)/published.safetensors"
    try FileManager.default.copyItem(atPath: weights, toPath: copy)
    let alone = try BaronProcess(["detect", photo, "--checkpoint", copy] + names).finish()
    #expect(alone.status == 1 && alone.errors.contains("--config"))
    let both = try BaronProcess(
      ["detect", photo, "--checkpoint", run, "--config", config] + names
    ).finish()
    #expect(both.status == 1 && both.errors.contains("leave out --config"), "\(both.errors)")
  }

  @Test("stopped by Ctrl-C or killed, a resumed run ends bit for bit the same")
  func interruption() throws {
    let scratch = try Scratch()
    let straight = scratch.folder + "/straight"
    #expect(try Self.train(into: straight).finish().status == 0)
    for (name, number) in [("interrupted", SIGINT), ("killed", SIGKILL)] {
      let run = "\(scratch.folder)/\(name)"
      let process = try Self.train(into: run)
      process.wait { FileManager.default.fileExists(atPath: "\(run)/checkpoints/iteration-000002") }
      process.signal(number)
      let stopped = try process.finish()
      if number == SIGINT, stopped.status != 0 {
        #expect(stopped.status == 130)
        #expect(stopped.errors.contains("baron train --resume \(run)"))
      }
      let resumed = try BaronProcess.run("train", "--resume", run)
      #expect(resumed.status == 0, "\(resumed.errors)")
      for file in ["model.safetensors", "state.safetensors", "state.json"] {
        #expect(try Self.bytes(run, file) == Self.bytes(straight, file), "\(name) \(file)")
      }
      #expect(try metrics(run) == metrics(straight), "\(name)")
    }
  }

  @Test("images that cannot be read cost a line each, not the run")
  func badImages() throws {
    let scratch = try Scratch()
    let hard = "\(Fixture.sharedFolder)/data/images-hard"
    let images = "\(scratch.folder)/images"
    try FileManager.default.copyItem(atPath: hard, toPath: images)
    let good = "\(Fixture.sharedFolder)/data/coco-mini/images/val2017"
    for file in try FileManager.default.contentsOfDirectory(atPath: good).sorted().prefix(4) {
      try FileManager.default.copyItem(atPath: "\(good)/\(file)", toPath: "\(images)/\(file)")
    }
    var records: [JSONValue] = []
    var annotations: [JSONValue] = []
    var unreadable: Set<String> = []
    for name in try FileManager.default.contentsOfDirectory(atPath: images).sorted()
    where name != "manifest.tsv" {
      let size = (try? ImageDecoder.decode(path: "\(images)/\(name)")).map { ($0.width, $0.height) }
      if size == nil { unreadable.insert(name) }
      let (width, height) = size ?? (64, 64)
      records.append([
        "id": .number(Double(records.count + 1)), "file_name": .string(name),
        "width": .number(Double(width)), "height": .number(Double(height)),
      ])
      guard width >= 32, height >= 32 else { continue }
      annotations.append([
        "id": .number(Double(annotations.count + 1)), "image_id": .number(Double(records.count)),
        "category_id": 1, "bbox": [4, 4, 24, 20], "area": 480, "iscrowd": 0,
      ])
    }
    let document: JSONValue = [
      "images": .array(records), "annotations": .array(annotations),
      "categories": [["id": 1, "name": "person"]],
    ]
    let file = "\(scratch.folder)/instances.json"
    try Data(document.text().utf8).write(to: URL(filePath: file))
    let split = "\(scratch.folder)/classes.json"
    try Data(#"{"base": ["person"], "novel": []}"#.utf8).write(to: URL(filePath: split))
    let result = try Self.train(
      into: scratch.folder + "/run", "training.iterations=8", "data.train_annotations=\(file)",
      "data.train_images=\(images)", "data.alignment_annotations=\(file)",
      "data.alignment_images=\(images)", "data.class_split=\(split)"
    ).finish()
    #expect(result.status == 0, "\(result.errors)")
    let warnings = result.lines("warning:")
    #expect(!warnings.isEmpty)
    // What is looked at before the first step ends with a line that counts the others.
    for warning in warnings where !warning.contains("of the 38 pictures looked at") {
      #expect(unreadable.contains { warning.contains($0) }, "\(warning)")
    }
    #expect(Set(warnings).count == warnings.count)

    let found = try BaronProcess.run(
      "detect", hard, "--checkpoint", scratch.folder + "/run", "--vocabulary", "person",
      "--output", scratch.folder + "/found")
    #expect(found.status == 0, "\(found.errors)")
    let listed = found.lines("warning:")
    for name in unreadable {
      #expect(listed.count { $0.contains(name) } <= 1, "\(name)")
    }
    let supported = unreadable.filter { $0.hasSuffix(".jpg") || $0.hasSuffix(".png") }
    #expect(supported.allSatisfy { name in listed.contains { $0.contains(name) } })
  }
}
