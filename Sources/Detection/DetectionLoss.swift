import Formats
import Geometry
import OpenCL
import Tensors

/// A detection step whose regions are sampled, up to where the host has to wait for their number.
///
/// Other images may follow on the device before ``FasterRCNN/detectionLosses(_:vocabulary:textEncoder:)``
/// waits, so that it does not stand still.
package struct StartedDetection {
  fileprivate let batch: DetectionBatch
  fileprivate let maps: [Tensor]
  fileprivate let objectness: Tensor
  fileprivate let box: Tensor
  fileprivate let anchorCounts: PendingRead
  fileprivate let regions: PendingRegions
  fileprivate let random: StepRandom

  /// Waits for the numbers of sampled anchors and regions that hold an object, of all images.
  ///
  /// - Returns: `positive_anchors` and `positive_regions`.
  package func positives() throws -> [String: Int] {
    func sum(_ counts: PendingRead) throws -> Int {
      // Of each image positives and negatives.
      try counts.integers().enumerated().reduce(0) {
        $0 + ($1.offset.isMultiple(of: 2) ? Int($1.element) : 0)
      }
    }
    return ["positive_anchors": try sum(anchorCounts), "positive_regions": try sum(regions.counts)]
  }
}

extension FasterRCNN {
  /// Runs a detection step up to its sampled regions; nothing waits for the device.
  ///
  /// - Parameters:
  ///   - batch: Images with their boxes.
  ///   - classes: Number of classes of training.
  ///   - random: The step's random choices.
  /// - Returns: What ``detectionLosses(_:vocabulary:textEncoder:)`` goes on with.
  package func startDetection(
    _ batch: DetectionBatch, classes: Int, random: StepRandom
  ) throws -> StartedDetection {
    let stream = batch.images.stream
    let maps = try features(batch.images, training: true)
    let truths = try TruthBoxes(
      boxes: batch.groundTruth.map(\.boxes.corners),
      classes: batch.groundTruth.map { $0.labels.map { Int32($0) } }, on: stream)
    return try stream.phase("proposals") {
      let output = try proposalNetwork(maps)
      let grid = try proposalNetwork.grid(maps)
      let anchors = try proposalNetwork.sample(
        grid, maps: maps, frames: batch.frames, truths: truths,
        random: batch.frames.map { random.numbers("rpn", image: $0.imageID) })
      let losses = try proposalNetwork.losses(output, anchors)
      let regions = try configuration.head.sampling.sample(
        try proposalNetwork.proposals(
          output, grid, frames: batch.frames, limits: configuration.rpn.limits(training: true)),
        truths: truths, background: classes, readsPositives: maskHead != nil,
        random: batch.frames.map { random.numbers("regions", image: $0.imageID) })
      return StartedDetection(
        batch: batch, maps: maps, objectness: losses.objectness, box: losses.box,
        anchorCounts: try anchors.sample.counts.readLater(), regions: regions, random: random)
    }
  }

  /// The losses of detection, by the names of the reference's log.
  ///
  /// - Parameters:
  ///   - started: What ``startDetection(_:classes:random:)`` gave for the same classes.
  ///   - vocabulary: The classes of training.
  ///   - textEncoder: Encodes pseudo words.
  /// - Returns: `loss_rpn_cls`, `loss_rpn_bbox`, `loss_cls`, `loss_bbox` and, with a mask head,
  ///   `loss_mask`: scalars to add.
  /// - Throws: `OpenCLError` when the device fails, or what the text encoder throws.
  package func detectionLosses(
    _ started: StartedDetection, vocabulary: ClassVocabulary, textEncoder: any PseudoTextEncoder
  ) throws -> [String: Tensor] {
    let (maps, batch) = (started.maps, started.batch)
    let stream = batch.images.stream
    var losses = ["loss_rpn_cls": started.objectness, "loss_rpn_bbox": started.box]
    let targets = try stream.phase("box head") { try started.regions.targets() }
    guard targets.count > 0 else {
      losses.merge(try lossesOfNothing(maps, batch: batch, targets: targets)) { $1 }
      return losses
    }
    let kept = zip(batch.frames, targets.counts).flatMap { frame, count in
      var numbers = started.random.numbers("words", image: frame.imageID)
      return configuration.head.keptWords(regions: count, random: &numbers)
    }
    try stream.phase("box head") {
      let pooled = try regionFeatures(maps, regions: targets.regions, training: true)
      let features = try head.main.features(pooled, training: true)
      let text = try textEncoder.encode(
        words: try head.main.words(features), keep: configuration.head.wordDropout > 0 ? kept : nil)
      let headLosses = try head.losses(
        logits: try head.classLogits(
          text, classEmbeddings: vocabulary.embeddings, training: true),
        deltas: try head.deltas(features), targets: targets,
        classWeights: configuration.head.classWeights(isBase: vocabulary.isBase))
      losses["loss_cls"] = headLosses.classification
      losses["loss_bbox"] = headLosses.box
    }
    if let maskHead {
      losses["loss_mask"] = try stream.phase("mask head") {
        try maskHead.loss(maps, batch: batch, positives: targets.positives)
      }
    }
    return losses
  }

  /// The losses without a single region; what other devices wait for runs on none.
  func lossesOfNothing(
    _ maps: [Tensor], batch: DetectionBatch, targets: RegionTargets
  ) throws -> [String: Tensor] {
    let stream = batch.images.stream
    func zero(_ name: String) throws -> Tensor {
      try Tensor(repeating: 0, shape: [], on: stream, label: name)
    }
    var losses = ["loss_cls": try zero("loss_cls")]
    losses["loss_bbox"] =
      try head.main.isShared
      ? head.boxLoss(
        head.deltas(
          head.main.features(
            regionFeatures(maps, regions: targets.regions, training: true), training: true)),
        targets: targets)
      : zero("loss_bbox")
    if let maskHead {
      losses["loss_mask"] = try maskHead.loss(maps, batch: batch, positives: targets.positives)
    }
    return losses
  }
}
