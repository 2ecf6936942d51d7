/// Which keys of its configuration may change while a run goes on.
package enum ResumeOverrides {
  /// What no weight, order or moment depends on, places of files, and how fast the run learns.
  private static let free: Set = [
    "training.iterations", "training.checkpoint_every", "training.keep_checkpoints",
    "training.keep_best", "training.evaluate_every", "training.log_every", "training.tensorboard",
    replicas, "data.threads",
    "data.prefetch", "data.train_annotations", "data.train_images", "data.train_captions",
    "data.alignment_annotations", "data.alignment_images", "data.caption_annotations",
    "data.caption_images", "data.validation_annotations", "data.validation_images", "clip.folder",
    "optimizer.rate", "optimizer.milestones", "optimizer.factor", "optimizer.gradient_limit.kind",
    "optimizer.gradient_limit.limit",
  ]

  private static let replicas = "training.replicas"

  /// Whether the run is to go on with another number of replicas, as `--replicas` asks for too.
  ///
  /// - Parameter overrides: Texts `section.key=value`.
  package static func changeReplicas(_ overrides: [String]) -> Bool {
    overrides.contains { $0.prefix { $0 != "=" } == replicas }
  }

  /// Why other keys may not, by what they begin with.
  private static let reasons = [
    ("model", "the weights of its checkpoints are made for it"),
    ("clip", "what it has learnt is aligned with it"),
    ("alignment", "its queues and losses are made for it"),
    ("captions", "its queues and losses are made for it"),
    ("optimizer", "the moments of its checkpoints are made for it"),
    ("data", "which images come when follows from it"),
    ("training", "all its random choices follow from it"),
  ]

  /// Refuses what would break a run.
  ///
  /// - Parameter overrides: Texts `section.key=value`.
  /// - Throws: ``ConfigurationError`` naming the key and the reason.
  package static func check(_ overrides: [String]) throws {
    for text in overrides {
      let key = String(text.prefix { $0 != "=" })
      guard !free.contains(key) else { continue }
      // A key that does not exist is refused, with the right one, where it is read.
      guard let reason = reasons.first(where: { key.hasPrefix($0.0 + ".") || key == $0.0 })?.1
      else { continue }
      throw ConfigurationError.conflict(
        place: ConfigurationPlace("--set \(text)"), key: key,
        reason: "stays as it is while a run goes on, for \(reason); start a new run with it")
    }
  }
}
