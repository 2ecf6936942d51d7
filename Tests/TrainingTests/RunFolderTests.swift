import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("Run folder")
struct RunFolderTests {
  private func text(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  private func files(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  private func run(in scratch: Scratch) throws -> RunFolder {
    try RunFolder.create(at: "\(scratch.folder)/runs/a", yaml: RunConfiguration().yaml())
  }

  private func write(_ iteration: Int, in run: RunFolder) throws {
    try run.checkpoints.write(iteration: iteration) { folder in
      try AtomicFile.write(Data("weights \(iteration)".utf8), to: "\(folder)/model.safetensors")
      try AtomicFile.write(Data("{}".utf8), to: "\(folder)/state.json")
    }
  }

  /// The newest checkpoint's iteration and the warnings without the folder's path.
  private func latest(_ run: RunFolder) -> (Int?, [String]) {
    var warnings: [String] = []
    let found = run.checkpoints.latest { warnings.append($0) }
    return (
      found?.iteration,
      warnings.map { $0.replacingOccurrences(of: run.checkpoints.path + "/", with: "") }
    )
  }

  @Test func namesLieBelowRuns() {
    #expect(RunFolder.path(for: "first") == "runs/first")
    #expect(RunFolder.path(for: "/tmp/first") == "/tmp/first")
    #expect(RunFolder.path(for: "./first") == "./first")
  }

  @Test func newRunHoldsItsConfiguration() throws {
    let scratch = try Scratch()
    var configuration = RunConfiguration()
    configuration.training.seed = 42
    let run = try RunFolder.create(at: "\(scratch.folder)/runs/a", yaml: configuration.yaml())
    #expect(try files(run.path) == ["checkpoints", "config.yaml", "detections", "lock"])
    #expect(try RunFolder.configuration(of: run.path) == configuration)
    #expect(try text(run.configurationPath) == configuration.yaml())
  }

  @Test func existingRunIsNeverOverwritten() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    do { try write(20, in: RunFolder.create(at: path, yaml: RunConfiguration().yaml())) }
    let before = try text("\(path)/config.yaml")
    var other = RunConfiguration()
    other.training.seed = 1
    let error = #expect(throws: RunFolderError.self) {
      try RunFolder.create(at: path, yaml: other.yaml())
    }
    #expect(
      "\(try #require(error))" == "\(path): this run exists already; go on with it by --resume or "
        + "choose another name")
    #expect(try text("\(path)/config.yaml") == before)
  }

  @Test func resumingNeedsARun() throws {
    let scratch = try Scratch()
    let error = #expect(throws: RunFolderError.self) { try RunFolder.resume(at: scratch.folder) }
    #expect(
      "\(try #require(error))" == "\(scratch.folder): there is no run here (no config.yaml); check "
        + "the name, or start it with a configuration")
    #expect(throws: RunFolderError.missing(path: scratch.folder)) {
      try RunFolder.configuration(of: scratch.folder)
    }
    #expect(try files(scratch.folder).isEmpty)
  }

  @Test func twoTrainersDoNotShareARun() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    do {
      let run = try run(in: scratch)
      let error = #expect(throws: RunFolderError.self) { try RunFolder.resume(at: path) }
      let host = Machine.name
      #expect(
        "\(try #require(error))" == "\(path): process \(getpid()) on \(host) is training in this "
          + "run; wait for it, stop it or choose another name")
      #expect(run.path == path)
    }
    // The lock goes with its holder.
    _ = try RunFolder.resume(at: path)
    _ = try RunFolder.resume(at: path)
  }

  @Test func folderThatCannotBeMade() throws {
    let scratch = try Scratch()
    let file = try scratch.write("", "file")
    #expect(
      throws: RunFolderError.system(
        path: file, reason: "the folder cannot be made; choose a writable place")
    ) { try RunFolder.create(at: "\(file)/a", yaml: RunConfiguration().yaml()) }
  }

  @Test func newestCheckpointIsFound() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    #expect(latest(run) == (nil, []))
    for iteration in [60, 20, 1_000_000] { try write(iteration, in: run) }
    #expect(
      try files(run.checkpoints.path) == [
        "iteration-000020", "iteration-000060", "iteration-1000000",
      ])
    #expect(latest(run) == (1_000_000, []))
    #expect(run.checkpoints.all { _ in }.map(\.iteration) == [20, 60, 1_000_000])
  }

  @Test func brokenCheckpointsAreSkipped() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    for iteration in [20, 40, 60, 80] { try write(iteration, in: run) }
    let folder = run.checkpoints.path
    try FileManager.default.removeItem(atPath: "\(folder)/iteration-000040/state.json")
    try Data("short".utf8).write(
      to: URL(filePath: "\(folder)/iteration-000060/model.safetensors"))
    try FileManager.default.removeItem(atPath: "\(folder)/iteration-000080/files.json")
    try FileManager.default.createDirectory(
      atPath: "\(folder)/iteration-best", withIntermediateDirectories: true)
    #expect(
      latest(run) == (
        20,
        [
          "iteration-000080: skipped, because its list of files is missing or damaged",
          "iteration-000060: skipped, because model.safetensors has 5 bytes instead of 10",
          "iteration-000040: skipped, because state.json is missing",
        ]
      ))
    // A broken one is replaced when the run comes by again.
    try write(60, in: run)
    #expect(latest(run).0 == 60)
  }

  @Test func failedWriteLeavesNothing() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    try write(20, in: run)
    #expect(throws: FormatError("x", "full")) {
      try run.checkpoints.write(iteration: 20) { folder in
        try AtomicFile.write(Data("half".utf8), to: "\(folder)/model.safetensors")
        throw FormatError("x", "full")
      }
    }
    #expect(try files(run.checkpoints.path) == ["iteration-000020"])
    #expect(latest(run) == (20, []))
  }

  @Test func interruptedWriteIsRemovedOnResuming() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    do {
      let run = try run(in: scratch)
      try write(20, in: run)
      try FileManager.default.createDirectory(
        atPath: "\(run.checkpoints.path)/.partial-iteration-000040",
        withIntermediateDirectories: true)
      #expect(latest(run) == (20, []))
    }
    let run = try RunFolder.resume(at: path)
    #expect(try files(run.checkpoints.path) == ["iteration-000020"])
  }

  @Test func flippedBitsAreFound() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    for iteration in [20, 40] { try write(iteration, in: run) }
    let file = "\(run.checkpoints.path)/iteration-000040/model.safetensors"
    var bytes = try Data(contentsOf: URL(filePath: file))
    bytes[3] ^= 16
    try bytes.write(to: URL(filePath: file))
    let reason = "iteration-000040: skipped, because model.safetensors is damaged: its checksum is "
    #expect(latest(run) == (20, [reason + "another"]))
    // Who reads another file alone is not kept from it.
    #expect(run.checkpoints.latest(comparing: ["state.json"]) { _ in }?.iteration == 40)
  }

  @Test func listsOfSizesAloneAreRead() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    try write(20, in: run)
    let list = "\(run.checkpoints.path)/iteration-000020/files.json"
    try Data(#"{"model.safetensors": 10, "state.json": 2}"#.utf8).write(to: URL(filePath: list))
    #expect(latest(run) == (20, []))
    try Data(#"{"model.safetensors": 11, "state.json": 2}"#.utf8).write(to: URL(filePath: list))
    #expect(latest(run).0 == nil)
    // A list without files vouches for none.
    try Data("{}".utf8).write(to: URL(filePath: list))
    #expect(latest(run).0 == nil)
  }

  @Test("what was whole before the last renaming is adopted", arguments: [".partial-", ".old-"])
  func adopted(prefix: String) throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    let whole = "\(path)/checkpoints/iteration-000040"
    do {
      let run = try run(in: scratch)
      for iteration in [20, 40] { try write(iteration, in: run) }
      try FileManager.default.moveItem(
        atPath: whole, toPath: "\(path)/checkpoints/\(prefix)iteration-000040")
    }
    var notes: [String] = []
    do {
      let run = try RunFolder.resume(at: path) { notes.append($0) }
      #expect(notes == ["\(whole): had been written, but not renamed"])
      #expect(latest(run) == (40, []))
      #expect(try files(run.checkpoints.path) == ["iteration-000020", "iteration-000040"])
    }
    // A damaged one is not, nor one that had made way for a newer one.
    try FileManager.default.moveItem(
      atPath: "\(path)/checkpoints/iteration-000020",
      toPath: "\(path)/checkpoints/\(prefix)iteration-000020")
    try FileManager.default.copyItem(
      atPath: whole, toPath: "\(path)/checkpoints/\(prefix)iteration-000060")
    try Data("short".utf8).write(
      to: URL(
        filePath: "\(path)/checkpoints/\(prefix)iteration-000060/model.safetensors"))
    let run = try RunFolder.resume(at: path) { _ in Issue.record("nothing is to be adopted") }
    #expect(try files(run.checkpoints.path) == ["iteration-000040"])
  }

  @Test func theOldFolderOutlivesAFailedReplacement() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    try write(20, in: run)
    let whole = "\(run.checkpoints.path)/iteration-000020"
    let error = #expect(throws: RunFolderError.self) {
      try WholeFolder.replace(whole, by: "\(scratch.folder)/none", aside: "\(scratch.folder)/old")
    }
    #expect(
      "\(try #require(error))" == "\(whole): cannot be renamed: No such file or directory")
    #expect(latest(run) == (20, []))
    #expect(!FileManager.default.fileExists(atPath: "\(scratch.folder)/old"))
  }

  @Test func oldCheckpointsAreRemoved() throws {
    let scratch = try Scratch()
    let run = try run(in: scratch)
    for iteration in [20, 40, 60, 80] { try write(iteration, in: run) }
    try FileManager.default.removeItem(
      atPath: "\(run.checkpoints.path)/iteration-000080/state.json")
    try run.checkpoints.prune(keeping: 2)
    // The broken one does not count: the newest whole ones stay.
    #expect(
      try files(run.checkpoints.path) == [
        "iteration-000040", "iteration-000060", "iteration-000080",
      ])
    try run.checkpoints.prune(keeping: 5)
    #expect(run.checkpoints.all { _ in }.map(\.iteration) == [40, 60])
    try write(100, in: run)
    try run.checkpoints.prune(keeping: 1, and: 40)
    #expect(run.checkpoints.all { _ in }.map(\.iteration) == [40, 100])
  }

  @Test func aRunThatSavedNothingStartsAnew() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    do { _ = try run(in: scratch) }
    try Data("{}\n".utf8).write(to: URL(filePath: "\(path)/metrics.jsonl"))
    var other = RunConfiguration()
    other.training.seed = 1
    do {
      let again = try RunFolder.create(at: path, yaml: other.yaml())
      #expect(again.isNew)
      #expect(try RunFolder.configuration(of: path) == other)
      // Not while it is trained in.
      #expect(throws: RunFolderError.self) {
        try RunFolder.create(at: path, yaml: RunConfiguration().yaml())
      }
      try write(20, in: again)
    }
    #expect(throws: RunFolderError.exists(path: path)) {
      try RunFolder.create(at: path, yaml: other.yaml())
    }
  }

  @Test func aFolderThatIsNoRunIsLeftAlone() throws {
    let scratch = try Scratch()
    let path = "\(scratch.folder)/runs/a"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: URL(filePath: "\(path)/config.yaml"))
    #expect(throws: RunFolderError.exists(path: path)) {
      try RunFolder.create(at: path, yaml: RunConfiguration().yaml())
    }
    let other = "\(scratch.folder)/other"
    for place in ["\(other)/notes.txt", other] {
      try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: true)
      try Data("mine".utf8).write(to: URL(filePath: "\(other)/notes.txt"))
      #expect(throws: RunFolderError.occupied(path: place)) {
        try RunFolder.create(at: place, yaml: RunConfiguration().yaml())
      }
    }
    #expect(try text("\(path)/config.yaml") == "mine")
    #expect(try files("\(scratch.folder)/runs") == ["a"])
  }

  @Test func whatAKilledStartLeftIsRemoved() throws {
    let scratch = try Scratch()
    let left = "\(scratch.folder)/runs/.a.\(Machine.namePart)-1a2b3c4d.partial"
    try FileManager.default.createDirectory(
      atPath: left + "/checkpoints", withIntermediateDirectories: true)
    let run = try run(in: scratch)
    #expect(try files("\(scratch.folder)/runs") == ["a"])
    #expect(try files(run.path) == ["checkpoints", "config.yaml", "detections", "lock"])
  }

  @Test func errorTexts() {
    #expect(
      "\(RunFolderError.locked(path: "runs/a", holder: ""))" == "runs/a: another process is "
        + "training in this run; wait for it, stop it or choose another name")
    #expect(
      "\(RunFolderError.noCheckpoint(path: "runs/a"))" == "runs/a: this run has no whole "
        + "checkpoint yet; train it on with --resume")
  }
}
