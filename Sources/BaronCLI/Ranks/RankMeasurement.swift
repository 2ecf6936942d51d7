import Distribution
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors

/// How fast ranks exchange, and how fast each reads from its device and writes to it.
struct RankMeasurement {
  /// How many ranks there are.
  let ranks: Int
  /// Whether all sums were right.
  private(set) var isRight = true
  /// What was timed.
  private(set) var table = TerminalTable([
    .text("exchange"), .number("size"), .number("time"), .number("GB/s"), .text("sums"),
  ])
  /// The figures that the model needs.
  private(set) var speed = EfficiencyModel.Speed(sum: 0, copies: 0, statistics: 0)

  private static let bucket = 25 << 20

  /// Times all; every rank has to call it.
  ///
  /// - Parameters:
  ///   - world: The ranks.
  ///   - stream: This rank's device.
  ///   - largest: Bytes of the largest sum.
  ///   - channels: Channels of an exchange of statistics; 0 takes 256.
  /// - Throws: `WorldError`, `LaunchError` or `OpenCLError`.
  init(
    _ world: any World, stream: ComputeStream, largest: Int, channels: Int
  ) throws {
    ranks = world.size
    let timings = RankTimings(world)
    if world.size > 1 {
      try timeGradients(timings, largest: largest)
      let count = 2 * (channels > 0 ? channels : 256) + 1
      try timeStatistics(timings, count: count)
      try timeParts(world)
    }
    try timeDevice(world, stream)
    try timeExchange(world, stream, count: 2 * (channels > 0 ? channels : 256) + 1)
  }

  private mutating func timeGradients(_ timings: RankTimings, largest: Int) throws {
    var bytes = 1 << 10
    while bytes <= largest {
      add("gradients", try timings.gradients(bytes: bytes, repeats: bytes > 1 << 24 ? 3 : 11))
      bytes <<= 2
    }
    let row = try timings.gradients(bytes: min(Self.bucket, largest), repeats: 5)
    speed.sum = row.bytesPerSecond
    add("gradients, a bucket", row)
  }

  private mutating func timeStatistics(_ timings: RankTimings, count: Int) throws {
    add("statistics", try timings.statistics(count: 129, repeats: 101))
    add("statistics", try timings.statistics(count: count, repeats: 101))
    add(
      "statistics beside gradients",
      try timings.statistics(count: count, repeats: 101, beside: 1 << 24))
  }

  /// The same within each machine and between the first ranks of machines.
  private mutating func timeParts(_ world: any World) throws {
    guard let world = world as? MPIWorld else { return }
    var nodes = [world.node.rank == 0 ? 1.0 : 0]
    try world.sum(&nodes, Exchange("machines"))
    guard nodes[0] > 1 else { return }
    let first = try Self.firstOfMachine(world)
    let within = try world.part(first)
    let between = try world.part(world.node.rank == 0 ? 0 : 1)
    let bytes = Self.bucket
    let inner = try RankTimings(within).gradients(bytes: bytes, repeats: 5)
    if within.size > 1 { add("gradients within the machine of rank 0", inner) }
    // The ranks that are not the first of their machine have a part of their own.
    add("gradients between machines", try RankTimings(between).gradients(bytes: bytes, repeats: 5))
  }

  /// The lowest rank on this one's machine.
  private static func firstOfMachine(_ world: any World) throws -> Int {
    let hosts = try world.gathered(Array(world.host.utf8), Exchange("machines"))
    let firsts = hosts.map { host in UInt8(truncatingIfNeeded: hosts.firstIndex(of: host) ?? 0) }
    let all = try world.broadcast(firsts, Exchange("machines"))
    return all.indices.contains(world.rank) ? Int(all[world.rank]) : world.rank
  }

  /// Reads and writes of a bucket; the slowest rank counts.
  private mutating func timeDevice(_ world: any World, _ stream: ComputeStream) throws {
    let queue = stream.queue
    let buffer = try queue.allocate(bytes: Self.bucket, label: "gradients")
    let host = [UInt8](repeating: 0, count: Self.bucket)
    let write = try slowest(world, repeats: 5) {
      try host.withUnsafeBytes { try queue.write($0, to: buffer) }
      try queue.finish()
    }
    let read = try slowest(world, repeats: 5) {
      _ = try queue.readLater(buffer, bytes: Self.bucket).integers()
    }
    add("read from the device", bytes: Self.bucket, read)
    add("write to the device", bytes: Self.bucket, write)
    speed.copies = Double(Self.bucket) / max(read, write, 1e-9)
    let small = 16 << 10
    let waiting = try slowest(world, repeats: 101) {
      _ = try queue.readLater(buffer, bytes: small).integers()
    }
    add("a read that is waited for", bytes: small, waiting)
  }

  /// What stops the computation at a layer that normalises by batch: kernel, read, sum, write.
  private mutating func timeExchange(
    _ world: any World, _ stream: ComputeStream, count: Int
  ) throws {
    let buffer = try stream.queue.allocate(bytes: 8 * count, label: "statistics")
    var sums = [Double](repeating: 1, count: count)
    let exchange = Exchange("one exchange of statistics")
    let seconds = try slowest(world, repeats: 101) {
      try stream.queue.fill(buffer, pattern: 0)
      try sums.withUnsafeMutableBytes { try stream.queue.read(buffer, into: $0) }
      try world.sum(&sums, exchange)
      try sums.withUnsafeBytes { try stream.queue.write($0, to: buffer) }
    }
    try stream.queue.finish()
    speed.statistics = seconds
    add("statistics from device to device", bytes: 8 * count, seconds)
  }

  /// The median time of the slowest rank.
  private func slowest(
    _ world: any World, repeats: Int, _ body: () throws -> Void
  ) throws -> Double {
    try body()
    var times: [Double] = []
    for _ in 0..<repeats {
      let began = MonotonicClock.seconds
      try body()
      times.append(MonotonicClock.seconds - began)
    }
    try world.highest(&times, Exchange("times of the device"))
    return times.sorted()[times.count / 2]
  }

  private mutating func add(_ name: String, _ row: RankTimings.Row) {
    isRight = isRight && row.isRight
    add(name, bytes: row.bytes, row.seconds, row.isRight ? "right" : "WRONG")
  }

  private mutating func add(
    _ name: String, bytes: Int, _ seconds: Double, _ sums: String = "-"
  ) {
    table.add([
      name, bytes < 1 << 20 ? "\(bytes >> 10) KiB" : "\(bytes >> 20) MiB",
      String(
        format: seconds < 1e-3 ? "%.1f us" : "%.2f ms", seconds * (seconds < 1e-3 ? 1e6 : 1e3)),
      String(format: "%.2f", Double(bytes) / max(seconds, 1e-9) / 1e9), sums,
    ])
  }
}
