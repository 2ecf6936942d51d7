import Annotations
import CLIP
import Formats
import Tensors
import Training

/// A trained model behind HTTP.
package final class Server: Sendable {
  /// What is served.
  package struct Options: Sendable {
    /// Where the model lies.
    package var location: ModelLocation
    /// The CLIP folder; nil takes the configuration's.
    package var clipFolder: String?
    /// What is looked for when a request names no words; nil takes the model's classes.
    package var words: [ClassName]?
    /// The names of the classes that training has boxes of; nil where they are not known.
    package var trained: [String]?
    /// From which scores on objects are shown when a request names none.
    package var scores: ShownScores
    /// Pictures to try, by path.
    package var scenes: [String] = []
    /// Program and commit.
    package var program: String
    /// A numeric address.
    package var host = "127.0.0.1"
    /// The port; 0 lets the system choose.
    package var port = 8000
    /// What is refused.
    package var limits = ServerLimits()

    package init(location: ModelLocation, scores: ShownScores, program: String) {
      self.location = location
      self.scores = scores
      self.program = program
    }
  }

  /// The address that is listened on, for a browser.
  package var address: String { "http://\(listener.address)/" }
  private let listener: Listener
  private let engine: EngineThread
  private let service: DetectionService

  /// Takes the address and loads the model.
  ///
  /// - Parameters:
  ///   - options: What is served, and where.
  ///   - warn: Gets one line for what is odd about the model.
  ///   - makeStream: Makes the stream that the model runs on, on the model's thread.
  /// - Throws: ``ServerError`` when the address cannot be had; what loading throws.
  package init(
    _ options: Options, warn: @escaping @Sendable (String) -> Void,
    makeStream: @escaping @Sendable () throws -> ComputeStream
  ) throws {
    let (location, limits) = (options.location, options.limits)
    // First, so that a port in use is told before a large model is loaded.
    listener = try Listener(host: options.host, port: options.port, limits: limits)
    let model = ServedModel(options)
    // The detector wants a vocabulary, also where requests alone bring words.
    let vocabulary = model.query()?.vocabulary ?? .classes([ClassName("object")])
    let metrics = ServerMetrics()
    engine = try EngineThread(limits: limits, metrics: metrics) {
      let detector = try ObjectDetector(
        location, clipFolder: options.clipFolder, vocabulary: vocabulary, on: try makeStream(),
        warn: warn)
      let engine = Engine(
        detector: detector, location: location, limits: limits, metrics: metrics)
      try engine.keep(vocabulary.classes)
      return engine
    }
    let listener = listener
    service = DetectionService(
      engine: engine, metrics: metrics, limits: limits, model: model,
      scenes: options.scenes, connections: { listener.connectionCount })
  }

  /// Answers requests until ``stop()``, then ends what is under way.
  ///
  /// - Throws: ``ServerError`` when the system takes the socket away.
  package func run() async throws {
    let service = service
    try await listener.run { await service.answer($0) }
    engine.stop()
  }

  /// Ends ``run()``: no new requests are taken, those that have begun get their answers.
  package func stop() { listener.stop() }
}
