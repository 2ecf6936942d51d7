import Annotations
import Checkpoints
import Formats
import Foundation

/// Keeps the embeddings of vocabularies, which take a large text encoder minutes.
///
/// An entry lies in the user's cache folder under the SHA-256 of all that decides its numbers
/// (``ClassEmbedder``). It carries that key and the SHA-256 of its numbers: an entry that is damaged,
/// or of other content than its name says, is told in one line and made anew.
package struct ClassEmbeddingsCache: Sendable {
  /// Less work is done at once and not kept: about a second of one processor core.
  package static let smallestWork = 1e9

  /// The folder of the entries.
  package let folder: String
  /// The sentences times the weights that each passes, from which on embeddings are kept.
  package let minimumWork: Double
  private let note: @Sendable (String) -> Void

  package init(
    folder: String, minimumWork: Double = ClassEmbeddingsCache.smallestWork,
    note: @escaping @Sendable (String) -> Void = { Console.note($0) }
  ) {
    self.folder = folder
    self.minimumWork = minimumWork
    self.note = note
  }

  /// The user's cache, or nil when `BARON_CACHE` is `off`.
  package static var standard: ClassEmbeddingsCache? {
    UserCache.folder("embeddings").map { ClassEmbeddingsCache(folder: $0) }
  }

  /// Where an entry lies.
  ///
  /// - Parameter key: Its key.
  package func path(of key: String) -> String { "\(folder)/\(key).safetensors" }

  /// The embeddings of a key, or nil when there are none to be trusted.
  func load(
    _ key: String, _ feature: EmbeddingFeature, count: Int, width: Int
  ) -> EmbeddingMatrix? {
    let path = path(of: key)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    do {
      let metadata = try SafeTensorsFile(path: path).metadata
      let matrix = try ClassEmbeddingsFile(path: path).matrix(feature, width: width)
      guard metadata["key"] == key, matrix.count == count,
        metadata["digest"] == Self.digest(of: matrix)
      else {
        throw CheckpointError.file(path: path, reason: "does not hold what its name says")
      }
      return matrix
    } catch {
      note("\(error); the embeddings are made anew")
      return nil
    }
  }

  func store(
    _ matrix: EmbeddingMatrix, _ key: String, _ feature: EmbeddingFeature, of classes: [ClassName]
  ) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try ClassEmbeddingsFile.write(
        [feature: matrix], of: classes,
        metadata: ["key": key, "digest": Self.digest(of: matrix)], to: path(of: key))
    } catch {
      let reason = error is CocoaError ? error.localizedDescription : "\(error)"
      note("the embeddings of class names cannot be kept: \(reason)")
    }
  }

  private static func digest(of matrix: EmbeddingMatrix) -> String {
    var digest = SHA256()
    matrix.values.withUnsafeBytes { digest.update($0) }
    return digest.hexadecimal()
  }
}
