import Formats
import Foundation
import OpenCL
import Pictures
import TestSupport

@testable import Training

/// A few invented pictures on disk and the narrow detector that trains on them.
struct TrainingWorld {
  /// Whether the tiny CLIP is there.
  static let available = FileManager.default.fileExists(atPath: clipFolder + "/config.json")
  static let missing: String = "clip_tiny/hf is missing from the fixtures: set BARON_FIXTURES"
  static var clipFolder: String { Fixture.folder + "/clip_tiny/hf" }

  static let names = ["apple", "bear", "cat", "tie"]
  static let base = ["apple", "bear", "tie"]

  let scratch: Scratch
  var configuration: RunConfiguration

  /// Writes the pictures, their annotations and the split.
  ///
  /// - Parameters:
  ///   - images: How many pictures.
  ///   - sizes: Their sizes in turn.
  /// - Throws: `DatasetError` when the folder cannot be written.
  init(images: Int = 8, sizes: [(Int, Int)] = [(96, 96), (80, 112), (128, 72)]) throws {
    scratch = try Scratch()
    let colors = [
      Color(220, 40, 40), Color(40, 200, 60), Color(60, 80, 230), Color(230, 220, 60),
    ]
    var records: [JSONValue] = []
    var annotations: [JSONValue] = []
    for index in 0..<images {
      let (width, height) = sizes[index % sizes.count]
      var image = Image(width: width, height: height, filledWith: Color(120, 120, 120))
      for place in 0..<2 {
        let label = (index + place) % Self.names.count
        let (side, x) = (width / 3 + index % 5, 4 + place * width / 2)
        let y = 6 + (index * 7) % (height / 3)
        for row in y..<min(height, y + side) {
          for column in x..<min(width, x + side) {
            let color = colors[label]
            image.bytes.replaceSubrange(
              3 * (row * width + column)..<3 * (row * width + column + 1),
              with: [color.red, color.green, color.blue])
          }
        }
        guard Self.base.contains(Self.names[label]) else { continue }
        annotations.append(
          Self.annotation(
            id: annotations.count + 1, image: index + 1, label: label,
            box: [x, y, min(width, x + side) - x, min(height, y + side) - y].map(Double.init)))
      }
      try image.writePNG("\(scratch.folder)/\(index).png")
      records.append([
        "id": .number(Double(index + 1)), "file_name": .string("\(index).png"),
        "width": .number(Double(width)), "height": .number(Double(height)),
      ])
    }
    let document: JSONValue = [
      "images": .array(records), "annotations": .array(annotations),
      "categories": .array(
        Self.names.enumerated().map { ["id": .number(Double($0 + 1)), "name": .string($1)] }),
    ]
    let annotationPath = try scratch.write(document.text(), "train.json")
    let captionPath = try scratch.write(Self.captions(of: records).text(), "captions.json")
    let split = try scratch.write(
      #"{"base": ["apple", "bear", "tie"], "novel": ["cat"]}"#, "split.json")
    configuration = Self.narrow()
    configuration.clip.folder = Self.clipFolder
    configuration.data.trainAnnotations = annotationPath
    configuration.data.trainImages = scratch.folder
    configuration.data.alignmentAnnotations = annotationPath
    configuration.data.alignmentImages = scratch.folder
    configuration.data.captionAnnotations = captionPath
    configuration.data.captionImages = scratch.folder
    configuration.data.validationAnnotations = annotationPath
    configuration.data.validationImages = scratch.folder
    configuration.data.classSplit = split
  }

  /// One to three captions of each picture but every fourth, in COCO's layout.
  private static func captions(of records: [JSONValue]) -> JSONValue {
    var annotations: [JSONValue] = []
    for (index, record) in records.enumerated() where index % 4 != 3 {
      let (first, second) = (names[index % names.count], names[(index + 1) % names.count])
      let texts = ["a \(first) and a \(second)", "two things", "a \(second) on grey"]
      for text in texts.prefix(1 + index % 3) {
        annotations.append([
          "id": .number(Double(annotations.count + 1)), "image_id": record["id"] ?? 0,
          "caption": .string(text),
        ])
      }
    }
    return ["images": .array(records), "annotations": .array(annotations)]
  }

  /// Turns captions on.
  ///
  /// - Parameter alone: Whether they are the only teacher, of a head as in the published setting, or
  ///   teach beside CLIP's image encoder.
  mutating func teachByCaptions(alone: Bool) {
    configuration.captions.enabled = true
    guard alone else { return }
    configuration.alignment.kind = .none
    configuration.model.rpn.detached = false
    configuration.model.rpn.anchorStrides = [16]
    configuration.model.rpn.anchorSizes = [16, 32, 64]
    configuration.model.head.kind = .c4
    configuration.model.head.activation = .sigmoid
    configuration.model.head.background = .zero
    configuration.model.head.backgroundWeight = 0
    configuration.model.head.temperatureTrain = 25
    configuration.model.head.temperatureTest = 25
  }

  static func annotation(id: Int, image: Int, label: Int, box: [Double]) -> JSONValue {
    [
      "id": .number(Double(id)), "image_id": .number(Double(image)),
      "category_id": .number(Double(label + 1)), "bbox": .array(box.map { .number($0) }),
      "area": .number(box[2] * box[3]), "iscrowd": 0,
      // The lower left half of the box.
      "segmentation": [
        .array(
          [
            box[0], box[1], box[0], box[1] + box[3], box[0] + box[2], box[1] + box[3],
          ].map { .number($0) })
      ],
    ]
  }

  /// The smallest detector that has every part of the published one.
  private static func narrow() -> RunConfiguration {
    var run = RunConfiguration()
    run.model.backbone.stemWidth = 8
    run.model.backbone.stageWidths = [4, 4, 8, 8]
    run.model.backbone.blocks = [1, 1, 1, 1]
    run.model.neck.channels = 16
    run.model.rpn.preNMSTrain = 60
    run.model.rpn.preNMSTest = 60
    run.model.rpn.postNMSTrain = 40
    run.model.rpn.postNMSTest = 40
    run.model.rpn.batchSize = 32
    run.model.rpn.anchorSizes = [16, 32, 64, 128, 256]
    run.model.head.convolutions = 1
    run.model.head.fcWidth = 32
    run.model.head.norm = .none
    run.model.head.words = 2
    run.model.head.sampling.rois = 16
    run.data.longSide = 128
    run.data.shortSides = [64, 80, 96]
    run.data.testShortSide = 64
    run.data.threads = 1
    run.alignment.filter.topCount = 10
    run.alignment.filter.objectness = 0.3
    run.alignment.bagQueueLength = 24
    run.alignment.regionQueueLength = 40
    run.alignment.occurrenceLimit = 40
    run.alignment.cache.firstCall = 3
    run.alignment.cache.capacity = 12
    run.captions.filter.topCount = 10
    run.captions.filter.objectness = 0.3
    run.captions.regionLimit = 3
    run.captions.sentenceQueueLength = 20
    run.captions.captionQueueLength = 12
    run.optimizer.rate = 0.02
    run.optimizer.referenceBatch = 0
    run.optimizer.warmupIterations = 2
    run.optimizer.warmupFactor = 0.1
    run.optimizer.milestones = [5]
    run.optimizer.gradientLimit.kind = .norm
    run.training.iterations = 6
    run.training.checkpointEvery = 3
    run.training.evaluateEvery = 0
    return run
  }

  /// The folder of a run by its name.
  func path(_ run: String) -> String { "\(scratch.folder)/\(run)" }

  /// A trainer of a new run, or of one that goes on.
  func trainer(
    _ run: String, on context: Context, resumes: Bool = false,
    onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingLoop<DetectorTraining> {
    let folder =
      resumes
      ? try RunFolder.resume(at: path(run))
      : try RunFolder.create(at: path(run), yaml: configuration.yaml())
    return try TrainingLoop(
      configuration: configuration, run: folder, context: context, onEvent: onEvent)
  }

  /// The file of a checkpoint.
  func checkpoint(_ run: String, _ iteration: Int) -> String {
    path(run) + "/checkpoints/iteration-" + String("00000\(iteration)".suffix(6))
  }

  /// What a run's log holds apart from timings.
  func records(_ run: String) throws -> [MetricRecord] {
    try MetricLog.records(in: path(run) + "/metrics.jsonl").map(\.withoutTimings)
  }
}

extension MetricRecord {
  /// The record with everything 0 that two equal runs need not share: timings and memory.
  var withoutTimings: MetricRecord {
    var copy = self
    copy.imagesPerSecond = 0
    copy.dataWaitShare = 0
    copy.memoryPeak = 0
    copy.seconds = 0
    return copy
  }
}

/// The one line that an error describes itself with.
func line(of error: any Error) -> String { "\(error)" }
