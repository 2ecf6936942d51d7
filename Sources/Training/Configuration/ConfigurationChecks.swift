import Formats
import Settings

extension RunConfiguration {
  /// Tokens that the text encoder of CLIP takes, the start and the end included.
  private static let textLength = 77
  /// Pixels between neighbouring cells of the maps that proposals come from (spec detector 2.2).
  private static let pyramidStrides = [4, 8, 16, 32, 64]
  private static let singleMapStrides = [16]

  /// The keys without which training is impossible and that are empty.
  var missingForTraining: [String] {
    var needed = [
      ("clip.folder", clip.folder), ("data.train_annotations", data.trainAnnotations),
      ("data.train_images", data.trainImages), ("data.class_split", data.classSplit),
    ]
    if methods.contains(where: { $0.stream == .captions }) {
      needed.insert(("data.caption_annotations", data.captionAnnotations), at: 0)
    }
    return needed.filter(\.1.isEmpty).map(\.0)
  }

  /// Checks that the paths are there without which training is impossible.
  ///
  /// - Throws: ``ConfigurationError`` with the first key that is empty.
  package func requirePathsForTraining() throws {
    if let key = missingForTraining.first { throw ConfigurationError.missing(key: key) }
  }

  /// Checks that the paths are there that measuring a detector needs.
  ///
  /// - Throws: ``ConfigurationError`` with the first key that is empty.
  package func requireValidation() throws {
    let needed = [
      ("clip.folder", clip.folder), ("data.validation_annotations", data.validationAnnotations),
      ("data.validation_images", data.validationImages),
    ]
    for (key, path) in needed where path.isEmpty { throw ConfigurationError.missing(key: key) }
  }

  func conflicts() -> [(key: String, reason: String)] {
    anchorConflicts() + dataConflicts() + methodConflicts() + trainingConflicts()
  }

  private func anchorConflicts() -> [(key: String, reason: String)] {
    let kind = model.head.kind
    let strides = model.rpn.anchorStrides
    let sizes = model.rpn.anchorSizes
    let wanted = kind == .fpn ? Self.pyramidStrides : Self.singleMapStrides
    guard strides == wanted else {
      return [
        (
          "model.rpn.anchor_strides",
          "is \(strides.settingText), but a head of kind \(kind.rawValue) has maps of \(wanted.settingText)"
        )
      ]
    }
    guard kind == .fpn else { return [] }
    guard sizes.count == strides.count else {
      return [
        (
          "model.rpn.anchor_sizes",
          "has \(sizes.count, "value"), but there are \(strides.count) anchor_strides; "
            + "give each level one size"
        )
      ]
    }
    // All levels share one set of anchors in units of the stride (spec detector 2.3).
    let scales = zip(sizes, strides).map { $0 / Float($1) }
    guard scales.allSatisfy({ $0 == scales[0] }) else {
      return [
        (
          "model.rpn.anchor_sizes",
          "is \(sizes.settingText), but sizes must be one multiple of anchor_strides \(strides.settingText)"
        )
      ]
    }
    return []
  }

  private func dataConflicts() -> [(key: String, reason: String)] {
    var found: [(key: String, reason: String)] = []
    if let largest = data.shortSides.max(), largest > data.longSide {
      found.append(
        ("data.short_sides", "has \(largest), which is more than long_side \(data.longSide)"))
    }
    if data.testShortSide > data.longSide {
      found.append(
        (
          "data.test_short_side",
          "is \(data.testShortSide), which is more than long_side \(data.longSide)"
        ))
    }
    if training.evaluateEvery > 0, data.validationAnnotations.isEmpty,
      !data.trainAnnotations.isEmpty
    {
      found.append(
        (
          "training.evaluate_every",
          "is \(training.evaluateEvery), but data.validation_annotations is empty; "
            + "give them or set evaluate_every to 0"
        ))
    }
    return found
  }

  private func methodConflicts() -> [(key: String, reason: String)] {
    var found = methods.flatMap {
      $0.conflicts(words: model.head.words, contextLength: Self.textLength)
    }
    for method in methods where training.batch(of: method.stream) == 0 {
      found.append(
        (
          "training.\(training.batchKey(of: method.stream))",
          "is 0, but \(method.switchedOn.by); give at least 1\(method.switchedOn.orGive)"
        ))
    }
    if methods.isEmpty, model.head.ensemble != nil {
      found.append(
        (
          "model.head.ensemble",
          "is \(model.head.ensemble.settingText), but alignment.kind is none and captions are off, so "
            + "nothing would train the second head; give none"
        ))
    }
    return found
  }

  private func trainingConflicts() -> [(key: String, reason: String)] {
    var found: [(key: String, reason: String)] = []
    if model.head.activation == .sigmoid, model.head.ensemble != nil {
      found.append(
        (
          "model.head.ensemble",
          "is \(model.head.ensemble.settingText), but the activation is sigmoid; two heads are combined "
            + "by softmax scores only"
        ))
    }
    if model.mask.enabled, model.head.kind == .c4 {
      found.append(
        ("model.mask.enabled", "is true, but a mask head needs a pyramid: head.kind is c4"))
    }
    let milestones = optimizer.milestones
    if zip(milestones, milestones.dropFirst()).contains(where: { $0 >= $1 }) {
      found.append(("optimizer.milestones", "must rise from value to value"))
    }
    return found
  }
}
