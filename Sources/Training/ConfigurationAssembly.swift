import CLIP
import Checkpoints
import Detection
import Layers
import Tensors

extension RunConfiguration {
  /// Checks that the words of a sentence fit into this CLIP model's context (spec method 1.18).
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  /// - Throws: `CheckpointError` that says how many positions are missing.
  func check(clip: CLIPConfiguration) throws {
    let words = model.head.words
    let needed = methods.reduce(words + 2) { max($0, $1.longestSentence(words: words)) }
    guard needed <= clip.contextLength else {
      throw CheckpointError.configuration(
        path: self.clip.folder, field: "max_position_embeddings",
        reason: "the text encoder takes \(clip.contextLength) positions, but model.head.words "
          + "\(words) needs \(needed); give fewer words or another CLIP model")
    }
  }

  /// The state of the end token that classification compares (spec detector 2.7).
  ///
  /// - Parameter clip: Sizes of the CLIP model.
  /// - Returns: The last block's output or the final feature.
  func textOutput(clip: CLIPConfiguration) -> TextEncoder.Output {
    model.head.feature == .final ? .final : .block(clip.text.layers)
  }

  /// The detector that the configuration describes.
  ///
  /// - Parameter clip: Sizes of the CLIP model, which give the width of words and embeddings.
  /// - Returns: The detector's configuration.
  func detector(clip: CLIPConfiguration) -> DetectorConfiguration {
    let isPyramid = model.head.kind == .fpn
    var detector = isPyramid ? DetectorConfiguration.pyramid : DetectorConfiguration.singleMap
    detector.backbone.stemWidth = model.backbone.stemWidth
    detector.backbone.stageWidths = Array(
      model.backbone.stageWidths.prefix(isPyramid ? 4 : 3))
    detector.backbone.blocks = Array(model.backbone.blocks.prefix(isPyramid ? 4 : 3))
    detector.backbone.stridePlace = model.backbone.style == .caffe ? .first : .middle
    detector.backbone.norm = model.backbone.norm == .batch ? .batch : .frozen
    detector.backbone.frozenParts = model.backbone.frozenStages
    let widths = detector.backbone.outputWidths
    if isPyramid {
      detector.pyramid = .init(width: model.neck.channels, norm: model.neck.norm.mode)
    }
    let channels = isPyramid ? model.neck.channels : widths.last ?? 0
    detector.proposals = proposals(inputWidth: channels)
    detector.head = head(clip: clip, inputWidth: channels)
    if !isPyramid {
      // The fourth stage is the region head (spec detector 2.2).
      detector.sharedStage?.width = model.backbone.stageWidths[3]
      detector.sharedStage?.blocks = model.backbone.blocks[3]
      detector.head.inputWidth = 4 * model.backbone.stageWidths[3]
    }
    if model.mask.enabled {
      var mask = MaskHeadConfiguration()
      mask.convolutions = model.mask.convolutions
      mask.width = model.mask.channels
      mask.inputWidth = channels
      mask.norm = model.mask.norm.mode
      detector.mask = mask
    }
    detector.sampling.samples = model.head.rois
    detector.sampling.positiveFraction = Float(model.head.positiveFraction)
    detector.sampling.matchesLowQuality = model.head.matchLowQuality
    detector.detections.scoreThreshold = Float(model.head.scoreThreshold)
    detector.detections.limit = model.head.detectionsPerImage
    detector.detections.overlap = Float(model.head.nmsThreshold)
    return detector
  }

  /// The start of the logit bias: the published one of the sigmoid variant (spec detector 2.10).
  var boxHeadLogitBias: Float? { model.head.activation == .sigmoid ? -20 : nil }

  private func proposals(inputWidth: Int) -> RegionProposalConfiguration {
    var proposals = RegionProposalConfiguration()
    let rpn = model.rpn
    proposals.inputWidth = inputWidth
    proposals.isDetached = rpn.detached
    proposals.strides = rpn.anchorStrides
    // A pyramid has one size per level, in proportion to its stride; a single map has them all.
    let sizes = model.head.kind == .fpn ? Array(rpn.anchorSizes.prefix(1)) : rpn.anchorSizes
    proposals.anchorScales = sizes.map { Float($0) / Float(rpn.anchorStrides[0]) }
    proposals.anchorRatios = rpn.anchorRatios.map { Float($0) }
    proposals.samples = rpn.batchSize
    proposals.positiveFraction = Float(rpn.positiveFraction)
    proposals.trainingLimits = ProposalLimits(perLevel: rpn.preNMSTrain, total: rpn.postNMSTrain)
    proposals.testLimits = ProposalLimits(perLevel: rpn.preNMSTest, total: rpn.postNMSTest)
    proposals.overlap = Float(rpn.nmsThreshold)
    return proposals
  }

  private func head(clip: CLIPConfiguration, inputWidth: Int) -> BoxHeadConfiguration {
    var head = BoxHeadConfiguration()
    let given = model.head
    head.inputWidth = inputWidth
    head.trunk =
      given.kind == .fpn
      ? .convolutions(
        count: given.convolutions, width: inputWidth, hidden: given.fcWidth, norm: given.norm.mode)
      : .averagePool
    head.words = given.words
    head.wordWidth = clip.text.width
    head.embeddingWidth = given.feature == .final ? clip.embeddingWidth : clip.text.width
    head.wordDropout = given.wordDropout
    head.activation = given.activation == .softmax ? .softmax : .sigmoid
    head.background = given.background == .learn ? .learned : .zero
    head.backgroundWeight = Float(given.backgroundWeight)
    head.trainingTemperature = Float(given.temperatureTrain)
    head.testTemperature = Float(given.temperatureTest)
    head.logitBias = boxHeadLogitBias
    head.ensemble =
      given.ensemble == .none
      ? nil
      : EnsembleScores(
        factor: Float(given.ensembleFactor), isUniform: given.ensemble == .uniform)
    return head
  }

  /// How images reach the device.
  var preparation: BatchPreparation {
    BatchPreparation(
      normalisation: PixelNormalisation(
        means: model.input.mean.map { Float($0) }, deviations: model.input.std.map { Float($0) },
        isBGR: model.input.order == .bgr), paddingUnit: model.input.pad)
  }
}

extension RunConfiguration.Model.Norm {
  /// The mode of a batch norm layer, or nil for none.
  var mode: NormMode? {
    switch self {
    case .none: nil
    case .batch: .batch
    case .frozen: .frozen
    }
  }
}
