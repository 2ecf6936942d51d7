internal import Annotations
internal import Formats
internal import Tensors
internal import Training

/// A trained detector with a vocabulary.
///
/// ```swift
/// let detector = try Detector("runs/first", vocabulary: ["cat", "traffic cone"])
/// for found in try detector.detect(Picture(contentsOf: "street.jpg"), above: 0.3) {
///   print(found.name, found.score, found.box)
/// }
/// ```
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

    /// Creates options that leave everything to the run.
    public init() {}
  }

  /// The names that are looked for, in the order given.
  public let names: [String]
  /// The least score that the run's evaluation counts.
  public var scoreThreshold: Float { detector.scoreThreshold }
  private let detector: ObjectDetector

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
    (detector, names) = try BaronError.wrapping {
      let wanted = try vocabulary?.checked()
      let location = try Self.location(path, options, warn: warn)
      let names = try wanted?.classes.map(\.name) ?? location.classNames()
      let context = try Compute.context(on: options.device, warn: warn)
      let stream = try ComputeStream(
        context: context,
        activationType: try location.configuration.training.precision.activationType(on: context))
      // In the order of the alphabet: the order in which names are given must not move a last bit.
      let classes = wanted.map {
        Training.Vocabulary.classes($0.classes.sorted { $0.name < $1.name })
      }
      return (
        try ObjectDetector(
          location, clipFolder: options.clipFolder, vocabulary: classes ?? .dataSet(names),
          on: stream, warn: warn), names
      )
    }
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
  ///   - threshold: Objects score more than this; nil takes ``scoreThreshold``.
  ///   - limit: The most objects of a picture.
  /// - Returns: For each picture its objects, best first.
  /// - Throws: ``BaronError`` when the device fails.
  public func detect(
    _ pictures: [Picture], above threshold: Float? = nil, limit: Int = 100
  ) throws(BaronError) -> [[Detection]] {
    try BaronError.wrapping {
      try detector.detect(pictures.map(\.image), above: threshold).map { objects in
        objects.prefix(max(0, limit)).map {
          Detection(name: detector.vocabulary[$0.label], $0)
        }
      }
    }
  }

  /// Finds objects on a picture.
  ///
  /// - Parameters:
  ///   - picture: The picture.
  ///   - threshold: Objects score more than this; nil takes ``scoreThreshold``.
  ///   - limit: The most objects.
  /// - Returns: Its objects, best first.
  /// - Throws: ``BaronError`` when the device fails.
  public func detect(
    _ picture: Picture, above threshold: Float? = nil, limit: Int = 100
  ) throws(BaronError) -> [Detection] {
    try detect([picture], above: threshold, limit: limit)[0]
  }
}
