import Formats
import Foundation
import Geometry
import Masks
import Pictures
import TestSupport
import Testing

/// What the peer script imports.
private let onnxModules = ["onnx", "onnxruntime", "numpy", "PIL"]

/// Exported detectors, run by ONNX Runtime, find what the program finds.
@Suite(
  "ONNX", .serialized, .enabled(if: BaronProcess.available, "\(BaronProcess.missing)"),
  .enabled(
    if: PeerPython.python(importing: onnxModules) != nil,
    "\(PeerPython.missing(onnxModules))"))
struct ONNXExportTests {
  private static let names = "person, bus, dog, chair, car, traffic light, bench, bottle"

  /// A kind of detector, trained for a moment so that scores spread.
  struct Kind: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let preset: String
    let settings: [String]
    let hasMasks: Bool
  }

  static let kinds = [
    Kind(
      testDescription: "FPN", preset: "coco-mini",
      // After less it sees nothing but background.
      settings: ["training.iterations=60", "optimizer.milestones=[50]"], hasMasks: false),
    Kind(
      testDescription: "C4 with sigmoid", preset: "coco-mini-captions", settings: [],
      hasMasks: false),
    Kind(
      testDescription: "C4 with softmax", preset: "coco-mini-captions",
      settings: [
        "model.head.activation=softmax", "model.head.background=learn",
        "model.head.score_threshold=0.001",
      ], hasMasks: false),
    Kind(
      testDescription: "Mask R-CNN with ensemble", preset: "coco-mini",
      settings: [
        "model.mask.enabled=true", "model.mask.convolutions=1", "model.mask.channels=32",
        "model.head.ensemble=split", "model.head.feature=final", "model.input.pad=16",
        "model.input.order=bgr", "model.head.score_threshold=1.0e-4",
        "model.head.detections_per_image=300",
      ], hasMasks: true),
  ]

  /// What was found on a picture.
  private struct Found {
    let names: [String]
    let boxes: [[Double]]
    let scores: [Double]
    let masks: [RunLengthMask]
  }

  private func run(_ arguments: [String]) throws -> String {
    let result = try BaronProcess(arguments).finish()
    #expect(result.status == 0, "\(result.errors)")
    return result.output
  }

  /// Photographs as PNG, whose pixels every decoder gives; the last one is high and narrow.
  private func photographs(_ scratch: Scratch) throws -> [String] {
    let folder = "\(SharedData.root)/coco-mini/images/val2017"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var paths: [String] = []
    for (index, name) in names.prefix(3).enumerated() {
      let image = try ImageDecoder.decode(path: "\(folder)/\(name)")
      let path = "\(scratch.folder)/\(index).png"
      try image.writePNG(path)
      paths.append(path)
      guard index == 2 else { continue }
      let strip = "\(scratch.folder)/strip.png"
      try image.cropped(to: Box(x1: 3, y1: 0, x2: 40, y2: Float(image.height))).writePNG(strip)
      paths.append(strip)
    }
    return paths
  }

  @Test(arguments: kinds) func findsTheSame(_ kind: Kind) throws {
    let scratch = try Scratch()
    let (run, model) = ("\(scratch.folder)/run", "\(scratch.folder)/model.onnx")
    // Of equal keys the last counts.
    let settings =
      ["training.iterations=12", "training.evaluate_every=0", "optimizer.milestones=[9]"]
      + kind.settings
    _ = try self.run(
      ["train", kind.preset, "--run", run] + settings.flatMap { ["--set", $0] })
    let told = try self.run(["export", run, "--names", Self.names, "-o", model])
    #expect(told == "\(model): 8 names\n")
    let photographs = try photographs(scratch)
    let lines = try self.run(
      ["detect"] + photographs + [
        "--checkpoint", run, "--vocabulary", Self.names, "--limit", "300", "--json",
        "--score-threshold", "0", "--only", "--keep-overlapping", "--no-pictures",
        "--output", "\(scratch.folder)/found",
      ])
    let peer = try PeerPython.run(
      script: "onnx_detections.py", arguments: [model] + photographs)
    let (own, others) = (try parsed(lines), try parsed(peer))
    try #require(own.count == photographs.count && others.count == own.count, "\(peer)")
    // Of what is printed the run's own threshold takes away the rest.
    let configuration = try self.run(["config", "show", "\(run)/config.yaml"])
    let least = try #require(
      configuration.firstMatch(of: /score_threshold: ([0-9.e+-]+)/).flatMap { Double($0.1) })
    var count = 0
    for (path, (mine, other)) in zip(photographs, zip(own, others)) {
      let size = try ImageDecoder.decode(path: path)
      let found = try found(ours: mine, above: least)
      count += found.names.count
      let peer = try self.found(peers: other, width: size.width, height: size.height)
      try compare(found, peer, hasMasks: kind.hasMasks, path)
    }
    #expect(count > 50, "\(count) detections are too few to compare")
  }

  /// The same objects in the same order; scores that are equal but for their last bits may change
  /// places, and at the end of the list one of them may be left out for another.
  private func compare(
    _ found: Found, _ peer: Found, hasMasks: Bool, _ path: String
  ) throws {
    let tie = 4e-6
    try #require(found.names.count == peer.names.count, "\(path)")
    try #require(found.masks.count == (hasMasks ? found.names.count : 0))
    try #require(peer.masks.count == found.masks.count)
    var free = Set(peer.names.indices)
    for index in found.names.indices {
      let place = free.sorted().first { other in
        abs(found.scores[index] - found.scores[other]) < tie
          && found.names[index] == peer.names[other]
          && abs(found.scores[index] - peer.scores[other]) < 1e-4
          && zip(found.boxes[index], peer.boxes[other]).allSatisfy { abs($0 - $1) < 0.05 }
      }
      guard let place else {
        let last = found.scores.last ?? 0
        #expect(
          found.scores[index] - last < tie, "\(path): object \(index) is not among the peer's")
        continue
      }
      free.remove(place)
      guard hasMasks else { continue }
      let (first, second) = (found.masks[index], peer.masks[place])
      let common = try first.intersectionArea(with: second)
      // Single pixels whose probability is one half to the last bits.
      #expect(first.area + second.area - 2 * common <= 3)
    }
  }

  private func parsed(_ lines: String) throws -> [JSONValue] {
    try lines.split(separator: "\n").filter { $0.hasPrefix("{") }.map {
      try JSONValue(parsing: String($0), source: "a line")
    }
  }

  private func numbers(_ value: JSONValue?) -> [Double] {
    (value?.array ?? []).compactMap(\.number)
  }

  private func found(ours line: JSONValue, above least: Double) throws -> Found {
    let objects = (line["objects"]?.array ?? []).filter { ($0["score"]?.number ?? 0) > least }
    let (width, height) = (line["width"]?.integer ?? 0, line["height"]?.integer ?? 0)
    return Found(
      names: objects.compactMap { $0["name"]?.string },
      boxes: objects.map { numbers($0["box"]) }, scores: objects.compactMap { $0["score"]?.number },
      masks: try objects.compactMap { $0["segmentation"]?["counts"]?.string }.map {
        try RunLengthMask(width: width, height: height, text: $0)
      })
  }

  private func found(peers line: JSONValue, width: Int, height: Int) throws -> Found {
    Found(
      names: (line["names"]?.array ?? []).compactMap(\.string),
      boxes: (line["boxes"]?.array ?? []).map { numbers($0) }, scores: numbers(line["scores"]),
      masks: try (line["masks"]?.array ?? []).map {
        try RunLengthMask(width: width, height: height, runs: numbers($0).map { Int($0) })
      })
  }
}

/// What export refuses.
@Suite(.enabled(if: BaronProcess.available, "\(BaronProcess.missing)"))
struct ExportRefusalTests {
  @Test func endingsAndFilesInTheWay() throws {
    let scratch = try Scratch()
    let other = try BaronProcess(["export", "run", "-o", "\(scratch.folder)/model.tflite"]).finish()
    #expect(other.status == 64 && other.errors.contains("give a name that ends in .baron or .onnx"))
    let path = try scratch.write("", "model.onnx")
    let taken = try BaronProcess(["export", "run", "-o", path]).finish()
    #expect(taken.status == 1)
    #expect(
      taken.lines("error:")
        == ["error: \(path): is there already; choose another name or give --overwrite"])
    let missing = try BaronProcess(["export", "no-run", "-o", "\(scratch.folder)/new.onnx"])
      .finish()
    #expect(missing.status == 1 && missing.lines("error:").count == 1)
  }
}
