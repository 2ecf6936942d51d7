import Formats
import Foundation
import Reporting
import TestSupport
import Testing

@testable import CLIP
@testable import Checkpoints
@testable import OpenCL
@testable import Training

extension InputFormat {
  static let runs: [InputFormat] = [
    InputFormat(
      name: "configuration", file: "a.yaml", kind: .yaml,
      seeds: { _ in [bytes(try RunConfiguration.load("demo-bags").yaml()), bytes(short)] },
      read: { path in
        let configuration = try RunConfiguration.load(path)
        _ = try RunConfiguration.load(path, overrides: ["training.iterations=5"])
        #expect(try RunConfiguration.load(path).yaml() == configuration.yaml())
        _ = configuration.scaledToBatch()
        _ = Schedule(configuration.optimizer, iterations: configuration.training.iterations)
          .rate(at: 3)
      }),
    InputFormat(
      name: "clip-configuration", file: "a.yaml", kind: .yaml,
      seeds: { _ in [bytes(try CLIPTrainingConfiguration.load("demo-teacher").yaml())] },
      read: { _ = try CLIPTrainingConfiguration.load($0).yaml() }),
    InputFormat(
      name: "metrics", file: "metrics.jsonl", kind: .json,
      seeds: { _ in
        [
          bytes(
            (1...4).map {
              #"{"iteration":\#($0),"losses":{"loss_cls":0.5},"learning_rate":0.01,"gradient_norm":1,"#
                + #""images_per_second":3.5,"data_wait_share":0.1,"seconds":2,"measures":{"bags":3},"#
                + #""memory_peak_bytes":1000}"#
            }.joined(separator: "\n") + "\n")
        ]
      }, mayRefuseAll: true, read: { _ = try MetricLog.records(in: $0) }),
    InputFormat(
      name: "tuning", file: "record.json", kind: .json,
      seeds: { _ in
        var record = TuningRecord(
          key: .init(device: "d", platform: "p", driver: "1.2", family: .nvidia, source: "abc"))
        var entry = TuningRecord.Entry()
        (entry.calls, entry.seconds, entry.score) = (3, 0.25, 1.5)
        entry.parameters = ["TILE_M": 64, "SPLITS": 2]
        entry.attempts = [.init(parameters: ["TILE_M": 32], rejection: "it does not compile")]
        record.entries = ["product 1": entry]
        record.searches = ["coco-mini": ["product 1"]]
        record.comparisons = ["coco-mini": .init(shipped: [1, 1.1, 1.2], tuned: [0.9, 0.8, 0.7])]
        return [bytes(record.json.text(pretty: true))]
      }, read: { _ = try TuningRecord(try JSONValue(contentsOf: $0), source: $0) }),
    InputFormat(
      name: "profile", file: "profile.json", kind: .json,
      seeds: { _ in
        [
          bytes(
            #"""
            {"device": "cpu", "driver": "1.0", "steps": 2, "wall_seconds": 0.02,
             "kernels": [{"kernel": "a", "seconds": 0.004}],
             "phases": [{"phase": "forward", "host_seconds": 0.002,
               "queue_seconds": {"student": 0.004, "teacher": 0.003}}]}
            """#)
        ]
      }, read: { _ = try SavedProfile(contentsOf: $0) }),
    InputFormat(
      name: "scores", file: "iteration-3.json", kind: .json,
      seeds: { _ in
        [bytes(#"{"thresholds": {"base": {"score": 0.75}, "novel": {"score": 0.5}}, "images": 3}"#)]
      },
      read: { _ = RunThresholds(try JSONValue(contentsOf: $0), source: $0) }),
    InputFormat(
      name: "json", file: "a.json", kind: .json,
      seeds: { _ in [bytes(#"{"a": [1, -2.5e3, true, null, "x\u00e9\n\ud83d\ude00"], "b": {}}"#)] },
      read: { path in
        let value = try JSONValue(contentsOf: path)
        #expect(try JSONValue(parsing: value.text(pretty: true), source: path) == value)
      }),
    InputFormat(
      name: "bundle", file: "a.baron", kind: .bytes, seeds: bundle, mayRefuseAll: true,
      read: { _ = try ModelBundle(path: $0).thresholds }),
    InputFormat(
      name: "clip-folder", file: "config.json", kind: .json, seeds: clip("config.json"),
      read: { path in
        let folder = URL(filePath: path).deletingLastPathComponent().path
        _ = try CLIPWeights(folder: folder)
      }),
    InputFormat(
      name: "tokenizer", file: "vocab.json", kind: .json, seeds: clip("vocab.json"),
      mayRefuseAll: true, read: tokenize),
    InputFormat(
      name: "merges", file: "merges.txt", kind: .text, seeds: clip("merges.txt"),
      mayRefuseAll: true, read: tokenize),
  ]

  private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  private static let short = """
    base: demo-bags
    model: {head: {words: 4}}
    data:
      short_sides: [64, 96]   # pixels
      class_split: "a.json"
    optimizer: {rate: 1.0e-3, milestones: [10, 20]}
    training: {iterations: 30, keep_best: novel.AP50}
    """

  /// Files of a small CLIP beside each other; one of them is what is damaged.
  private static func clip(_ name: String) -> @Sendable (Scratch) throws -> [[UInt8]] {
    { scratch in
      let source = "\(Fixture.folder)/clip_tiny/hf"
      for file in try FileManager.default.contentsOfDirectory(atPath: source) {
        try FileManager.default.copyItem(
          atPath: "\(source)/\(file)", toPath: "\(scratch.path)/\(file)")
        // The copy of what is read only is to be written over.
        chmod("\(scratch.path)/\(file)", 0o644)
      }
      return [[UInt8](try Data(contentsOf: URL(filePath: "\(source)/\(name)")))]
    }
  }

  @Sendable private static func tokenize(_ path: String) throws {
    let tokenizer = try Tokenizer(folder: URL(filePath: path).deletingLastPathComponent().path)
    let ids = tokenizer.ids("a photo of a red mug &amp; caf\u{e9} 123's 猫")
    #expect(ids.allSatisfy { $0 >= 0 })
  }

  private static func digest(_ content: [UInt8]) -> String {
    var digest = SHA256()
    content.withUnsafeBytes { digest.update($0) }
    return digest.hexadecimal()
  }

  @Sendable private static func bundle(_ scratch: Scratch) throws -> [[UInt8]] {
    let parts = [("config.yaml", bytes(short)), ("detector.safetensors", [UInt8](0..<40))]
    let manifest: JSONValue = [
      "format": "baron bundle", "version": 1, "iteration": 3,
      "classes": [["name": "cat", "base": true], ["name": "dog", "base": false]],
      "parts": .array(
        parts.map { name, content in
          [
            "name": .string(name), "bytes": .number(Double(content.count)),
            "sha256": .string(digest(content)),
          ]
        }),
    ]
    return [StoredZip.archive([("baron.json", bytes(manifest.text()))] + parts)]
  }
}
