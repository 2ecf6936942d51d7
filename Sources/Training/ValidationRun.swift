import Annotations
import Evaluation
import Pictures

/// Detects on a validation set and scores the result by the open-vocabulary protocol
/// (spec evaluation 5.2).
public struct ValidationRun: Sendable {
  /// Images that are decoded, and where their sizes allow looked at, together.
  private static let imagesAtATime = 4

  private let annotations: AnnotationIndex
  private let truth: GroundTruth
  private let configuration: RunConfiguration

  /// Reads the validation annotations.
  ///
  /// - Parameter configuration: The run's configuration.
  /// - Throws: `DatasetError` when the file is malformed.
  public init(_ configuration: RunConfiguration) throws {
    annotations = try AnnotationIndex(path: configuration.data.validationAnnotations)
    truth = try GroundTruth(annotations)
    self.configuration = configuration
  }

  /// The names of all classes of the file: the vocabulary of the protocol.
  public var vocabulary: [String] { annotations.categories.map(\.name) }

  /// Number of images.
  public var imageCount: Int { annotations.imageCount }

  /// What the annotations get wrong without being useless, one line each.
  public var warnings: [String] { annotations.warnings }

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
    let records = (0..<annotations.imageCount).map { annotations.image(at: $0) }
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
    settings.scoreThreshold = configuration.model.head.scoreThreshold
    return try evaluate(
      truth, DetectionResults(contentsOf: path), split: try split ?? ownSplit(),
      settings: settings)
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
