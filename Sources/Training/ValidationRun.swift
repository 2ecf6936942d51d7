import Datasets
import Evaluation

/// Detects on a validation set and scores the result by the open-vocabulary protocol
/// (spec evaluation 5.2).
public struct ValidationRun: Sendable {
  private let annotations: COCOAnnotations
  private let configuration: RunConfiguration

  /// Reads the validation annotations.
  ///
  /// - Parameter configuration: The run's configuration.
  /// - Throws: `DatasetError` when the file is malformed.
  public init(_ configuration: RunConfiguration) throws {
    annotations = try COCOAnnotations(path: configuration.data.validationAnnotations)
    self.configuration = configuration
  }

  /// The names of all classes of the file: the vocabulary of the protocol.
  public var vocabulary: [String] { annotations.categories.map(\.name) }

  /// Number of images.
  public var imageCount: Int { annotations.images.count }

  /// Writes detections of every image as COCO results, then scores them.
  ///
  /// - Parameters:
  ///   - detector: Looks for ``vocabulary``.
  ///   - path: Where the results file goes.
  ///   - progress: Gets the number of images done.
  ///   - warn: Gets one line per image that cannot be read; it counts as without detections.
  /// - Returns: The scores.
  /// - Throws: `EvaluationError` or `FormatError` when a file is bad; `OpenCLError`.
  public func run(
    _ detector: ObjectDetector, writingTo path: String, progress: (Int) -> Void,
    warn: (String) -> Void
  ) throws -> EvaluationSummary {
    let folder = configuration.data.validationImages
    try DetectionResultsWriter.write(to: path) { writer in
      for (index, record) in annotations.images.enumerated() {
        do {
          let image = try ImageDecoder.decode(path: "\(folder)/\(record.fileName)")
          for object in try detector.detect([image])[0] {
            try writer.append(
              Evaluation.ScoredBox(
                imageID: record.id, categoryID: annotations.categories[object.label].id,
                box: BoxXYWH(
                  x: Double(object.box.x1), y: Double(object.box.y1),
                  width: Double(object.box.width), height: Double(object.box.height)),
                score: Double(object.score)))
          }
        } catch let error as DatasetError {
          warn("\(error)")
        }
        progress(index + 1)
      }
    }
    let split = try TrainingData.split(
      classSplit: configuration.data.classSplit, of: annotations.categories, in: annotations.path)
    return try evaluate(
      annotations: configuration.data.validationAnnotations, detections: path,
      split: .names(base: split.base, novel: split.novel))
  }
}
