import Annotations
import Formats
import Foundation
import Masks
import Training

/// Answers requests about pictures and words; docs/serve.md describes them.
final class DetectionService: Sendable {

  private let engine: EngineThread
  private let pool: DecodingPool
  private let metrics: ServerMetrics
  private let limits: ServerLimits
  private let model: ServedModel
  private let scenes: [String: String]
  private let sceneNames: [String]
  private let connections: @Sendable () -> Int

  init(
    engine: EngineThread, metrics: ServerMetrics, limits: ServerLimits, model: ServedModel,
    scenes: [String], connections: @escaping @Sendable () -> Int
  ) {
    self.engine = engine
    pool = DecodingPool(limits: limits)
    self.metrics = metrics
    self.limits = limits
    self.model = model
    sceneNames = scenes.map { URL(filePath: $0).lastPathComponent }
    self.scenes = Dictionary(zip(sceneNames, scenes)) { first, _ in first }
    self.connections = connections
  }

  private static let methods = [
    "/detect": "POST", "/embed": "POST", "/healthz": "GET", "/metrics": "GET", "/model": "GET",
    "/scenes": "GET",
  ]

  /// Answers a request and counts it.
  ///
  /// - Parameter request: The request.
  func answer(_ request: HTTPRequest) async -> HTTPAnswer {
    let began = MonotonicClock.seconds
    let answer: HTTPAnswer
    do {
      answer = try await route(request)
    } catch let fault as HTTPFault {
      answer = HTTPAnswer(fault)
    } catch Engine.Failure.fault(let fault) {
      answer = HTTPAnswer(fault)
    } catch {
      answer = HTTPAnswer(HTTPFault(.internalError, PrintedText.line("\(error)")))
    }
    let isKnown = Self.methods[request.path] != nil || request.path == "/"
    metrics.answered(
      isKnown ? request.path : "other", answer.status, seconds: MonotonicClock.seconds - began)
    return answer
  }

  private func route(_ request: HTTPRequest) async throws -> HTTPAnswer {
    let file = WebPage.files[request.path]
    let isScene = request.path.hasPrefix("/scenes/")
    guard let method = file != nil || isScene ? "GET" : Self.methods[request.path] else {
      throw HTTPFault(
        .notFound,
        "there is no \(request.path.prefix(80)) here; there are "
          + Self.methods.keys.sorted().joined(separator: ", "))
    }
    guard request.method == method || (method == "GET" && request.method == "HEAD") else {
      var answer = HTTPAnswer(
        HTTPFault(.methodNotAllowed, "\(request.path) takes \(method), not \(request.method)"))
      answer.headers.append(("Allow", method))
      return answer
    }
    if let file { return HTTPAnswer(type: file.type, headers: WebPage.headers, body: file.bytes) }
    if isScene { return try scene(String(request.path.dropFirst("/scenes/".count))) }
    switch request.path {
    case "/detect": return try await detect(try RequestFields(request))
    case "/embed": return try await embed(try RequestFields(request))
    case "/model": return .json(model.json(limits))
    case "/scenes": return .json(.array(sceneNames.map { .string($0) }))
    case "/metrics":
      return HTTPAnswer(
        type: "text/plain; version=0.0.4; charset=utf-8", body: Array(metrics.text(gauges).utf8))
    default: return .json(["status": "ok"])
    }
  }

  private var gauges: ServerMetrics.Gauges {
    let fill = engine.fill
    return .init(
      connections: connections(), queued: engine.queueLength, pictures: fill.pictures,
      pictureBytes: fill.pictureBytes, words: fill.words)
  }

  private func scene(_ name: String) throws -> HTTPAnswer {
    // Only names of the list: a path in a request opens nothing.
    guard let path = scenes[name], let data = try? RegularFile.contents(path) else {
      throw HTTPFault(.notFound, "there is no scene of this name")
    }
    return HTTPAnswer(
      type: name.hasSuffix(".png") ? "image/png" : "image/jpeg", body: Array(data))
  }

  private func embed(_ fields: RequestFields) async throws -> HTTPAnswer {
    guard let words = try fields.words(limits) else {
      throw HTTPFault(.unprocessable, "there are no words; give them in the field \"words\"")
    }
    let rows = try await engine.embed(words)
    return .json([
      "words": .array(words.map { .string($0) }), "width": .number(Double(rows.width)),
      "feature": .string(model.feature),
      "embeddings": .array(
        (0..<rows.count).map { row in .array(rows[row].map { .number(Double($0)) }) }),
    ])
  }

  /// What a request asks for; what it leaves open is as `detect` has it.
  private func query(_ fields: RequestFields) throws -> ObjectQuery {
    let words = try fields.words(limits)
    let threshold = try fields.number("threshold", in: 0...1)
    guard
      var query = model.query(
        words, onlyAsked: try fields.flag("only"), scores: threshold.map { ShownScores(all: $0) })
    else {
      throw HTTPFault(.unprocessable, "the model knows no classes of its own; give \"words\"")
    }
    query.keepsOverlapping = try fields.flag("overlapping")
    return query
  }

  private func detect(_ fields: RequestFields) async throws -> HTTPAnswer {
    let began = MonotonicClock.seconds
    let file = try fields.requiredPicture()
    let query = try query(fields)
    let limit = try fields.count("limit", in: 1...limits.objects) ?? 100
    let next = try fields.count("next", in: 0...50) ?? 0
    let digest = await pool.digest(of: file)
    func task(_ picture: DecodedPicture?) -> Engine.Task {
      Engine.Task(digest: digest, picture: picture, query: query, limit: limit, next: next)
    }
    var found: Engine.Found
    do {
      found = try await engine.detect(
        task(engine.hasSeen(digest) ? nil : try await pool.decode(file)))
    } catch Engine.Failure.forgotten {
      found = try await engine.detect(task(try await pool.decode(file)))
    }
    return .json(
      DetectionAnswer(
        found: found, query: query, model: model, digest: digest,
        seconds: MonotonicClock.seconds - began
      ).json)
  }
}
