import CLIP
import Checkpoints
import Formats
import Foundation
import Layers
import OpenCL
import Tensors
import Training

/// A file of weights as the start of a configuration: what fits, how long it takes, how much memory.
struct StartTrial {
  private let report: WeightReport
  private let warning: String?
  private let seconds: Double
  private let before: Int
  private let after: Int
  private let model: Int

  /// Builds the configuration's models and loads the file and CLIP into them.
  init(file: String, config: String, overrides: [String], selection: DeviceOption) throws {
    let configuration = try RunConfiguration.load(config, overrides: overrides)
    let context = try selection.makeContext(isTuned: false)
    let (student, teacher) = (
      try ComputeStream(context: context), try ComputeStream(context: context)
    )
    // The driver's own start counts as no loading.
    _ = try Tensor(repeating: 0, shape: [1], on: student).floats()
    before = Self.peakBytes()
    let begun = MonotonicClock.seconds
    let start = try StartWeights(path: file)
    let clip = try CLIPWeights(folder: configuration.clip.folder)
    let loaded = try OpenVocabularyModel(
      configuration: configuration, clip: clip, stream: student
    ) { start.name(of: $0) != nil }
    report = try start.load(into: loaded.store)
    let images = ParameterStore(stream: teacher, seed: 0) { _ in true }
    _ = try ImageEncoder(clip, store: images)
    seconds = MonotonicClock.seconds - begun
    after = Self.peakBytes()
    model =
      4
      * (loaded.store.parameters + images.parameters).reduce(clip.configuration.textWeightCount) {
        $0 + $1.value.count
      }
    warning = start.warning(for: configuration.model)
  }

  /// For people: a line for each kind of finding, then what it cost.
  var text: String {
    func list(_ title: String, _ names: [String]) -> [String] {
      names.isEmpty ? [] : ["\(title): \(names.count)"] + names.map { "  \($0)" }
    }
    var lines = [report.summary]
    if let warning { lines.append("warning: \(warning)") }
    lines += list("missing", report.missing) + list("unused", report.unused)
    lines += list("reshaped", report.reshaped)
    lines.append(
      String(
        format: "loaded with CLIP in %.2f s; models %.0f MB, peak memory rose by %.0f MB", seconds,
        1e-6 * Double(model), 1e-6 * Double(after - before)))
    return lines.joined(separator: "\n")
  }

  /// The same for programs.
  var json: JSONValue {
    func list(_ names: [String]) -> JSONValue { .array(names.map { .string($0) }) }
    return .object([
      "file": .string(report.path), "names": .string(report.names),
      "loaded": list(report.matched), "missing": list(report.missing),
      "unused": list(report.unused), "reshaped": list(report.reshaped),
      "warning": warning.map { .string($0) } ?? .null, "seconds": .number(seconds),
      "model_bytes": .number(Double(model)), "peak_rise_bytes": .number(Double(after - before)),
    ])
  }

  /// The most memory that the process has held.
  private static func peakBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }
}
