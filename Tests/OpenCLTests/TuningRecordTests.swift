import Formats
import Foundation
import Testing

@testable import OpenCL

@Suite("Tuning records")
struct TuningRecordTests {
  static let key = TuningRecord.Key(
    device: "GPU of \"ours\"", platform: "a platform", driver: "1.2", family: .nvidia,
    source: "abc")

  static var record: TuningRecord {
    var record = TuningRecord(key: key)
    var entry = TuningRecord.Entry()
    (entry.calls, entry.seconds, entry.score) = (3, 0.25, 1.5)
    entry.parameters = ["TILE_M": 64, "SPLITS": 2]
    entry.isAccepted = true
    entry.attempts = [
      .init(parameters: ["TILE_M": 128], seconds: 0.5, error: 1e-7, score: 1),
      .init(parameters: ["TILE_M": 32], rejection: "it does not compile"),
    ]
    record.entries = ["product 1": entry, "product 2": .init()]
    record.searches = ["coco-mini": ["product 1", "product 2"]]
    record.comparisons = [
      "coco-mini": .init(shipped: [1, 1.1, 1.2], tuned: [0.9, 0.8, 0.7])
    ]
    return record
  }

  private func load(
    _ text: String, key: TuningRecord.Key = key
  ) throws -> (record: TuningRecord?, warnings: [String]) {
    var warnings: [String] = []
    var record: TuningRecord?
    try withTemporaryFolder { folder in
      let store = TuningStore(folder: folder)
      try Data(text.utf8).write(to: URL(filePath: store.path(for: key)))
      record = store.load(key) { warnings.append($0) }
    }
    return (record, warnings)
  }

  @Test("a record is read back as it was saved")
  func roundTrip() throws {
    try withTemporaryFolder { folder in
      let store = TuningStore(folder: "\(folder)/new")
      #expect(store.isEmpty)
      #expect(store.load(Self.key) { Issue.record("\($0)") } == nil)
      try store.save(Self.record)
      #expect(!store.isEmpty)
      #expect(store.load(Self.key) { Issue.record("\($0)") } == Self.record)
    }
  }

  @Test(
    "a damaged record is ignored with one line that says what is wrong",
    arguments: [
      ("{\"format\": 1, \"devi", "line 1"), ("", "line 1"), ("[]", "format: must be"),
      ("{\"format\": 99}", "format: is 99, not 1"),
      (
        record.json.text().replacing("\"calls\":3", with: "\"calls\":0.5"),
        "entries.product 1.calls: must be a whole number"
      ),
      (
        record.json.text().replacing("\"TILE_M\":64", with: "\"TILE_M\":\"64\""),
        "entries.product 1.parameters: must be an object of whole numbers"
      ),
    ])
  func damaged(text: String, reason: String) throws {
    let (record, warnings) = try load(text)
    #expect(record == nil && warnings.count == 1)
    let line = warnings.first ?? ""
    #expect(line.contains(reason) && line.contains("run 'baron tune CONFIG' again"), "\(line)")
    #expect(line.contains(".json") && !line.contains("\n"))
  }

  @Test("a record of another driver, other kernels or another device is ignored with one line")
  func foreign() throws {
    let key = Self.key
    let others: [(key: TuningRecord.Key, reason: String)] = [
      (
        .init(
          device: key.device, platform: key.platform, driver: "1.3", family: .nvidia,
          source: "abc"), "driver 1.2, not 1.3"
      ),
      (
        .init(
          device: key.device, platform: key.platform, driver: "1.2", family: .nvidia,
          source: "abd"), "other kernels"
      ),
      (
        .init(
          device: "GPU 2", platform: key.platform, driver: "1.2", family: .nvidia,
          source: "abc"), "GPU of \"ours\" of a platform"
      ),
    ]
    for (other, reason) in others {
      let (record, warnings) = try load(Self.record.json.text(), key: other)
      #expect(record == nil && warnings.count == 1 && warnings[0].contains(reason), "\(warnings)")
    }
  }

  @Test("records of other devices and families lie in files of their own")
  func paths() {
    let store = TuningStore(folder: "/cache/tuning")
    let path = store.path(for: Self.key)
    #expect(path.hasPrefix("/cache/tuning/gpu-of--ours--") && path.hasSuffix(".json"))
    func other(_ device: String, _ platform: String, _ family: DeviceFamily) -> String {
      store.path(
        for: .init(device: device, platform: platform, driver: "2", family: family, source: "s"))
    }
    #expect(other(Self.key.device, Self.key.platform, .nvidia) == path)
    #expect(other(Self.key.device, Self.key.platform, .generic) != path)
    #expect(other(Self.key.device, "b", .nvidia) != path)
    #expect(other("GPU of 'ours'", Self.key.platform, .nvidia) != path)
  }

  @Test("the table holds what is accepted, and its digest follows the content")
  func table() {
    var record = Self.record
    let table = record.table
    #expect(table?.parameters == ["product 1": ["TILE_M": 64, "SPLITS": 2]])
    #expect(table?.digest.count == 12)
    record.entries["product 1"]?.parameters?["SPLITS"] = 3
    #expect(record.table?.digest != table?.digest)
    record.decide(["product 1", "unknown"], isAccepted: false)
    #expect(record.table == nil)
  }

  @Test("a comparison is won by more than a hundredth and the noise")
  func comparison() {
    func isWon(_ shipped: [Double], _ tuned: [Double]) -> Bool {
      TuningRecord.Comparison(shipped: shipped, tuned: tuned).isWon
    }
    #expect(isWon([1, 1, 1], [0.9, 0.9, 0.9]))
    #expect(!isWon([1, 1, 1], [0.995, 0.995, 0.995]))
    #expect(!isWon([1, 1, 1], [1.1, 1.1, 1.1]))
    #expect(!isWon([0.8, 1, 1.2], [0.9, 0.9, 0.9]))
    #expect(!isWon([1, 1, 1], [0.7, 0.9, 1.1]))
    #expect(!isWon([], []) && !isWon([1], [0]))
  }
}
