import Annotations
import Evaluation
import Pictures

/// Detects on a validation set and scores the result by the open-vocabulary protocol
/// (spec evaluation 5.2).
public struct ValidationRun: Sendable {
  /// Images that are decoded, and where their sizes allow looked at, together.
  private static let imagesAtATime = 4

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
  ///   - split: The protocol; nil takes that of the configuration's classes.
  ///   - settings: Further choices of the scoring.
  ///   - progress: Gets the number of images done.
  ///   - warn: Gets one line per image that cannot be read; it counts as without detections.
  /// - Returns: The scores.
  /// - Throws: `EvaluationError` or `FormatError` when a file is bad; `OpenCLError`.
  public func run(
    _ detector: ObjectDetector, writingTo path: String, split: ClassSplit? = nil,
    settings: EvaluationSettings = EvaluationSettings(), progress: (Int) -> Void,
    warn: (String) -> Void
  ) throws -> EvaluationSummary {
    let folder = configuration.data.validationImages
    let records = annotations.images
    try DetectionResultsWriter.write(to: path) { writer in
      for first in stride(from: 0, to: records.count, by: Self.imagesAtATime) {
        let range = first..<min(first + Self.imagesAtATime, records.count)
        var read: [(id: Int, image: Image)] = []
        for (index, picture) in zip(
          range, ImageDecoder.decode(range.map { "\(folder)/\(records[$0].fileName)" }))
        {
          switch picture {
          case .success(let image): read.append((records[index].id, image))
          case .failure(let error as PictureError): warn("\(error)")
          case .failure(let error): throw error
          }
        }
        for (image, objects) in zip(read, try detector.detect(read.map(\.image))) {
          for object in objects {
            try writer.append(
              object.scoredBox(
                image: image.id, category: annotations.categories[object.label].id),
              mask: object.mask)
          }
        }
        progress(range.upperBound)
      }
    }
    var settings = settings
    settings.scoreThreshold = configuration.model.head.detections.scoreThreshold
    return try evaluate(
      annotations: configuration.data.validationAnnotations, detections: path,
      split: try split ?? ownSplit(), settings: settings)
  }

  /// The protocol of the configuration's classes.
  private func ownSplit() throws -> ClassSplit {
    let classSplit = configuration.data.classSplit
    if classSplit == RunConfiguration.Data.openVocabularyLVIS { return .frequency }
    let split = try TrainingData.split(
      classSplit: classSplit, of: annotations.categories, in: annotations.path)
    return .names(base: split.base, novel: split.novel)
  }
}

extension ObjectDetector.Found {
  /// The object as a results file has it.
  ///
  /// - Parameters:
  ///   - image: The image's id.
  ///   - category: The class's id.
  /// - Returns: The box as x, y, width and height.
  public func scoredBox(image: Int, category: Int) -> Evaluation.ScoredBox {
    Evaluation.ScoredBox(
      imageID: image, categoryID: category,
      box: BoxXYWH(
        x: Double(box.x1), y: Double(box.y1), width: Double(box.width), height: Double(box.height)),
      score: Double(score))
  }
}
