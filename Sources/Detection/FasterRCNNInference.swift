import Geometry
import Layers
import Masks
import Tensors

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
        try detect(
          proposed.maps, image: image, frame: frames[image],
          proposals: proposals[image].map(\.box), vocabulary: vocabulary, textEncoder: textEncoder,
          logitBias: bias)
      }
    }
  }

  /// One image at a time, so that the memory for words does not grow with the batch.
  private func detect(
    _ maps: [Tensor], image: Int, frame: ImageView, proposals: [Box],
    vocabulary: ClassVocabulary, textEncoder: any PseudoTextEncoder, logitBias: Float
  ) throws -> [DetectedObject] {
    guard !proposals.isEmpty, vocabulary.count > 0 else { return [] }
    let stream = maps[0].stream
    let regions = try Tensor.regions(proposals.map { Region(image: image, box: $0) }, on: stream)
    let pooled = try regionFeatures(maps, regions: regions, training: false)
    let features = try head.main.features(pooled, training: false)
    func logits(_ part: WordHead, _ features: Tensor) throws -> Tensor {
      try head.classLogits(
        try textEncoder.encode(words: try part.words(features), keep: nil),
        classEmbeddings: vocabulary.embeddings, training: false)
    }
    let decoded = try Tensor(
      proposals.corners, shape: [proposals.count, 4], on: stream, label: "proposals"
    ).decodedBoxes(
      try head.deltas(features), coding: BoxCoder.proposals.coding,
      imageSize: (Float(frame.width), Float(frame.height)))
    let main = try logits(head.main, features)
    let rule = configuration.head.detections
    let found: [DetectedObject]
    switch configuration.head.activation {
    case .sigmoid:
      found = rule.selectSigmoid(
        logits: try main.floats(), classes: vocabulary.count, logitBias: logitBias,
        boxes: [Box](corners: try decoded.floats()))
    case .softmax:
      var scores = try main.softmax().floats()
      if let ensemble = configuration.head.scores {
        let other = try logits(
          head.alignment, try head.alignment.features(pooled, training: false))
        scores = ensemble.combined(
          main: scores, other: try other.softmax().floats(), isBase: vocabulary.isBase + [true])
      }
      found = rule.select(
        ranks: scores, columns: vocabulary.count + 1, classes: vocabulary.count,
        boxes: [Box](corners: try decoded.floats()), threshold: Float(rule.scoreThreshold))
    }
    let original = found.map { object in
      var object = object
      object.box = frame.original(object.box)
      return object
    }
    let masked = found.indices.filter { !rule.rivals.contains(found[$0].label) }
    guard let maskHead, !masked.isEmpty else { return original }
    let masks = try maskHead.probabilities(
      maps, image: image, boxes: masked.map { found[$0].box })
    var result = original
    for (index, mask) in zip(masked, masks) {
      result[index].mask = try RunLengthMask(
        width: frame.originalWidth, height: frame.originalHeight, pasting: mask,
        side: maskHead.configuration.side, into: result[index].box)
    }
    return result
  }
}
