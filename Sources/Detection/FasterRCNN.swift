import Formats
import Layers
import Tensors

/// The images of one detection step.
public struct DetectionBatch {
  /// `[N, H, W, 3]`, normalised and padded with zeros at the bottom and the right.
  public var images: Tensor
  /// Each image's own size.
  public var frames: [ImageFrame]
  /// Each image's boxes.
  public var groundTruth: [TargetBoxes]

  /// Puts a batch together.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`.
  ///   - frames: Each image's own size.
  ///   - groundTruth: Each image's boxes.
  public init(images: Tensor, frames: [ImageFrame], groundTruth: [TargetBoxes]) {
    precondition(
      images.rank == 4 && images.shape[0] == frames.count && frames.count == groundTruth.count,
      "images \(images.shape), \(frames.count) frames and \(groundTruth.count) ground truths")
    self.images = images
    self.frames = frames
    self.groundTruth = groundTruth
  }
}

/// The classes that regions are compared with.
public struct ClassVocabulary {
  /// `[C, D']`, unit rows, constant.
  public var embeddings: Tensor
  /// For each class whether training has boxes of it.
  public var isBase: [Bool]

  /// Puts a vocabulary together.
  ///
  /// - Parameters:
  ///   - embeddings: `[C, D']`, unit rows.
  ///   - isBase: For each class whether training has boxes of it.
  public init(embeddings: Tensor, isBase: [Bool]) {
    precondition(
      embeddings.rank == 2 && embeddings.shape[0] == isBase.count,
      "embeddings \(embeddings.shape) for \(isBase.count) classes")
    self.embeddings = embeddings
    self.isBase = isBase
  }

  /// Number of classes C.
  public var count: Int { isBase.count }
}

/// Faster R-CNN whose classes are text embeddings (spec detector 2).
public struct FasterRCNN {
  /// What the detector is built from.
  public let configuration: DetectorConfiguration
  /// The region proposal network.
  public let proposalNetwork: RegionProposalNetwork
  /// Words, class logits and deltas of pooled regions.
  public let head: BoxHead
  /// Masks of pooled regions, or nil.
  public let maskHead: MaskHead?
  private let backbone: ResNet
  private let neck: FeaturePyramid?
  private let sharedStage: ResidualStage?

  /// Creates the detector.
  ///
  /// - Parameters:
  ///   - scope: Where `backbone`, `neck`, `rpn_head` and `roi_head` are named.
  ///   - configuration: Its shape.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(_ scope: ParameterScope, _ configuration: DetectorConfiguration) throws {
    self.configuration = configuration
    backbone = try ResNet(scope / "backbone", configuration.backbone)
    neck = try configuration.pyramid.map {
      try FeaturePyramid(
        scope / "neck", inputs: configuration.backbone.outputWidths, width: $0.width, norm: $0.norm)
    }
    proposalNetwork = try RegionProposalNetwork(scope / "rpn_head", configuration.proposals)
    let regionHead = scope / "roi_head"
    sharedStage = try configuration.sharedStage.map { stage in
      try ResidualStage(
        regionHead / "shared_head" / "layer4",
        inputs: configuration.pyramid?.width ?? configuration.backbone.outputWidths.last ?? 0,
        width: stage.width, blocks: stage.blocks, stride: 2,
        stridePlace: configuration.backbone.stridePlace, norm: stage.norm)
    }
    head = try BoxHead(regionHead / "bbox_head", configuration.head)
    maskHead = try configuration.mask.map { try MaskHead(regionHead / "mask_head", $0) }
  }

  /// The maps that proposals and regions are made from.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised and padded.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: One `[N, H/s, W/s, C]` per stride of the proposal network, finest first.
  /// - Throws: `OpenCLError` when the device fails.
  public func features(_ images: Tensor, training: Bool) throws -> [Tensor] {
    let maps = try images.stream.phase("backbone") { try backbone(images, training: training) }
    guard let neck else { return maps }
    return try images.stream.phase("neck") { try neck(maps, training: training) }
  }

  /// What the box head sees of regions.
  ///
  /// - Parameters:
  ///   - maps: The detector's maps.
  ///   - regions: `[R, 5]`: image, x1, y1, x2, y2; see ``RegionPooling/regions(_:on:)``.
  ///   - training: Whether trained batch norm layers use the regions' statistics.
  /// - Returns: `[R, h, w, C]` for ``WordHead/features(_:training:)``.
  /// - Throws: `OpenCLError` when the device fails.
  public func regionFeatures(
    _ maps: [Tensor], regions: Tensor, training: Bool
  ) throws -> Tensor {
    let pooled = try configuration.pooling(maps, regions: regions)
    return try sharedStage?(pooled, training: training) ?? pooled
  }

  /// Proposals of every image; no gradient.
  ///
  /// - Parameters:
  ///   - maps: The detector's maps.
  ///   - frames: Each image's own size.
  ///   - training: Chooses the limits; the alignment losses use those of training.
  /// - Returns: Boxes in pixels of the resized image and their objectness, best first, per image.
  /// - Throws: `OpenCLError` when the device fails.
  public func proposals(
    _ maps: [Tensor], frames: [ImageFrame], training: Bool
  ) throws -> [(boxes: [Box], scores: [Float])] {
    guard let stream = maps.first?.stream else { return [] }
    let limits = configuration.proposals
    return try stream.phase("proposals") {
      try stream.withoutGradients {
        try proposalNetwork.proposals(
          try proposalNetwork(maps), AnchorGrid(proposalNetwork.anchors, maps: maps),
          frames: frames, limits: training ? limits.trainingLimits : limits.testLimits)
      }
    }
  }

  /// The losses of detection, by the names of the reference's log.
  ///
  /// - Parameters:
  ///   - batch: Images with their boxes.
  ///   - vocabulary: The classes of training.
  ///   - textEncoder: Encodes pseudo words.
  ///   - seed: The run's seed.
  ///   - iteration: The step; random choices depend on seed, step and image id only.
  /// - Returns: `loss_rpn_cls`, `loss_rpn_bbox`, `loss_cls`, `loss_bbox` and, with a mask head,
  ///   `loss_mask`: scalars to add.
  /// - Throws: `OpenCLError` when the device fails, or what the text encoder throws.
  public func detectionLosses(
    _ batch: DetectionBatch, vocabulary: ClassVocabulary, textEncoder: any PseudoTextEncoder,
    seed: UInt64, iteration: Int
  ) throws -> [String: Tensor] {
    let stream = batch.images.stream
    func random(_ purpose: String, _ frame: ImageFrame) -> CounterRandom {
      CounterRandom(
        seed: seed, CounterRandom.key(purpose), UInt64(iteration),
        UInt64(bitPattern: Int64(frame.imageID)))
    }
    let maps = try features(batch.images, training: true)
    let output = try stream.phase("proposals") { try proposalNetwork(maps) }
    let grid = AnchorGrid(proposalNetwork.anchors, maps: maps)
    // The device runs the backbone while the host matches anchors.
    let anchors = zip(batch.frames, batch.groundTruth).map { frame, truth in
      var random = random("rpn", frame)
      return proposalNetwork.sample(
        grid, frame: frame, groundTruth: truth.boxes, random: &random)
    }
    let (proposalLosses, proposals) = try stream.phase("proposals") {
      (
        try proposalNetwork.losses(output, anchors),
        try proposalNetwork.proposals(
          output, grid, frames: batch.frames, limits: configuration.proposals.trainingLimits)
      )
    }
    let samples = batch.frames.indices.map { image in
      var random = random("regions", batch.frames[image])
      return configuration.sampling.sample(
        proposals: proposals[image].boxes, groundTruth: batch.groundTruth[image],
        classes: vocabulary.count, random: &random)
    }
    var losses = [
      "loss_rpn_cls": proposalLosses.objectness, "loss_rpn_bbox": proposalLosses.box,
    ]
    guard samples.contains(where: { !$0.boxes.isEmpty }) else {
      for name in ["loss_cls", "loss_bbox"] + (maskHead == nil ? [] : ["loss_mask"]) {
        losses[name] = try Tensor(repeating: 0, shape: [], on: stream, label: name)
      }
      return losses
    }
    let kept = zip(batch.frames, samples).flatMap { frame, sample in
      var random = random("words", frame)
      return configuration.head.keptWords(regions: sample.boxes.count, random: &random)
    }
    try stream.phase("box head") {
      let regions = try RegionPooling.regions(samples.map(\.boxes), on: stream)
      let pooled = try regionFeatures(maps, regions: regions, training: true)
      let features = try head.main.features(pooled, training: true)
      let text = try textEncoder.encode(
        words: try head.main.words(features), keep: configuration.head.wordDropout > 0 ? kept : nil)
      let headLosses = try head.losses(
        logits: try head.classLogits(
          text, classEmbeddings: vocabulary.embeddings, training: true),
        deltas: try head.deltas(features), samples: samples,
        classWeights: configuration.head.classWeights(isBase: vocabulary.isBase))
      losses["loss_cls"] = headLosses.classification
      losses["loss_bbox"] = headLosses.box
    }
    if let maskHead {
      losses["loss_mask"] = try stream.phase("mask head") {
        try maskHead.loss(maps, batch: batch, samples: samples)
      }
    }
    return losses
  }
}
