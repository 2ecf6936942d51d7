import DemoWorld
import Evaluation
import Formats
import Foundation
import Training

/// One of the detectors that a demo compares.
struct DemoVariant {
  /// What it reached.
  struct Score {
    let base: Double
    let novel: Double
    let classes: [EvaluationSummary.ClassResult]

    /// - Parameter summary: An evaluation by base and novel classes.
    init(_ summary: EvaluationSummary) {
      func percent(_ group: String) -> Double {
        100 * (summary.group(group)?["AP50"] ?? 0)
      }
      base = percent("base")
      novel = percent("novel")
      classes = summary.classes
    }
  }

  /// What the table calls it: the configuration's name without `demo-`.
  let name: String
  /// The run's folder.
  let run: String
  let configuration: RunConfiguration

  /// - Parameters:
  ///   - config: A preset or a file.
  ///   - demo: The demo.
  ///   - folder: The demo's folder.
  /// - Throws: `ConfigurationError` when the configuration is wrong.
  init(_ config: String, demo: DemoConfiguration, folder: DemoFolder) throws {
    let stem = URL(filePath: config).deletingPathExtension().lastPathComponent
    name = stem.hasPrefix("demo-") ? String(stem.dropFirst(5)) : stem
    run = folder.student(name)
    configuration = try folder.studentConfiguration(config, demo)
  }

  /// How the detector learns, in a few words.
  var teaching: String {
    switch configuration.alignment.kind {
    case .none where configuration.regionCrops.enabled:
      "and crops of regions, one by one, against the teacher"
    case .none: "boxes of base classes only"
    case .regions: "and tokens of each region against patches of the teacher's crop"
    case .bags: "and bags of neighbouring regions against the teacher, single regions beside"
    }
  }

  /// Its detections after the last iteration, COCO results.
  var detections: String {
    "\(run)/detections/iteration-\(configuration.training.iterations).json"
  }

  /// Whether training has reached its last iteration.
  var isTrained: Bool {
    CheckpointFolders(path: "\(run)/checkpoints").latest { _ in }?.iteration
      == configuration.training.iterations
  }

  /// The records of its training so far.
  var records: [MetricRecord] {
    (try? MetricLog.records(in: "\(run)/metrics.jsonl")) ?? []
  }

  /// Seconds of its training.
  var seconds: Double { records.reduce(0) { $0 + $1.seconds } }

  /// Scores the detections of the last iteration; makes them when the run was interrupted before.
  ///
  /// - Parameter detect: Detects on the evaluation scenes.
  /// - Returns: The score.
  /// - Throws: `EvaluationError` or what `detect` throws.
  func score(detect: () throws -> Void) throws -> Score {
    if !FileManager.default.fileExists(atPath: detections) { try detect() }
    return Score(
      try evaluate(
        annotations: configuration.data.validationAnnotations, detections: detections,
        split: .names(base: Glyph.base.map(\.rawValue), novel: Glyph.novel.map(\.rawValue)),
        warn: Console.warn))
  }
}
