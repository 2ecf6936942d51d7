import Annotations
import Distribution
import Evaluation
import Formats
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
        "\(missing.count) of \(paths.count, "validation image") "
          + "\(missing.count.verb("is", "are")) missing, the first is \(first); scores will be "
          + "too low"
      )
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
  ///   - world: The processes that share the images; this one is rank 0.
  ///   - progress: Gets the number of images done; what it throws ends the evaluation.
  ///   - warn: Gets one line for each of the first images that cannot be read, and one with their
  ///     number; they count as without detections.
  /// - Returns: The scores with the number of images that could not be read.
  /// - Throws: ``ValidationRunError`` when not a single image can be read; `EvaluationError` or
  ///   `FormatError` when a file is bad; `OpenCLError`.
  package func run(
    _ detector: ObjectDetector, writingTo path: String, split: ClassSplit? = nil,
    settings: EvaluationSettings = EvaluationSettings(), among world: any World = Alone(),
    progress: (Int) throws -> Void, warn: (String) -> Void
  ) throws -> EvaluationSummary {
    // A split that does not fit is told before all pictures were looked at.
    let split =
      if case .names(let base, let novel)? = split {
        try known(base: base, novel: novel, warn: warn)
      } else { try split ?? ownSplit() }
    var rounds = ValidationRounds(among: world)
    let summary = Result {
      var unreadable = 0
      try DetectionResultsWriter.write(to: path) { writer in
        unreadable = try detect(
          detector, for: path, in: &rounds, among: world, progress: progress, warn: warn
        ) { try writer.append($0) }
      }
      if unreadable > 0 {
        warn(
          "\(unreadable) of \(imageCount, "image") of \(annotations.path) could not be read; they "
            + "count as without detections, so the scores are too low")
      }
      var settings = settings
      settings.scoreThreshold = configuration.model.head.detections.scoreThreshold
      var summary = try evaluate(
        truth, DetectionResults(contentsOf: path), split: split, settings: settings)
      summary.unreadableImages = unreadable
      return summary
    }
    try rounds.close(with: summary)
    return try summary.get()
  }

  /// Looks at this rank's share of the images while rank 0 is in
  /// ``run(_:writingTo:split:settings:among:progress:warn:)``, and waits for its scores.
  ///
  /// - Parameters:
  ///   - detector: Looks for ``vocabulary``.
  ///   - world: The processes that share the images.
  ///   - progress: Gets the number of images done; what it throws ends the evaluation.
  ///   - warn: Gets one line for each of the first images that cannot be read.
  /// - Throws: What rank 0 throws of the same set; `WorldError`.
  package func assist(
    _ detector: ObjectDetector, among world: any World, progress: (Int) throws -> Void,
    warn: (String) -> Void
  ) throws {
    _ = try ownSplit()
    var rounds = ValidationRounds(among: world)
    _ = try detect(
      detector, for: annotations.path, in: &rounds, among: world, progress: progress, warn: warn
    ) { _ in }
    try rounds.close(with: Result<EvaluationSummary, any Error>?.none)
  }

  /// Detects on all images, in each round a group of them on every rank.
  ///
  /// - Parameters:
  ///   - take: Gets the detections of each group in the order of images, on rank 0.
  /// - Returns: How many images could not be read.
  private func detect(
    _ detector: ObjectDetector, for path: String, in rounds: inout ValidationRounds,
    among world: any World, progress: (Int) throws -> Void, warn: (String) -> Void,
    _ take: (DetectionResultsWriter.Piece) throws -> Void
  ) throws -> Int {
    let folder = configuration.data.validationImages
    let records = (0..<annotations.imageCount).map { annotations.image(at: $0) }
    let paths = records.map { (try? $0.path(in: folder)) ?? folder }
    let groups = ImageDecoder.groups(of: paths, most: Self.imagesAtATime)
    var (unreadable, reason) = (0, "")
    /// The detections on a group of images.
    func look(at range: Range<Int>) throws -> DetectionResultsWriter.Piece {
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
      let found = zip(read, try detector.detect(read.map(\.image))).flatMap { image, objects in
        objects.map { object in
          (
            box: object.scoredBox(
              image: image.id, category: annotations.categories[object.label].id),
            mask: object.mask
          )
        }
      }
      return try DetectionResultsWriter.Piece(found, for: path)
    }
    while let ranges = try rounds.next(groups) {
      let own = Result {
        world.rank < ranges.count
          ? try look(at: ranges[world.rank]) : DetectionResultsWriter.Piece(bytes: [], count: 0)
      }
      try rounds.end(own, take)
      try rounds.leaving { try progress(ranges.last?.upperBound ?? 0) }
    }
    if world.size > 1 {
      var sum = [Double(unreadable)]
      try rounds.leaving { try world.sum(&sum, Exchange("unreadable images")) }
      unreadable = Int(sum[0])
    }
    return try rounds.leaving {
      guard unreadable < records.count else {
        throw ValidationRunError.nothingReadable(
          count: records.count, file: annotations.path, folder: folder, first: reason)
      }
      return unreadable
    }
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
        "\(annotations.path): \(missing.count) of the \(group.names.count, "\(group.name) class") "
          + "\(missing.count.verb("is", "are")) not among its categories and not scored: "
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
  /// Rank 0 could not score what all ranks detected.
  case notScored(reason: String)
  /// A rank could not look at its images; the reason begins with its name.
  case ofRank(reason: String)

  /// One line: what, where, remedy.
  package var description: String {
    switch self {
    case .nothingReadable(let count, let file, let folder, let first):
      "none of the \(count, "image") of \(file) can be read in \(folder); set "
        + "data.validation_images to their folder (\(first))"
    case .notScored(let reason):
      "rank 0 could not score the detections: \(reason)"
    case .ofRank(let reason): reason
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
