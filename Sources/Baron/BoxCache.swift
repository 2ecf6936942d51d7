import Geometry
import Settings

/// Proposals remembered over the epochs (spec method 1.5): the section `cache`.
package struct BoxCacheSettings: Sendable, Equatable {
  /// Whether proposals are remembered.
  package var enabled = true
  /// The image of the method, counted from 1 over the run, from which the memory is used.
  package var firstCall = 20_000
  /// Most boxes kept for an image.
  package var capacity = 300

  /// Creates the published cache.
  package init() {}
}

extension BoxCacheSettings: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("first_call", &firstCall, .atLeast(1))
    try keys.field("capacity", &capacity, .atLeast(1))
  }
}

/// Remembers confident proposals of each training image over the epochs (spec method 1.5).
///
/// Boxes are kept in the pixels of the original, unflipped image.
package struct BoxCache: Sendable, Equatable {
  /// What a checkpoint calls it.
  package let name: String
  private let settings: BoxCacheSettings
  private let objectness: Float
  private let overlap: Float
  /// Images handled so far.
  package var callCount = 0
  /// Kept boxes by image id, best first.
  package var entries: [Int32: [ScoredBox]] = [:]

  /// Creates an empty cache.
  ///
  /// - Parameters:
  ///   - name: What a checkpoint calls it.
  ///   - settings: From when on it is used and how much it keeps.
  ///   - filter: Which boxes are kept.
  package init(_ name: String, _ settings: BoxCacheSettings, filter: ProposalFilter) {
    self.name = name
    self.settings = settings
    objectness = filter.objectness
    overlap = filter.overlap
  }

  /// Merges what is known of an image with this step's boxes and remembers the result.
  ///
  /// - Parameters:
  ///   - boxes: This step's boxes in the pixels of the view.
  ///   - image: The image's id.
  ///   - view: How the image was resized and flipped.
  /// - Returns: The boxes to sample bags around, best first.
  package mutating func merged(
    _ boxes: [ScoredBox], image: Int32, view: ImageView
  ) -> [ScoredBox] {
    callCount += 1
    guard callCount >= settings.firstCall else { return boxes }
    let known = entries[image] ?? []
    let original = reduced(known + boxes.map { ScoredBox(view.original($0.box), score: $0.score) })
    entries[image] = Array(original.prefix(settings.capacity))
    return reduced(known.map { ScoredBox(view.resized($0.box), score: $0.score) } + boxes)
  }

  private func reduced(_ boxes: [ScoredBox]) -> [ScoredBox] {
    let sure = boxes.filter { $0.score > objectness }
    guard sure.isEmpty else { return ProposalFilter.suppressed(sure, overlap: overlap) }
    return ProposalFilter.best(1, of: boxes)
  }
}
