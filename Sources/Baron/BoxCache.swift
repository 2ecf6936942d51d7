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
/// Boxes are kept in the pixels of the original, unflipped image. What replicas write in a step is
/// taken back after each of them and applied when all are done, so that none sees another's.
package struct BoxCache: Sendable, Equatable {
  /// What a checkpoint calls it.
  package let name: String
  private let settings: BoxCacheSettings
  private let objectness: Float
  private let overlap: Float
  /// What was written down for one image.
  package struct Entry: Sendable, Equatable {
    /// The image's place among those of its replica in the step.
    package let slot: Int
    /// The image's id.
    package let image: Int32
    /// What is kept of it now.
    package let boxes: [ScoredBox]

    package init(slot: Int, image: Int32, boxes: [ScoredBox]) {
      self.slot = slot
      self.image = image
      self.boxes = boxes
    }
  }

  /// An entry with what stood there before.
  private struct Write: Sendable, Equatable {
    let entry: Entry
    let before: [ScoredBox]?
  }

  /// Images of one replica handled so far.
  package var callCount = 0
  /// Kept boxes by image id, best first.
  package var entries: [Int32: [ScoredBox]] = [:]
  /// What was written in this step.
  private var written: [Write] = []
  /// ``callCount`` as the step began.
  private var firstOfStep = 0

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
    let entry = Entry(
      slot: callCount - 1 - firstOfStep, image: image,
      boxes: Array(original.prefix(settings.capacity)))
    written.append(Write(entry: entry, before: entries[image]))
    entries[image] = entry.boxes
    return reduced(known.map { ScoredBox(view.resized($0.box), score: $0.score) } + boxes)
  }

  /// Whether it is used when so many further images were handled, and so something is written.
  package func isUsed(after images: Int) -> Bool { callCount + images >= settings.firstCall }

  /// Begins a step: what was written before stays.
  package mutating func beginStep() {
    firstOfStep = callCount
    written = []
  }

  /// Puts everything back as it was when the step began.
  ///
  /// - Returns: What was written since, in the order of slots, and how many images were handled.
  package mutating func takenBack() -> (entries: [Entry], images: Int) {
    for write in written.reversed() { entries[write.entry.image] = write.before }
    let taken = (written.map(\.entry), callCount - firstOfStep)
    callCount = firstOfStep
    beginStep()
    return taken
  }

  /// Ends a step with what all replicas have written: of one image the highest slot counts, and in
  /// it the highest replica.
  ///
  /// - Parameters:
  ///   - replicas: What each of them has written, in their order.
  ///   - images: How many images each of them has handled.
  package mutating func apply(_ replicas: [[Entry]], images: Int) {
    callCount += images
    let all = replicas.enumerated().flatMap { replica, entries in
      entries.map { (replica: replica, entry: $0) }
    }
    for (_, entry) in all.sorted(by: {
      ($0.entry.slot, $0.replica) < ($1.entry.slot, $1.replica)
    }) {
      entries[entry.image] = entry.boxes
    }
    beginStep()
  }

  private func reduced(_ boxes: [ScoredBox]) -> [ScoredBox] {
    let sure = boxes.filter { $0.score > objectness }
    guard sure.isEmpty else { return ProposalFilter.suppressed(sure, overlap: overlap) }
    return ProposalFilter.best(1, of: boxes)
  }
}
