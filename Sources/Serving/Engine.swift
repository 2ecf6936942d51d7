import Annotations
import CLIP
import Formats
import Pictures
import Training

/// The detector with what it has seen and the words that it knows; lives on one thread.
final class Engine {
  /// A request for objects.
  struct Task: Sendable {
    /// The SHA-256 of the picture's file.
    let digest: String
    /// The picture; nil when it was seen not long ago.
    let picture: DecodedPicture?
    /// What is looked for, and what of it is shown.
    let query: ObjectQuery
    /// Most objects, best first.
    let limit: Int
    /// How many other names of each object are wanted.
    let next: Int
  }

  /// What came of it.
  struct Found: Sendable {
    /// The picture's size in pixels.
    let width, height: Int
    /// The objects, best first; labels are those of the query.
    let objects: [NamedObject]
    /// Whether the backbone was spared.
    let wasSeen: Bool
  }

  /// Why there is no answer.
  enum Failure: Error {
    /// The picture is kept no longer: send it again.
    case forgotten
    /// The request cannot be answered.
    case fault(HTTPFault)
  }

  /// What the caches hold.
  struct Fill: Sendable {
    var pictures = 0
    var pictureBytes = 0
    var words = 0
  }

  private let detector: ObjectDetector
  private let location: ModelLocation
  private let metrics: ServerMetrics
  private var seen: BoundedCache<String, SeenPicture>
  private var words: BoundedCache<ClassName, [Float]>

  init(
    detector: ObjectDetector, location: ModelLocation, limits: ServerLimits,
    metrics: ServerMetrics
  ) {
    self.detector = detector
    self.location = location
    self.metrics = metrics
    seen = BoundedCache(limit: limits.pictureBytes)
    words = BoundedCache(limit: limits.keptWords)
  }

  /// What the caches hold.
  var fill: Fill { Fill(pictures: seen.count, pictureBytes: seen.size, words: words.count) }

  /// The digests of the pictures that are kept.
  var seenDigests: Set<String> { seen.keys }

  /// Answers requests, whose new pictures pass the backbone together.
  ///
  /// - Parameter tasks: The requests.
  /// - Returns: An answer for each; the failure of one is no other's.
  func answer(_ tasks: [Task]) -> [Result<Found, Failure>] {
    // What is here now must not be pushed out by another picture of the same batch.
    var batch: [String: Result<SeenPicture, Failure>] = [:]
    var new: [(digest: String, image: Image)] = []
    for task in tasks where batch[task.digest] == nil {
      if let picture = seen.value(task.digest) {
        batch[task.digest] = .success(picture)
      } else if let image = task.picture?.image {
        batch[task.digest] = .failure(.forgotten)
        new.append((task.digest, image))
      }
    }
    let known = Set(batch.filter { (try? $0.value.get()) != nil }.keys)
    for (digest, picture) in look(at: new) {
      batch[digest] = picture
      if let picture = try? picture.get() {
        seen.keep(picture, for: digest, size: picture.byteCount)
      }
    }
    return tasks.map { task in
      let wasSeen = known.contains(task.digest)
      metrics.add(to: wasSeen ? .pictureHits : .pictureMisses)
      return (batch[task.digest] ?? .failure(.forgotten)).flatMap { picture in
        Self.result { try name(picture, task, wasSeen: wasSeen) }
      }
    }
  }

  /// Together, or one by one where a picture spoils the batch.
  private func look(
    at pictures: [(digest: String, image: Image)]
  ) -> [(String, Result<SeenPicture, Failure>)] {
    guard !pictures.isEmpty else { return [] }
    if let all = try? detector.look(at: pictures.map(\.image)) {
      return zip(pictures, all).map { ($0.digest, .success($1)) }
    }
    return pictures.map { picture in
      (picture.digest, Self.result { try detector.look(at: [picture.image])[0] })
    }
  }

  private func name(_ picture: SeenPicture, _ task: Task, wasSeen: Bool) throws -> Found {
    let query = task.query
    let objects = try detector.name(
      picture, as: query, rows: try rows(of: query.vocabulary), next: task.next)
    return Found(
      width: picture.width, height: picture.height,
      objects: query.shown(objects, limit: task.limit, \.found), wasSeen: wasSeen)
  }

  /// The rows of what takes part; nil for the data set's classes, which the detector was loaded with.
  private func rows(
    of vocabulary: Vocabulary
  ) throws -> (rows: EmbeddingMatrix, isBase: [Bool])? {
    guard case .classes(let classes) = vocabulary else { return nil }
    return (try embeddings(of: classes), try location.leansOnMainHead(vocabulary.names))
  }

  /// Keeps the rows of what the detector was loaded with, unless they are those of a file.
  ///
  /// - Parameter classes: The classes of the detector's vocabulary, in its order.
  func keep(_ classes: [ClassName]) throws {
    guard try detector.storedEmbeddings(of: classes) == nil else { return }
    let rows = try detector.ownEmbeddings()
    for (index, name) in classes.enumerated() {
      words.keep(Array(rows[index]), for: name, size: 1)
    }
  }

  /// The embeddings of words.
  ///
  /// - Parameter names: The words, at least one.
  /// - Returns: One unit row a word.
  /// - Throws: ``Failure`` for a word that is too long, or when the device fails.
  func embed(_ names: [String]) -> Result<EmbeddingMatrix, Failure> {
    Self.result { try embeddings(of: names.map { ClassName($0) }) }
  }

  /// Rows of a file and of the encoder do not compare, so that all come from one of them.
  private func embeddings(of names: [ClassName]) throws -> EmbeddingMatrix {
    if let stored = try detector.storedEmbeddings(of: names) { return stored }
    var rows: [ClassName: [Float]] = [:]
    for name in names { rows[name] = words.value(name) }
    var sought: Set<ClassName> = []
    let missing = names.filter { rows[$0] == nil && sought.insert($0).inserted }
    if !missing.isEmpty {
      let encoded = try detector.encode(missing)
      metrics.add(Double(missing.count), to: .encodedWords)
      for (index, name) in missing.enumerated() {
        let row = Array(encoded[index])
        rows[name] = row
        words.keep(row, for: name, size: 1)
      }
    }
    let values = names.flatMap { rows[$0] ?? [] }
    return EmbeddingMatrix(values, width: values.count / max(1, names.count))
  }

  private static func result<Value>(_ body: () throws -> Value) -> Result<Value, Failure> {
    do {
      return .success(try body())
    } catch let error as TokenizerError {
      return .failure(.fault(HTTPFault(.unprocessable, "\(error)")))
    } catch {
      Console.warn("\(error)")
      return .failure(.fault(HTTPFault(.internalError, PrintedText.line("\(error)"))))
    }
  }
}
