import Datasets
import Formats
import Foundation
import Testing

extension ProgramTests {
  @Suite("Train, evaluate, detect", .serialized)
  struct MainPathTests {
    private static let losses: Set = [
      "loss_bag", "loss_single", "loss_cls", "loss_bbox", "loss_rpn_cls", "loss_rpn_bbox",
    ]

    @Test func fromDataToPictures() throws {
      let scratch = try Scratch()
      try train(scratch)
      try evaluate(scratch)
      try detect(scratch)
    }

    private func train(_ scratch: Scratch) throws {
      let trained = try Program.run(Program.training("run"), in: scratch)
      try #require(trained.status == 0, "\(trained.errors)")
      #expect(trained.lines("warning:").isEmpty, "\(trained.errors)")
      for name in ["model.safetensors", "state.safetensors", "state.json", "files.json"] {
        #expect(scratch.has("run/checkpoints/iteration-000006/\(name)"))
      }
      #expect(scratch.has("run/config.yaml"))
      let lines = try scratch.text("run/metrics.jsonl").split(separator: "\n")
      #expect(lines.count == 6)
      for (index, line) in lines.enumerated() {
        let record = try JSONValue(parsing: String(line), source: "metrics.jsonl")
        #expect(record["iteration"]?.integer == index)
        let losses = try #require(record["losses"]?.object)
        #expect(Set(losses.keys) == Self.losses)
        #expect(losses.values.allSatisfy { $0.number?.isFinite == true }, "\(line)")
      }
    }

    private func evaluate(_ scratch: Scratch) throws {
      let table = try Program.run(["evaluate", "--checkpoint", "./run"], in: scratch)
      try #require(table.status == 0, "\(table.errors)")
      for word in ["base", "novel", "AP50"] {
        #expect(table.output.contains(word), "\(table.output)")
      }
      let place = try #require(table.lines("detections: ").last).dropFirst("detections: ".count)
      let ofRun = try Program.run(["evaluate", "--checkpoint", "./run", "--json"], in: scratch)
      let ofFile = try Program.run(
        [
          "evaluate", "--json", "--detections", String(place), "--annotations",
          Program.data + "/coco-mini/annotations/instances_val_base_novel.json",
        ], in: scratch)
      try #require(ofFile.status == 0, "\(ofFile.errors)")
      let numbers = try JSONValue(parsing: ofFile.output, source: "evaluate")
      let wanted = try JSONValue(parsing: ofRun.output, source: "evaluate")
      #expect(numbers["measures"] == wanted["measures"])
      #expect(numbers["groups"] == wanted["groups"])
      #expect(numbers["groups"]?.object?.keys.contains("novel") == true)
    }

    private func detect(_ scratch: Scratch) throws {
      let bus = Program.data + "/images/bus.jpg"
      let input = try ImageDecoder.decode(path: bus)
      let wide = Image(width: 300, height: 100, filledWith: Color(90, 140, 60))
      try wide.writePNG(scratch.path("wide.png"))
      func run(_ output: String, _ names: String) throws {
        let outcome = try Program.run(
          [
            "detect", bus, "wide.png", "--checkpoint", "./run", "--vocabulary", names,
            "--output", output, "--score-threshold", "0",
          ], in: scratch)
        try #require(outcome.status == 0, "\(outcome.errors)")
      }
      try run("found", "bus, person, traffic cone")
      try run("turned", "traffic cone, bus, person")
      let picture = try ImageDecoder.decode(path: scratch.path("found/bus.jpg"))
      #expect(picture.width == input.width && picture.height == input.height)
      let drawn = try ImageDecoder.decode(path: scratch.path("found/wide.png"))
      #expect(drawn.width == 300 && drawn.height == 100)
      #expect(drawn.bytes != wide.bytes, "threshold 0 draws boxes")
      let found = try boxes(scratch, "found")
      #expect(found == (try boxes(scratch, "turned")), "the order of names does not matter")
      #expect(!found.isEmpty)
    }

    /// The boxes of a results file as lines with names, sorted; each lies inside its image.
    private func boxes(_ scratch: Scratch, _ folder: String) throws -> [String] {
      let index = try JSONValue(contentsOf: scratch.path("\(folder)/images.json"))
      let images = try #require(index["images"]?.array)
      #expect(images.count == 2)
      let names = Dictionary(
        uniqueKeysWithValues: (index["categories"]?.array ?? []).map {
          ($0["id"]?.integer ?? 0, $0["name"]?.string ?? "")
        })
      #expect(Set(names.values) == ["bus", "person", "traffic cone"])
      let found = try #require(
        try JSONValue(contentsOf: scratch.path("\(folder)/detections.json")).array)
      return try found.map { detection in
        let image = try #require(images.first { $0["id"] == detection["image_id"] })
        let box = try #require(detection["bbox"]?.array).compactMap(\.number)
        try #require(box.count == 4)
        let width = try #require(image["width"]?.number)
        let height = try #require(image["height"]?.number)
        // Sums of rounded numbers may pass the border by a rounding.
        #expect(box[0] >= 0 && box[1] >= 0 && box[2] >= 0 && box[3] >= 0)
        #expect(box[0] + box[2] <= width + 1e-3 && box[1] + box[3] <= height + 1e-3)
        let score = try #require(detection["score"]?.number)
        #expect((0...1).contains(score))
        let name = try #require(names[detection["category_id"]?.integer ?? 0])
        return "\(detection["image_id"]?.integer ?? 0) \(name) \(box) \(score)"
      }.sorted()
    }
  }
}
