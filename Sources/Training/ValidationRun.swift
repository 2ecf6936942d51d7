import Annotations
import Evaluation
import Foundation
import Geometry
import Pictures

/// Detects on a validation set and scores the result by the open-vocabulary protocol
/// (spec evaluation 5.2).
package struct ValidationRun: Sendable {
  /// Images that are decoded, and where their sizes allow looked at, together.
  private static let imagesAtATime = 4
  /// Unreadable images that are told one by one.
  private static let mostReasons = 5

  private let annotations: AnnotationIndex
  private let truth: GroundTruth
  private let configuration: RunConfiguration

  /// Reads the validation annotations.
  ///
  /// - Parameter configuration: The run's configuration.
  /// - Throws: `DatasetError` when the file is malformed.
  package init(_ configuration: RunConfiguration) throws {
    annotations = try DatasetError.naming("data.validation_annotations") {
      try AnnotationIndex(path: configuration.data.validationAnnotations)
    }
    truth = try GroundTruth(annotations)
    self.configuration = configuration
  }

  /// The names of all classes of the file: the vocabulary of the protocol.
  package var vocabulary: [String] { annotations.categories.map(\.name) }

  /// Number of images.
  package var imageCount: Int { annotations.imageCount }

  /// What the annotations get wrong without being useless, one line each.
  package var warnings: [String] { annotations.warnings }

  /// Looks for what would end an evaluation, without a model.
  ///
  /// - Parameter warn: Gets one line when some images are not there.
  /// - Throws: ``ValidationRunError`` when not a single image can be read; `EvaluationError` or
  ///   `DatasetError` when annotations and classes do not fit.
  func check(warn: (String) -> Void) throws {
    let folder = configuration.data.validationImages
    let paths = try (0..<annotations.imageCount).map {
      try annotations.image(at: $0).path(in: folder)
    }
    let missing = paths.filter { !FileManager.default.fileExists(atPath: $0) }
    let present = Set(paths).subtracting(missing).sorted()
    // A sample is decoded: a folder of damaged files is told as well.
    let sample = [present.first, present.last].compactMap { $0 }
    let read = ImageDecoder.decode(sample)
    if !read.contains(where: { (try? $0.get()) != nil }) {
      // Of missing ones the first record says where its picture is instead.
      let found = read.first ?? Result { try annotations.image(at: 0).picture(in: folder) }
      var reason = annotations.path
      if case .failure(let error) = found { reason = "\(error)" }
      // Two bad ones of many are no reason to refuse the others.
      guard
        present.dropFirst().dropLast().contains(where: {
          (try? ImageDecoder.decode(path: $0)) != nil
        })
      else {
        throw ValidationRunError.nothingReadable(
          count: paths.count, file: annotations.path, folder: folder, first: reason)
      }
    }
    if let first = missing.first {
      warn(
        "\(missing.count) of \(paths.count) validation images are missing, the first is \(first); "
          + "scores will be too low")
    }
    try checkProtocol(warn: warn)
  }

  /// Looks whether classes, split and measure go together.
  ///
  /// - Parameter warn: Gets a line for each group of which the file lacks classes.
  /// - Throws: `EvaluationError` or `DatasetError` when annotations and classes do not fit;
  ///   ``ConfigurationError`` for an unknown measure.
  func checkProtocol(warn: (String) -> Void) throws {
    let nothing = try evaluate(
      truth, DetectionResults(source: "no detections", boxes: []), split: try ownSplit(warn: warn)
    ).json
    let measure = configuration.training.keepBest
    guard measure.isEmpty || RunScores.measure(measure, in: nothing) != nil else {
      throw ConfigurationError.value(
        place: ConfigurationPlace("the configuration"), key: "training.keep_best",
        expected: "one of " + RunScores.names(in: nothing).joined(separator: ", "),
        found: "\"\(measure)\"")
    }
  }

  /// Writes detections of every image as COCO results, then scores them.
  ///
  /// - Parameters:
  ///   - detector: Looks for ``vocabulary``.
  ///   - path: Where the results file goes.
  ///   - split: The protocol; nil takes that of the configuration's classes.
  ///   - settings: Further choices of the scoring.
  ///   - progress: Gets the number of images done; what it throws ends the evaluation.
  ///   - warn: Gets one line for each of the first images that cannot be read, and one with their
  ///     number; they count as without detections.
  /// - Returns: The scores with the number of images that could not be read.
  /// - Throws: ``ValidationRunError`` when not a single image can be read; `EvaluationError` or
  ///   `FormatError` when a file is bad; `OpenCLError`.
  package func run(
    _ detector: ObjectDetector, writingTo path: String, split: ClassSplit? = nil,
    settings: EvaluationSettings = EvaluationSettings(), progress: (Int) throws -> Void,
    warn: (String) -> Void
  ) throws -> EvaluationSummary {
    // A split that does not fit is told before all pictures were looked at.
    let split =
      if case .names(let base, let novel)? = split {
        try known(base: base, novel: novel, warn: warn)
      } else { try split ?? ownSplit() }
    let folder = configuration.data.validationImages
    let records = (0..<annotations.imageCount).map { annotations.image(at: $0) }
    var (unreadable, reason) = (0, "")
    try DetectionResultsWriter.write(to: path) { writer in
      let paths = records.map { (try? $0.path(in: folder)) ?? folder }
      for range in ImageDecoder.groups(of: paths, most: Self.imagesAtATime) {
        var read: [(id: Int, image: Image)] = []
        for (index, picture) in zip(range, ImageDecoder.decode(Array(paths[range]))) {
          do {
            read.append((records[index].id, try records[index].checked(picture, in: folder)))
          } catch let error as PictureError {
            unreadable += 1
            if unreadable == 1 { reason = "\(error)" }
            if unreadable <= Self.mostReasons { warn("\(error)") }
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
        try progress(range.upperBound)
      }
      guard unreadable < records.count else {
        throw ValidationRunError.nothingReadable(
          count: records.count, file: annotations.path, folder: folder, first: reason)
      }
    }
    if unreadable > 0 {
      warn(
        "\(unreadable) of \(records.count) images of \(annotations.path) could not be read; they "
          + "count as without detections, so the scores are too low")
    }
    var settings = settings
    settings.scoreThreshold = configuration.model.head.detections.scoreThreshold
    var summary = try evaluate(
      truth, DetectionResults(contentsOf: path), split: split, settings: settings)
    summary.unreadableImages = unreadable
    return summary
  }

  /// Finds out where detections of the set are right and wrong.
  ///
  /// - Parameter path: The results file.
  /// - Throws: `DatasetError` or `EvaluationError` when it does not fit the annotations.
  package func analysis(of path: String) throws -> DetectionAnalysis {
    try DetectionAnalysis(truth, DetectionResults(contentsOf: path), split: try ownSplit())
  }

  /// Reads a picture of the set.
  ///
  /// - Parameter index: Its position in the annotations.
  /// - Returns: The name that the annotations give it, and the picture.
  /// - Throws: `PictureError` when it cannot be decoded.
  package func picture(at index: Int) throws -> (name: String, image: Image) {
    let record = annotations.image(at: index)
    return (record.fileName, try record.picture(in: configuration.data.validationImages))
  }

  /// The protocol of the configuration's classes, as far as the file has them.
  ///
  /// - Parameter warn: Gets a line for each group of which the file lacks classes.
  /// - Throws: `DatasetError` for a bad split; `EvaluationError` when the file has none of its classes.
  private func ownSplit(warn: (String) -> Void = { _ in }) throws -> ClassSplit {
    let classSplit = configuration.data.classSplit
    if classSplit == RunConfiguration.Data.openVocabularyLVIS { return .frequency }
    let split = try TrainingData.split(
      classSplit: classSplit, of: annotations.categories, in: annotations.path)
    return try known(base: split.base, novel: split.novel, warn: warn)
  }

  /// Those classes of a split that the file has.
  ///
  /// - Parameters:
  ///   - base: The names of the base classes.
  ///   - novel: The names of the novel classes.
  ///   - warn: Gets a line for each group of which the file lacks classes.
  /// - Throws: `EvaluationError` when the file has none of them.
  private func known(
    base: [String], novel: [String], warn: (String) -> Void
  ) throws -> ClassSplit {
    let listed = Set(vocabulary)
    let groups = [("base", base), ("novel", novel)].map { name, names in
      (name: name, names: names, known: names.filter(listed.contains))
    }
    guard groups.contains(where: { !$0.known.isEmpty }) else {
      throw EvaluationError.unknownClasses(
        group: "base", count: base.count, first: base.first ?? "", groundTruth: annotations.path)
    }
    for group in groups where group.known.count < group.names.count {
      let missing = group.names.filter { !group.known.contains($0) }
      warn(
        "\(annotations.path): \(missing.count) of the \(group.names.count) \(group.name) classes "
          + "are not among its categories and are not scored: "
          + missing.prefix(Self.mostReasons).joined(separator: ", ")
          + (missing.count > Self.mostReasons ? ", …" : ""))
    }
    return .names(base: groups[0].known, novel: groups[1].known)
  }
}

/// Why a validation set cannot be scored; the description is one line with the remedy.
package enum ValidationRunError: Error, CustomStringConvertible, Equatable {
  /// Not a single image can be read; `first` says why the first cannot.
  case nothingReadable(count: Int, file: String, folder: String, first: String)

  /// One line: what, where, remedy.
  package var description: String {
    switch self {
    case .nothingReadable(let count, let file, let folder, let first):
      "none of the \(count) images of \(file) can be read in \(folder); set "
        + "data.validation_images to their folder (\(first))"
    }
  }
}

extension ObjectDetector.Found {
  /// The object as a results file has it.
  ///
  /// - Parameters:
  ///   - image: The image's id.
  ///   - category: The class's id.
  /// - Returns: The box as x, y, width and height.
  package func scoredBox(image: Int, category: Int) -> DetectionResult {
    DetectionResult(
      imageID: image, categoryID: category,
      box: FileBox(box), score: Double(score))
  }
}
