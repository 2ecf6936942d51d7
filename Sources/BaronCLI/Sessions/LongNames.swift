import Annotations
import CLIP

extension VocabularyNames {
  /// Runs what encodes the names; a name that is too long is told with its place.
  ///
  /// - Parameter body: Encodes the names.
  /// - Throws: `DatasetError` for a name that is too long; what `body` throws.
  func explaining<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as TokenizerError {
      guard case .nameTooLong(let name, _, _) = error else { throw error }
      throw fault(of: name, reason: "\(error)") ?? error
    }
  }
}
