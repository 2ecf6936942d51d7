import Geometry
import Layers
import Masks
import Tensors

/// What an image shows before anything is named: its proposals as text features with their boxes.
///
/// Everything that costs the backbone is in here, so that other names for the same image cost little.
package struct ImageRegions {
  /// The image's own size and scale.
  package let frame: ImageView
  /// The boxes after the head's deltas, in pixels of the resized image.
  let boxes: [Box]
  /// `[R, D']` of the main head; nil without proposals.
  let main: Tensor?
  /// `[R, D']` of the second head, where scores of two are combined.
  let other: Tensor?
  /// The detector's maps for masks, of which the image is one of the batch.
  let maps: [Tensor]
  let image: Int
  /// What sigmoid scores add to every logit.
  let logitBias: Float

  /// Bytes of device memory.
  package var byteCount: Int {
    ([main, other].compactMap { $0 } + maps).reduce(0) {
      $0 + $1.count * $1.elementType.bytes
    }
  }
}

/// What an image's regions are called.
package struct NamedRegions {
  /// The objects, best first, in pixels of the original image.
  package let objects: [DetectedObject]
  /// `[R, columns]`: how well each class fits each proposal, row by row; scores, or logits of sigmoid
  /// scores.
  let ranks: [Float]
  let columns: Int
  let classes: Int
  let score: (Float) -> Float

  /// The scores of all classes for an object.
  ///
  /// - Parameter object: One of ``objects``.
  /// - Returns: One score a class.
  package func scores(of object: DetectedObject) -> [Float] {
    let start = object.proposal * columns
    return ranks[start..<start + classes].map(score)
  }
}

extension FasterRCNN {
  /// Finds objects (spec detector 2.9).
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised and padded.
  ///   - frames: Each image's own size and scale.
  ///   - vocabulary: The classes to look for.
  ///   - textEncoder: Encodes pseudo words.
  /// - Returns: The detections of each image, best first, in pixels of the original images.
  /// - Throws: `OpenCLError` when the device fails, `MaskError` for masks of an image that is too
  ///   large, or what the text encoder throws.
  package func detect(
    _ images: Tensor, frames: [ImageView], vocabulary: ClassVocabulary,
    textEncoder: any PseudoTextEncoder
  ) throws -> [[DetectedObject]] {
    // One image at a time, so that the memory for words does not grow with the batch.
    try forEachImage(images, frames: frames, textEncoder: textEncoder) {
      try named($0, vocabulary: vocabulary).objects
    }
  }

  /// Looks at images without naming anything.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised and padded.
  ///   - frames: Each image's own size and scale.
  ///   - textEncoder: Encodes pseudo words.
  /// - Returns: What each image shows.
  /// - Throws: `OpenCLError` when the device fails, or what the text encoder throws.
  package func regions(
    _ images: Tensor, frames: [ImageView], textEncoder: any PseudoTextEncoder
  ) throws -> [ImageRegions] {
    try forEachImage(images, frames: frames, textEncoder: textEncoder) { $0 }
  }

  private func forEachImage<Result>(
    _ images: Tensor, frames: [ImageView], textEncoder: any PseudoTextEncoder,
    _ body: (ImageRegions) throws -> Result
  ) throws -> [Result] {
    precondition(
      images.rank == 4 && images.shape[0] == frames.count,
      "images \(images.shape) for \(frames.count) frames")
    return try images.stream.withoutGradients {
      let proposed = try propose(images, frames: frames, training: false)
      let proposals = try proposed.proposals.read()
      let bias =
        configuration.head.activation == .sigmoid
          && !configuration.head.detections.usesReferenceSigmoid
        ? try head.currentLogitBias() : 0
      return try frames.indices.map { image in
        try body(
          try regions(
            proposed.maps, image: image, frame: frames[image],
            proposals: proposals[image].map(\.box), textEncoder: textEncoder, logitBias: bias))
      }
    }
  }

  private func regions(
    _ maps: [Tensor], image: Int, frame: ImageView, proposals: [Box],
    textEncoder: any PseudoTextEncoder, logitBias: Float
  ) throws -> ImageRegions {
    guard !proposals.isEmpty else {
      return ImageRegions(
        frame: frame, boxes: [], main: nil, other: nil, maps: [], image: image,
        logitBias: logitBias)
    }
    let stream = maps[0].stream
    let regions = try Tensor.regions(proposals.map { Region(image: image, box: $0) }, on: stream)
    let pooled = try regionFeatures(maps, regions: regions, training: false)
    let features = try head.main.features(pooled, training: false)
    func text(_ part: WordHead, _ features: Tensor) throws -> Tensor {
      try textEncoder.encode(words: try part.words(features), keep: nil)
    }
    let decoded = try Tensor(
      proposals.corners, shape: [proposals.count, 4], on: stream, label: "proposals"
    ).decodedBoxes(
      try head.deltas(features), coding: BoxCoder.proposals.coding,
      imageSize: (Float(frame.width), Float(frame.height)))
    let main = try text(head.main, features)
    let other =
      configuration.head.scores == nil
      ? nil : try text(head.alignment, try head.alignment.features(pooled, training: false))
    return ImageRegions(
      frame: frame, boxes: [Box](corners: try decoded.floats()), main: main, other: other,
      maps: maskHead == nil ? [] : maps, image: image, logitBias: logitBias)
  }

  /// Names what an image shows.
  ///
  /// - Parameters:
  ///   - regions: The image's regions.
  ///   - vocabulary: The classes to look for.
  ///   - threshold: Objects score more than this, with softmax; nil takes the configuration's.
  ///   - rivals: ``DetectionRule/rivals``; nil takes the configuration's.
  /// - Returns: The objects with the scores of all classes.
  /// - Throws: `OpenCLError` when the device fails, `MaskError` for masks of an image that is too
  ///   large.
  package func named(
    _ regions: ImageRegions, vocabulary: ClassVocabulary, above threshold: Float? = nil,
    rivals: Set<Int>? = nil
  ) throws -> NamedRegions {
    let classes = vocabulary.count
    var rule = configuration.head.detections
    if let rivals { rule.rivals = rivals }
    func named(
      _ objects: [DetectedObject], _ ranks: [Float], score: @escaping (Float) -> Float = { $0 }
    ) -> NamedRegions {
      NamedRegions(
        objects: objects, ranks: ranks, columns: classes + 1, classes: classes, score: score)
    }
    guard let main = regions.main, classes > 0 else { return named([], []) }
    return try main.stream.withoutGradients {
      func logits(_ features: Tensor) throws -> Tensor {
        try head.classLogits(
          features, classEmbeddings: vocabulary.embeddings, training: false)
      }
      let found: [DetectedObject]
      let ranks: [Float]
      var score: (Float) -> Float = { $0 }
      switch configuration.head.activation {
      case .sigmoid:
        ranks = try logits(main).floats()
        score = { DetectionRule.sigmoid($0 + regions.logitBias) }
        found = rule.selectSigmoid(
          logits: ranks, classes: classes, logitBias: regions.logitBias, boxes: regions.boxes)
      case .softmax:
        var scores = try logits(main).softmax().floats()
        if let ensemble = configuration.head.scores, let other = regions.other {
          scores = ensemble.combined(
            main: scores, other: try logits(other).softmax().floats(),
            isBase: vocabulary.isBase + [true])
        }
        ranks = scores
        found = rule.select(
          ranks: ranks, columns: classes + 1, classes: classes, boxes: regions.boxes,
          threshold: threshold ?? Float(rule.scoreThreshold))
      }
      return named(try finished(found, regions, rivals: rule.rivals), ranks, score: score)
    }
  }

  /// Boxes in pixels of the original image, with masks of all but rivals if there is a mask head.
  private func finished(
    _ found: [DetectedObject], _ regions: ImageRegions, rivals: Set<Int>
  ) throws -> [DetectedObject] {
    let frame = regions.frame
    let original = found.map { object in
      var object = object
      object.box = frame.original(object.box)
      return object
    }
    let masked = found.indices.filter { !rivals.contains(found[$0].label) }
    guard let maskHead, !masked.isEmpty else { return original }
    let masks = try maskHead.probabilities(
      regions.maps, image: regions.image, boxes: masked.map { found[$0].box })
    var result = original
    for (index, mask) in zip(masked, masks) {
      result[index].mask = try RunLengthMask(
        width: frame.originalWidth, height: frame.originalHeight, pasting: mask,
        side: maskHead.configuration.side, into: result[index].box)
    }
    return result
  }
}
