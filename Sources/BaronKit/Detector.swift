internal import Annotations
internal import Formats
internal import Tensors
internal import Training

/// A trained detector with a vocabulary.
///
/// ```swift
/// let detector = try Detector("runs/first", vocabulary: ["cat", "traffic cone"])
/// for found in try detector.detect(Picture(contentsOf: "street.jpg")) {
///   print(found.name, found.score, found.box)
/// }
/// ```
///
/// The classes that the run was trained on compete with the names, hidden: what looks most like one of
/// them is not told as something else. Of objects that overlap by an IoU over 0.5 the surest is told.
/// ``Options/onlyNames`` and ``Options/keepsOverlapping`` change that.
///
/// A detector holds memory of its device and is used from one thread at a time.
public final class Detector {
  /// How a detector is made.
  public struct Options: Sendable {
    /// Index, type (`gpu`, `cpu`) or part of the name of the OpenCL device; nil takes the first GPU, else
    /// the first device.
    public var device: String?
    /// The CLIP folder; nil takes the configuration's.
    public var clipFolder: String?
    /// The preset or YAML file that a weight file belongs to; nil for a run.
    public var configuration: String?
    /// Changes of the configuration, each `section.key=value`.
    public var settings: [String] = []
    /// Whether only the names compete, without the classes of training.
    public var onlyNames = false
    /// Whether objects of different names may lie on one another.
    public var keepsOverlapping = false

    /// Creates options that leave everything to the run.
    public init() {}
  }

  /// Least scores of objects that are told, in 0...1.
  public struct Thresholds: Sendable, Equatable {
    /// Of names that training has boxes of.
    public let trained: Double
    /// Of all other names.
    public let others: Double
  }

  /// The names that are looked for, in the order given.
  public var names: [String] { query.names }
  /// The scores of the best F1 in the run's last evaluation, 0.3 before any.
  public var thresholds: Thresholds {
    Thresholds(trained: query.scores.base, others: query.scores.novel)
  }
  private let detector: ObjectDetector
  private let query: ObjectQuery

  /// Loads a detector.
  ///
  /// - Parameters:
  ///   - path: A run, one of its checkpoints, or with ``Options/configuration`` a weight file.
  ///   - vocabulary: What to look for; nil takes the classes of the run's data.
  ///   - options: Device and folders.
  ///   - warn: Gets one line for each oddity that does no harm.
  /// - Throws: ``BaronError`` when the run or a name cannot be used, or there is no device.
  public init(
    _ path: String, vocabulary: Vocabulary? = nil, options: Options = Options(),
    warn: (String) -> Void = { _ in }
  ) throws(BaronError) {
    (detector, query) = try BaronError.wrapping {
      let wanted = try vocabulary?.checked()
      let location = try Self.location(path, options, warn: warn)
      let query = try Self.query(wanted?.classes, location, options, warn: warn)
      let context = try Compute.context(on: options.device, warn: warn)
      let stream = try ComputeStream(
        context: context,
        activationType: try location.configuration.training.precision.activationType(on: context))
      return (
        try ObjectDetector(
          location, clipFolder: options.clipFolder, vocabulary: query.vocabulary,
          rivals: query.rivals, on: stream, warn: warn), query
      )
    }
  }

  private static func query(
    _ wanted: [ClassName]?, _ location: ModelLocation, _ options: Options, warn: (String) -> Void
  ) throws -> ObjectQuery {
    var trained: [String] = []
    do {
      trained = try location.baseClasses()
    } catch let error as DatasetError where wanted != nil && !options.onlyNames {
      warn("the classes of training cannot be read, so only the given names compete (\(error))")
    } catch is DatasetError {}
    var query = ObjectQuery(
      wanted, own: try wanted == nil ? location.classNames() : [], trained: trained,
      onlyAsked: options.onlyNames, scores: ShownScores(of: location))
    query.keepsOverlapping = options.keepsOverlapping
    return query
  }

  private static func location(
    _ path: String, _ options: Options, warn: (String) -> Void
  ) throws -> ModelLocation {
    guard let configuration = options.configuration else {
      return try ModelLocation(run: path, overrides: options.settings, warn: warn)
    }
    return try ModelLocation(
      weights: path,
      configuration: try RunConfiguration.load(configuration, overrides: options.settings))
  }

  /// Finds objects on pictures; pictures of one size pass the network together.
  ///
  /// - Parameters:
  ///   - pictures: The pictures.
  ///   - threshold: The least score; nil takes ``thresholds``.
  ///   - limit: The most objects of a picture.
  /// - Returns: For each picture its objects, best first.
  /// - Throws: ``BaronError`` when the device fails.
  public func detect(
    _ pictures: [Picture], from threshold: Double? = nil, limit: Int = 100
  ) throws(BaronError) -> [[Detection]] {
    var query = query
    if let threshold { query.scores = ShownScores(all: threshold) }
    return try BaronError.wrapping {
      try detector.detect(pictures.map(\.image), above: query.bound).map { objects in
        query.shown(objects, limit: max(0, limit)) { $0 }.map {
          Detection(name: query.labels[$0.label], $0)
        }
      }
    }
  }

  /// Finds objects on a picture.
  ///
  /// - Parameters:
  ///   - picture: The picture.
  ///   - threshold: The least score; nil takes ``thresholds``.
  ///   - limit: The most objects.
  /// - Returns: Its objects, best first.
  /// - Throws: ``BaronError`` when the device fails.
  public func detect(
    _ picture: Picture, from threshold: Double? = nil, limit: Int = 100
  ) throws(BaronError) -> [Detection] {
    try detect([picture], from: threshold, limit: limit)[0]
  }
}
