import ArgumentParser
import Formats
import Foundation
import OperatorChecks
import Tensors
import Workbench

/// `baron bench`: how fast the operators are on a device.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the speed of operators on a device.",
    discussion: """
      Prints one JSON object a line for each case. On a machine with other load compare processor \
      times (cpu_s) with one thread on each side; POCL_MAX_PTHREAD_COUNT=1 limits PoCL to one.
      """)

  @Option(help: "Names or shell patterns of cases, comma-separated.")
  var cases = "*"

  @Flag(help: "Print the names of the cases and stop.")
  var list = false

  @Option(name: .customLong("repeat"), help: "Samples of each case.")
  var samples = 7

  @Option(help: "Untimed calls before.")
  var warmup = 2

  @Option(name: .customLong("sample-s"), help: "Least seconds of a sample; short cases repeat.")
  var sampleSeconds = 0.05

  @Option(
    help: ArgumentHelp(
      "How activations are stored: float32, bfloat16, float16 or automatic."))
  var precision = Precision.float32

  @Option(help: "Also append the lines to this file.", completion: .file())
  var json: String?

  @OptionGroup var device: DeviceOption

  @Option(
    help: "Lines of another program; prints a table of both sides at the end.", completion: .file())
  var compare: String?

  func validate() throws {
    try OptionRange.check(
      ("--repeat", samples, 1...1_000_000), ("--warmup", warmup, 0...1_000_000))
    let names = BenchCase.all.map(\.name)
    for pattern in patterns where !names.contains(where: { fnmatch(pattern, $0, 0) == 0 }) {
      throw ValidationError("--cases \(pattern): no case matches; --list prints their names.")
    }
  }

  func run() throws {
    let settings = BenchSettings(
      patterns: patterns, samples: samples, warmup: warmup, sampleSeconds: sampleSeconds,
      path: json)
    if list {
      for item in BenchCase.matching(patterns, isGPU: true) { try Console.print(item.name) }
      return
    }
    let peer = try compare.map { try BenchComparison(contentsOf: $0) }
    let run = try runBench(settings, on: try device.makeStream(for: precision)) {
      try Console.print($0)
    }
    if let peer { try Console.print(peer.table(of: run.results)) }
    guard run.failed.isEmpty else { throw BenchError(failed: run.failed) }
  }

  private var patterns: [String] {
    cases.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }
}

extension Precision: ExpressibleByArgument {}
