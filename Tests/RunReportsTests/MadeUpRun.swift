import Evaluation
import Formats
import Foundation
import Geometry
import Pictures
import TestSupport
import Testing

@testable import Training

/// The folder of a run that nobody trained: a few pictures, detections, scores and steps.
struct MadeUpRun {
  static let split = ClassSplit.names(base: ["cup", "fork"], novel: ["mug"])

  let scratch: Scratch
  let path: String
  var configuration = RunConfiguration()
  /// The scores by iterations.
  private(set) var summaries: [Int: EvaluationSummary] = [:]

  /// - Parameters:
  ///   - name: The run's name.
  ///   - scratch: Where it lies.
  ///   - evaluations: After how many iterations it was scored.
  ///   - steps: How many steps it has done.
  init(
    _ name: String, in scratch: Scratch, evaluations: [Int] = [5, 10], steps: Int = 10,
    rate: Double = 0.04
  ) throws {
    self.scratch = scratch
    path = "\(scratch.folder)/\(name)"
    let files = FileManager.default
    for folder in ["detections", "scores", "checkpoints"] {
      try files.createDirectory(atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
    }
    try drawPictures()
    configuration.training.iterations = max(1, steps)
    configuration.optimizer.rate = rate
    configuration.data.validationAnnotations = try scratch.write(Self.truth.text(), "truth.json")
    configuration.data.validationImages = scratch.folder
    configuration.data.classSplit = try scratch.write(
      #"{"base": ["cup", "fork"], "novel": ["mug"]}"#, "split.json")
    try write(configuration.yaml(), "config.yaml")
    let log = try MetricLog(path: "\(path)/metrics.jsonl", startingAt: 0)
    for iteration in 0..<steps { try log.append(Self.record(iteration)) }
    for iteration in evaluations {
      let file = "\(path)/detections/iteration-\(iteration).json"
      try DetectionResultsWriter.write(to: file) { writer in
        for found in Self.found(sureness: Double(iteration) / 20) { try writer.append(found) }
      }
      let summary = try evaluate(
        annotations: configuration.data.validationAnnotations, detections: file,
        split: Self.split, warn: { _ in })
      summaries[iteration] = summary
      try write(summary.json.text(), "scores/iteration-\(iteration).json")
      try log.append(evaluation: summary.json, of: iteration)
    }
  }

  /// What training says when it was scored.
  func validated(_ iteration: Int) throws -> TrainingEvent {
    .validated(.detection(try #require(summaries[iteration])), iteration: iteration)
  }

  private func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
  }

  static func record(_ iteration: Int) -> MetricRecord {
    MetricRecord(
      iteration: iteration,
      losses: ["loss_cls": 1 / Double(iteration + 1), "loss_bag": 2], measures: ["bags": 7],
      learningRate: 0.01 * Double(iteration), gradientNorm: 3, imagesPerSecond: 12,
      dataWaitShare: 0.125, memoryPeak: 5_000_000, seconds: 0.5)
  }

  private func drawPictures() throws {
    for number in 1...3 {
      var canvas = Canvas(Image(width: 300, height: 200, filledWith: Color(90, 100, 110)))
      canvas.fill(
        Box(x1: 10, y1: 10, x2: 60, y2: 60), color: Color(200, UInt8(60 * number), 40))
      try canvas.image.writePNG("\(scratch.folder)/\(number).png")
    }
  }

  private static func box(_ x: Double, _ y: Double) -> [JSONValue] {
    [.number(x), .number(y), 50, 50]
  }

  /// Picture 1 has a cup and a fork, picture 2 a mug, picture 3 nothing.
  private static var truth: JSONValue {
    let objects: [(Int, Int, Double, Double)] = [(1, 1, 10, 10), (1, 2, 120, 10), (2, 3, 10, 10)]
    return [
      "images": .array(
        (1...3).map { number in
          [
            "id": .number(Double(number)), "file_name": .string("\(number).png"), "width": 300,
            "height": 200,
          ]
        }),
      "categories": [
        ["id": 1, "name": "cup"], ["id": 2, "name": "fork"], ["id": 3, "name": "mug"],
      ],
      "annotations": .array(
        objects.enumerated().map { index, object in
          [
            "id": .number(Double(index + 1)), "image_id": .number(Double(object.0)),
            "category_id": .number(Double(object.1)), "bbox": .array(box(object.2, object.3)),
            "area": 2500, "iscrowd": 0,
          ]
        }),
    ]
  }

  /// The cup found, the fork taken for a mug, the mug found, something on nothing.
  private static func found(sureness: Double) -> [DetectionResult] {
    [
      (1, 1, 12.0, 10.0, sureness), (1, 3, 120.0, 12.0, 0.3), (2, 3, 10.0, 12.0, sureness / 2),
      (3, 1, 200.0, 100.0, 0.1),
    ].map {
      DetectionResult(
        imageID: $0.0, categoryID: $0.1, box: FileBox(x: $0.2, y: $0.3, width: 50, height: 50),
        score: $0.4)
    }
  }
}
