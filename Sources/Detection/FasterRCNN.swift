import Formats
import Geometry
import Layers
import Tensors

/// The images of one detection step.
package struct DetectionBatch {
  /// `[N, H, W, 3]`, normalised and padded with zeros at the bottom and the right.
  package var images: Tensor
  /// Each image's own size.
  package var frames: [ImageView]
  /// Each image's boxes.
  package var groundTruth: [TargetBoxes]

  /// Puts a batch together.
  package init(images: Tensor, frames: [ImageView], groundTruth: [TargetBoxes]) {
    precondition(
      images.rank == 4 && images.shape[0] == frames.count && frames.count == groundTruth.count,
      "images \(images.shape), \(frames.count) frames and \(groundTruth.count) ground truths")
    self.images = images
    self.frames = frames
    self.groundTruth = groundTruth
  }
}

/// The classes that regions are compared with.
package struct ClassVocabulary {
  /// `[C, D']`, unit rows, constant.
  package var embeddings: Tensor
  /// For each class whether training has boxes of it.
  package var isBase: [Bool]

  /// Puts a vocabulary together.
  package init(embeddings: Tensor, isBase: [Bool]) {
    precondition(
      embeddings.rank == 2 && embeddings.shape[0] == isBase.count,
      "embeddings \(embeddings.shape) for \(isBase.count) classes")
    self.embeddings = embeddings
    self.isBase = isBase
  }

  /// Number of classes C.
  package var count: Int { isBase.count }
}

/// Faster R-CNN whose classes are text embeddings (spec detector 2).
package struct FasterRCNN {
  /// What the detector is built from.
  package let configuration: DetectorConfiguration
  /// How regions are pooled for the box head.
  private let pooling: RegionPooling
  /// The region proposal network.
  package let proposalNetwork: RegionProposalNetwork
  /// Words, class logits and deltas of pooled regions.
  package let head: BoxHead
  /// Masks of pooled regions, or nil.
  package let maskHead: MaskHead?
  private let backbone: ResNet
  private let neck: FeaturePyramid?
  private let sharedStage: ResidualStage?

  /// Creates the detector.
  ///
  /// - Parameters:
  ///   - scope: Where `backbone`, `neck`, `rpn_head` and `roi_head` are named.
  ///   - configuration: Its shape.
  ///   - text: Widths of the text encoder that its words go through.
  package init(
    _ scope: ParameterScope, _ configuration: DetectorConfiguration, text: TextWidths
  ) throws {
    self.configuration = configuration
    pooling = configuration.pooling
    let (body, stages, width) = (
      configuration.backbone, configuration.outputStages, configuration.mapWidth
    )
    backbone = try ResNet(scope / "backbone", body, outputStages: stages)
    neck =
      configuration.hasPyramid
      ? try FeaturePyramid(
        scope / "neck", inputs: stages.map { body.width(of: $0) }, width: width,
        norm: configuration.neck.norm) : nil
    proposalNetwork = try RegionProposalNetwork(
      scope / "rpn_head", configuration.rpn, width: width)
    let regionHead = scope / "roi_head"
    // Without a pyramid the fourth stage is part of the head.
    sharedStage =
      configuration.hasPyramid
      ? nil
      : try ResidualStage(
        regionHead / "shared_head" / "layer4", inputs: width, width: body.stageWidths[3],
        blocks: body.blocks[3], stride: 2, style: body.style, norm: .frozen)
    head = try BoxHead(
      regionHead / "bbox_head", configuration.head, configuration.headWidths(text))
    maskHead =
      configuration.mask.enabled
      ? try MaskHead(regionHead / "mask_head", configuration.mask, inputWidth: width) : nil
  }

  /// The maps that proposals and regions are made from.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised and padded.
  ///   - training: Whether trained batch norm layers use the batch's statistics.
  /// - Returns: One `[N, H/s, W/s, C]` per stride of the proposal network, finest first.
  package func features(_ images: Tensor, training: Bool) throws -> [Tensor] {
    let maps = try images.stream.phase("backbone") { try backbone(images, training: training) }
    guard let neck else { return maps }
    return try images.stream.phase("neck") { try neck(maps, training: training) }
  }

  /// What the box head sees of regions.
  ///
  /// - Parameters:
  ///   - maps: The detector's maps.
  ///   - regions: `[R, 5]`: image, x1, y1, x2, y2; see `Tensor.regions`.
  ///   - training: Whether trained batch norm layers use the regions' statistics.
  /// - Returns: `[R, h, w, C]` for ``WordHead/features(_:training:)``.
  package func regionFeatures(
    _ maps: [Tensor], regions: Tensor, training: Bool
  ) throws -> Tensor {
    let pooled = try pooling(maps, regions: regions)
    return try sharedStage?(pooled, training: training) ?? pooled
  }

  /// The maps of images, with proposals on their way to the host; proposals have no gradient.
  ///
  /// - Parameters:
  ///   - images: `[N, H, W, 3]`, normalised and padded.
  ///   - frames: Each image's own size.
  ///   - training: Chooses the limits and the statistics of batch norm; the alignment losses use
  ///     those of training.
  /// - Returns: Maps and proposals; nothing has waited for the device.
  package func propose(
    _ images: Tensor, frames: [ImageView], training: Bool
  ) throws -> ProposedImages {
    let maps = try features(images, training: training)
    return ProposedImages(
      maps: maps,
      proposals: try images.stream.phase("proposals") {
        try images.stream.withoutGradients {
          let detached = maps.map { $0.detached() }
          return try proposalNetwork.proposals(
            try proposalNetwork(detached), try proposalNetwork.grid(detached), frames: frames,
            limits: configuration.rpn.limits(training: training)
          ).readLater()
        }
      })
  }
}

/// Images that proposals were made for.
package struct ProposedImages {
  /// The detector's maps, finest first.
  package let maps: [Tensor]
  /// Their proposals, on their way to the host.
  package let proposals: PendingProposals
}
