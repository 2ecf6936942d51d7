import Annotations
import CLIP
import Detection
import Pictures
import Tensors

/// What a detector has seen of a picture; naming it costs no backbone.
package struct SeenPicture {
  /// The picture's size in pixels.
  package let width, height: Int
  /// Bytes that it takes on the device.
  package var byteCount: Int { regions.byteCount }
  let regions: ImageRegions
}

/// An object with what else it might be.
package struct NamedObject: Sendable {
  /// The object.
  package let found: ObjectDetector.Found
  /// The labels that fit next best, with their scores, best first.
  package let next: [(label: Int, score: Float)]
}

/// Looking first and naming afterwards, for those who ask again.
extension ObjectDetector {
  /// Looks at pictures.
  ///
  /// - Parameter images: The pictures, upright.
  /// - Returns: What each shows, the same whatever its company.
  /// - Throws: `OpenCLError` when the device fails.
  package func look(at images: [Image]) throws -> [SeenPicture] {
    let seen = try inGroups(images) { batch, frames in
      try model.detector.regions(batch, frames: frames, textEncoder: model.regionEncoder)
    }
    return zip(images, seen).map { image, regions in
      SeenPicture(width: image.width, height: image.height, regions: regions)
    }
  }

  /// The embeddings that `clip.class_embeddings` holds of classes.
  ///
  /// - Parameter classes: The classes.
  /// - Returns: One unit row a class, or nil when there is no file or it lacks one of them.
  /// - Throws: `CheckpointError` when the file does not fit.
  package func storedEmbeddings(of classes: [ClassName]) throws -> EmbeddingMatrix? {
    try model.storedEmbeddings(of: classes)
  }

  /// Encodes classes with the text encoder.
  ///
  /// - Parameter classes: The classes, at least one.
  /// - Returns: One unit row a class.
  /// - Throws: `TokenizerError` for a name that is too long; `OpenCLError`.
  package func encode(_ classes: [ClassName]) throws -> EmbeddingMatrix {
    try model.encode(classes)
  }

  /// The embeddings of ``vocabulary``, one unit row a name.
  ///
  /// - Throws: `OpenCLError` when the device fails.
  package func ownEmbeddings() throws -> EmbeddingMatrix {
    EmbeddingMatrix(try classes.embeddings.floats(), width: classes.embeddings.shape[1])
  }

  /// Names what a picture shows.
  ///
  /// - Parameters:
  ///   - picture: What was seen.
  ///   - query: What takes part, and from which score on it is looked for.
  ///   - given: The embeddings of the names that take part, and for each whether training has boxes of
  ///     it; nil when they are those of ``vocabulary``.
  ///   - next: How many other names of each object are wanted.
  /// - Returns: The objects, best first.
  /// - Throws: `OpenCLError` when the device fails, `MaskError` for an image too large for masks.
  package func name(
    _ picture: SeenPicture, as query: ObjectQuery,
    rows given: (rows: EmbeddingMatrix, isBase: [Bool])?, next: Int
  ) throws -> [NamedObject] {
    let vocabulary = try given.map {
      ClassVocabulary(embeddings: try $0.rows.tensor(on: model.stream), isBase: $0.isBase)
    }
    let named = try model.detector.named(
      picture.regions, vocabulary: vocabulary ?? classes, above: query.bound,
      rivals: query.rivalLabels)
    return named.objects.filter { $0.score > query.bound }.map { object in
      NamedObject(
        found: Found(object, width: picture.width, height: picture.height),
        next: next > 0 ? Self.best(next, of: named.scores(of: object), but: object.label) : [])
    }
  }

  private static func best(
    _ count: Int, of scores: [Float], but label: Int
  ) -> [(label: Int, score: Float)] {
    var best: [(label: Int, score: Float)] = []
    for (index, score) in scores.enumerated() where index != label {
      guard best.count < count || score > best.last?.score ?? 0 else { continue }
      let place = best.firstIndex { score > $0.score } ?? best.endIndex
      best.insert((index, score), at: place)
      if best.count > count { best.removeLast() }
    }
    return best
  }
}
