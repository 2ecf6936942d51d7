import Annotations
import DemoWorld
import Evaluation
import Formats
import Foundation
import Geometry
import Training

/// One of the detectors that a demo compares.
struct DemoVariant {
  /// What it reached.
  struct Score {
    let base: Double
    let novel: Double
    let classes: [EvaluationSummary.ClassResult]
    /// Which of two names it gave the shapes that have two, where the world has such.
    let names: NameChoice?
    /// Mean AP50 of novel classes whose shape has one name, where others have two.
    let controls: Double?

    /// - Parameters:
    ///   - summary: An evaluation by base and novel classes.
    ///   - kind: The world.
    ///   - names: Which of two names it gave.
    init(_ summary: EvaluationSummary, kind: WorldKind, names: NameChoice?) {
      func percent(_ group: String) -> Double {
        100 * (summary.group(group)?["AP50"] ?? 0)
      }
      base = percent("base")
      novel = percent("novel")
      classes = summary.classes
      self.names = names
      let single = Set(kind.novel.filter { $0.ground == nil }.map(\.name))
      let values = classes.filter { single.contains($0.name) }.compactMap(\.averagePrecision50)
      controls =
        names == nil || values.isEmpty ? nil : 100 * values.reduce(0, +) / Double(values.count)
    }
  }

  /// What the table calls it: the configuration's name without `demo-`.
  let name: String
  /// The run's folder.
  let run: String
  let configuration: RunConfiguration
  private let kind: WorldKind

  /// - Parameters:
  ///   - config: A preset or a file.
  ///   - given: What the table calls it; nil for the configuration's name.
  ///   - overrides: Texts `section.key=value` for this one.
  ///   - demo: The demo.
  ///   - folder: The demo's folder.
  /// - Throws: `ConfigurationError` when the configuration is wrong.
  init(
    _ config: String, name given: String? = nil, overrides: [String] = [], demo: DemoConfiguration,
    folder: DemoFolder
  ) throws {
    let stem = URL(filePath: config).deletingPathExtension().lastPathComponent
    name = given ?? (stem.hasPrefix("demo-") ? String(stem.dropFirst(5)) : stem)
    run = folder.student(name)
    configuration = try folder.studentConfiguration(config, demo, overrides: overrides)
    kind = demo.world.drawnKind
  }

  /// How the detector learns, in a few words.
  var teaching: String {
    switch configuration.alignment.kind {
    case .none where configuration.regionCrops.enabled:
      configuration.regionCrops.cropScale == 1
        ? "and crops of regions, one by one, against the teacher"
        : "and enlarged crops of regions, one by one, against the teacher"
    case .none: "boxes of base classes only"
    case .regions: "and tokens of each region against patches of the teacher's crop"
    case .bags: "and bags of neighbouring regions against the teacher, single regions beside"
    }
  }

  /// Its detections after the last iteration, COCO results.
  var detections: String {
    "\(run)/detections/iteration-\(configuration.training.iterations).json"
  }

  /// From which scores on `baron detect` shows what it finds; nil before its last evaluation.
  var thresholds: RunThresholds? {
    let path = "\(run)/scores/iteration-\(configuration.training.iterations).json"
    return (try? JSONValue(contentsOf: path)).flatMap { RunThresholds($0, source: path) }
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
  /// - Throws: `EvaluationError` or what `detect` throws.
  func score(detect: () throws -> Void) throws -> Score {
    if !FileManager.default.fileExists(atPath: detections) { try detect() }
    let annotations = configuration.data.validationAnnotations
    return Score(
      try evaluate(
        annotations: annotations, detections: detections,
        split: .names(base: kind.base.map(\.name), novel: kind.novel.map(\.name)),
        warn: Console.warn),
      kind: kind,
      names: try nameChoice(annotations))
  }

  /// Which of two names it gave the objects of the evaluation scenes, where shapes have two.
  private func nameChoice(_ annotations: String) throws -> NameChoice? {
    let truth = try COCOAnnotations(path: annotations)
    let names = Dictionary(
      truth.categories.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    return NameChoice(
      kind: kind,
      objects: truth.images.flatMap { record in
        record.objects.map {
          .init(image: record.id, name: truth.categories[$0.label].name, box: $0.box)
        }
      },
      findings: try DetectionResults(contentsOf: detections).boxes.map {
        .init(
          image: $0.imageID, name: names[$0.categoryID] ?? "", box: Box($0.box), score: $0.score)
      })
  }
}
