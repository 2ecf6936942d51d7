import Synchronization

/// How many programs this process has made so far, for whoever shows how far a first start is.
package enum ProgramCount {
  /// Programs that were compiled from their sources.
  package static let compiled = Atomic(0)
  /// Programs that came from the cache.
  package static let cached = Atomic(0)
  /// How many there will be in all; 0 when nobody knows.
  private static let expected = Atomic(0)
  /// Programs on which the driver's compiler had something to say.
  package static let remarked = Atomic(0)

  /// Says how many programs are about to be made.
  ///
  /// - Parameter count: How many, those of earlier work of this process not counted.
  package static func expect(_ count: Int) {
    let done = compiled.load(ordering: .relaxed) + cached.load(ordering: .relaxed)
    expected.store(done + count, ordering: .relaxed)
  }

  /// Compiled, so far and in all, in words.
  ///
  /// - Returns: "12/43", or "12" where the whole is not known or was taken too small; nil when nothing
  ///   was compiled.
  package static var progress: String? {
    let compiled = compiled.load(ordering: .relaxed)
    guard compiled > 0 else { return nil }
    let (done, expected) = (
      compiled + cached.load(ordering: .relaxed), expected.load(ordering: .relaxed)
    )
    return done <= expected ? "\(done)/\(expected)" : "\(done)"
  }
}
