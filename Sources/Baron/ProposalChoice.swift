import Geometry

/// The proposals of each image that a method with crops looks at: those of a filter, with what is
/// remembered of the image (spec method 1.3 and 1.5).
struct ProposalChoice {
  /// Which proposals are chosen.
  let filter: ProposalFilter
  /// The box cache; part of a checkpoint.
  var cache: BoxCache?

  /// Starts with an empty cache, or without one; a checkpoint calls it `name`.
  init(_ filter: ProposalFilter, _ cache: BoxCacheSettings, name: String) {
    self.filter = filter
    self.cache = cache.enabled ? BoxCache(name, cache, filter: filter) : nil
  }

  /// The chosen boxes of each image in pixels of the resized image, best first.
  mutating func callAsFunction(
    _ batch: AlignmentBatch, _ proposals: [[ScoredBox]]
  ) -> [[Box]] {
    batch.frames.indices.map { image in
      let frame = batch.frames[image]
      let (width, height) = (Float(frame.width), Float(frame.height))
      let chosen = filter(
        proposals[image], groundTruth: batch.groundTruth[image], width: width, height: height)
      return (cache?.merged(chosen, image: batch.ids[image], view: frame) ?? chosen).map(\.box)
    }
  }
}
