import Formats
import Foundation
import OpenCL
import OperatorChecks
import Tensors

/// What was measured of one case; times are of one call.
package struct BenchResult {
  let name: String
  let medianSeconds, leastSeconds, mostSeconds: Double
  /// Processor time of all threads, median.
  let processorSeconds: Double
  /// Calls in one sample.
  let inner: Int
}

/// How to measure.
package struct BenchSettings {
  /// Names or shell patterns.
  let patterns: [String]
  /// Samples taken.
  let samples: Int
  /// Untimed calls before.
  let warmup: Int
  /// Least length of a sample; short cases repeat inside it.
  let sampleSeconds: Double
  /// Where to append the lines, or nil.
  let path: String?

  package init(
    patterns: [String], samples: Int, warmup: Int, sampleSeconds: Double, path: String?
  ) {
    self.patterns = patterns
    self.samples = samples
    self.warmup = warmup
    self.sampleSeconds = sampleSeconds
    self.path = path
  }
}

/// What a run of cases came to.
package struct BenchRun {
  /// What was measured, in order.
  package fileprivate(set) var results: [BenchResult] = []
  /// The cases that failed.
  package fileprivate(set) var failed: [String] = []
}

/// Measures the cases whose names match; one that fails costs a line with its error.
///
/// - Parameters:
///   - settings: What to measure and how.
///   - stream: Where to run.
///   - show: Gets one JSON line for each case.
/// - Returns: What was measured and what failed.
/// - Throws: An error of the file system, or what `show` throws.
package func runBench(
  _ settings: BenchSettings, on stream: ComputeStream, show: (String) throws -> Void
) throws -> BenchRun {
  var run = BenchRun()
  for item in BenchCase.matching(settings.patterns, isGPU: stream.device.isGPU) {
    let line: JSONValue
    do {
      let result = try measure(item, settings, on: stream)
      line = describe(result, of: item, settings, on: stream)
      run.results.append(result)
    } catch {
      let reason = TrialFault.line(error)
      line = [
        "case": .string(item.name), "error": .string(reason), "device": .string(stream.device.name),
      ]
      run.failed.append(item.name)
    }
    try show(line.text())
    if let path = settings.path { try append(line.text() + "\n", to: path) }
  }
  return run
}

/// Cases of a run that failed.
package struct BenchError: Error, CustomStringConvertible {
  /// Their names.
  package let failed: [String]

  /// Creates the error.
  ///
  /// - Parameter failed: The cases' names.
  package init(failed: [String]) { self.failed = failed }

  /// One line naming them.
  package var description: String {
    "bench: \(failed.joined(separator: ", ")) failed; the lines of these cases say why"
  }
}

private func measure(
  _ item: BenchCase, _ settings: BenchSettings, on stream: ComputeStream
) throws -> BenchResult {
  let call = try item.prepare(stream)
  func seconds(calls: Int) throws -> Double {
    let begin = MonotonicClock.seconds
    for _ in 0..<calls { try call() }
    try stream.queue.finish()
    return MonotonicClock.seconds - begin
  }
  _ = try seconds(calls: max(1, settings.warmup))
  let inner = max(1, min(1000, Int(settings.sampleSeconds / max(try seconds(calls: 1), 1e-7))))
  var wall: [Double] = []
  var processor: [Double] = []
  for _ in 0..<max(1, settings.samples) {
    let begin = processorSeconds()
    wall.append(try seconds(calls: inner) / Double(inner))
    processor.append((processorSeconds() - begin) / Double(inner))
  }
  wall.sort()
  processor.sort()
  return BenchResult(
    name: item.name, medianSeconds: wall[wall.count / 2], leastSeconds: wall[0],
    mostSeconds: wall[wall.count - 1], processorSeconds: processor[processor.count / 2],
    inner: inner)
}

/// Processor time of all threads of this process so far.
private func processorSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
}

private func append(_ line: String, to path: String) throws {
  if !FileManager.default.fileExists(atPath: path),
    !FileManager.default.createFile(atPath: path, contents: nil)
  {
    throw FormatError(path, "cannot be created; choose a folder that exists and may be written")
  }
  let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
  defer { try? file.close() }
  try file.seekToEnd()
  try file.write(contentsOf: Data(line.utf8))
}

private func describe(
  _ result: BenchResult, of item: BenchCase, _ settings: BenchSettings, on stream: ComputeStream
) -> JSONValue {
  var fields: [String: JSONValue] = [
    "case": .string(item.name), "median_s": .number(result.medianSeconds),
    "min_s": .number(result.leastSeconds), "max_s": .number(result.mostSeconds),
    "cpu_s": .number(result.processorSeconds), "repeat": .number(Double(settings.samples)),
    "inner": .number(Double(result.inner)), "device": .string(stream.device.name),
    "driver": .string(stream.device.driver),
    "matrix_kernel": .string(stream.matrix.kernelName),
    "tuning": stream.queue.context.tuning.map { .string($0.digest) } ?? .null,
    "threads": .number(Double(stream.device.computeUnits)),
    "activations": .string(stream.activationType.rawValue),
    "amp": .string(
      [.bfloat16: "bf16", .float16: "fp16"][stream.activationType] ?? "none"),
    "channels_last": true,
    "gflop": item.gflop.map { .number($0) } ?? .null,
    "bytes": item.bytes(with: stream.activationType).map { .number($0) } ?? .null,
    "shape": .object(
      Dictionary(
        item.shape.map { key, sizes in
          let numbers = sizes.map { JSONValue.number(Double($0)) }
          return (key, numbers.count == 1 ? numbers[0] : .array(numbers))
        }
      ) { $1 }),
  ]
  if let note = item.note { fields["note"] = .string(note) }
  if let gflop = item.gflop { fields["gflop_per_s"] = .number(gflop / result.medianSeconds) }
  if let bytes = item.bytes(with: stream.activationType) {
    fields["gbyte_per_s"] = .number(1e-9 * bytes / result.medianSeconds)
  }
  return .object(fields)
}
