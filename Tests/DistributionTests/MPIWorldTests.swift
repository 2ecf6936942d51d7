import Distribution
import Formats
import Foundation
import Synchronization
import TestSupport
import Testing

/// The exchanges of one rank, run by ``MPIWorldTests`` under `mpirun`.
@Suite(.enabled(if: MPIRun.isRank, "is run by MPIWorldTests as a rank")) struct MPIRankTests {
  @Test func exchangesDoWhatTheySay() throws {
    let world = try Launch.world()
    try #require(world is MPIWorld)
    try exchange(in: world)
    try sumBesides(in: world)
    try notes(in: world)
    try mixed(in: world)
    try world.close()
  }

  private func exchange(in world: any World) throws {
    let size = world.size
    #expect(world.node == NodePlace(rank: world.rank, size: size))
    var floats = (0..<600_000).map { Float($0 % 100 + world.rank) }
    try world.sum(&floats, Exchange("floats"), on: .gradients)
    let offset = size * (size - 1) / 2
    #expect(floats.indices.allSatisfy { floats[$0] == Float($0 % 100 * size + offset) })
    var doubles = [Double(world.rank), 0.5]
    try world.sum(&doubles, Exchange("doubles"))
    #expect(doubles == [Double(offset), 0.5 * Double(size)])
    var highest = [Double(world.rank), -Double(world.rank)]
    try world.highest(&highest, Exchange("highest"))
    #expect(highest == [Double(size - 1), 0])
    var bits: [UInt64] = [1 << UInt64(world.rank), 1 << 63]
    try world.union(&bits, Exchange("bits"))
    #expect(bits == [(1 << UInt64(size)) - 1, 1 << 63])
    let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
    #expect(try world.broadcast(world.rank == 0 ? large : [], Exchange("bytes")) == large)
    #expect(try world.broadcast([], Exchange("no bytes")).isEmpty)
    let all = try world.gathered(
      Array(repeating: UInt8(world.rank), count: world.rank * 100_000), Exchange("gathering"))
    #expect(all.map(\.count) == (world.rank == 0 ? (0..<size).map { $0 * 100_000 } : []))
    #expect(all.enumerated().allSatisfy { rank, bytes in bytes.allSatisfy { $0 == UInt8(rank) } })
    let others = try world.compared([world.rank == size - 1 ? 1 : 0], Exchange("digest"))
    #expect(others == [size - 1])
    try world.barrier(Exchange("barrier"))
  }

  private func sumBesides(in world: any World) throws {
    let row = try RankTimings(world).statistics(count: 4097, repeats: 50, beside: 1 << 22)
    #expect(row.isRight)
  }

  private func notes(in world: any World) throws {
    for number in 0..<3 {
      try world.post(Array("note \(number)".utf8))
      try world.barrier(Exchange("posted", number))
    }
    guard world.rank == 0 else { return }
    var heard: Set<Int> = []
    let end = MonotonicClock.seconds + 10
    while heard.count < world.size, MonotonicClock.seconds < end {
      for (rank, note) in try world.posted() {
        #expect(String(decoding: note, as: UTF8.self).hasPrefix("note "))
        heard.insert(rank)
      }
    }
    #expect(heard.count == world.size)
  }

  private func mixed(in world: any World) throws {
    let last = world.size - 1
    var values = [1.0, 2.0]
    let error = #expect(throws: WorldError.self) {
      try world.sum(&values, Exchange(world.rank == last ? "layer2.bn1" : "layer1.bn1"))
    }
    let text = error?.description ?? ""
    #expect(text.contains("'layer1.bn1', but rank \(last) at the sum of doubles"))
    // Another kind, another size: a library left alone would mix or hang.
    #expect(throws: WorldError.self) {
      if world.rank == last {
        _ = try world.broadcast([], Exchange("layer1.bn1"))
      } else {
        try world.sum(&values, Exchange("layer1.bn1"))
      }
    }
    var more = [Double](repeating: 1, count: world.rank == last ? 5000 : 2)
    #expect(throws: WorldError.self) { try world.sum(&more, Exchange("layer1.bn1")) }
    // Afterwards ranks are together again.
    try world.barrier(Exchange("together"))
  }
}

/// Ranks that MPI connects, where it is installed.
@Suite(.serialized) struct MPIWorldTests {
  @Test(
    .enabled(if: MPIRun.openMPI != nil, "no Open MPI is installed: apt-get install openmpi-bin"),
    arguments: [2, 3])
  func openMPI(ranks: Int) throws {
    let run = try MPIRun(#require(MPIRun.openMPI), ranks: ranks, filter: "MPIRankTests")
    #expect(run.status == 0, "\(run.text)")
    #expect(run.passes == ranks, "\(run.text)")
  }

  @Test(.enabled(if: MPIRun.mpich != nil, "no MPICH is installed: apt-get install mpich"))
  func mpich() throws {
    let run = try MPIRun(#require(MPIRun.mpich), ranks: 2, filter: "MPIRankTests")
    #expect(run.status == 0, "\(run.text)")
    #expect(run.passes == 2, "\(run.text)")
  }
}

/// Ranks of this test program, started by a launcher.
struct MPIRun {
  static let openMPI = launcher(["mpirun.openmpi", "mpirun"], says: "Open MPI")
  static let mpich = launcher(["mpirun.mpich", "mpirun"], says: "HYDRA")
  static let isRank = ProcessInfo.processInfo.environment["BARON_TEST_RANK"] != nil

  let status: Int32
  let text: String

  /// How many ranks passed their test.
  var passes: Int { text.ranges(of: "Test run with 1 test in 1 suite passed").count }

  init(_ launcher: String, ranks: Int, filter: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: launcher)
    var arguments = ["-n", "\(ranks)"]
    if launcher == Self.openMPI {
      arguments += ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
    }
    arguments += [CommandLine.arguments[0], "--testing-library", "swift-testing"]
    process.arguments = arguments + ["--filter", filter]
    var variables = ProcessInfo.processInfo.environment
    variables["BARON_TEST_RANK"] = "1"
    variables["BARON_MPI"] = nil
    process.environment = variables
    let folder = try TestSupport.TemporaryFolder()
    let path = "\(folder.path)/out"
    FileManager.default.createFile(atPath: path, contents: nil)
    let output = FileHandle(forWritingAtPath: path)
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    status = process.terminationStatus
    text = try String(contentsOfFile: path, encoding: .utf8)
  }

  /// The first of some programs that is of a kind.
  private static func launcher(_ names: [String], says word: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    for name in names {
      for folder in folders {
        let path = "\(folder)/\(name)"
        guard FileManager.default.isExecutableFile(atPath: path) else { continue }
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: path)
        process.arguments = ["--version"]
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { continue }
        let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if said.contains(word) { return path }
      }
    }
    return nil
  }
}
