import CLIP
import Detection
import Formats
import Layers
import Tensors

/// Everything about the distillation of bags that a configuration sets (spec training 4.1).
public struct DistillationSettings: Sendable, Equatable {
  /// Which proposals bags are sampled around.
  public var filter = ProposalFilter()
  /// Whether ground truth of base classes is put in front of the proposals.
  public var usesGroundTruth = true
  /// How bags are sampled.
  public var sampling = NeighbourhoodSampling()
  /// Weights, temperatures and queues.
  public var alignment = AlignmentSettings()
  /// Whether the teacher sees only patches inside the bag's boxes.
  public var masksCrops = false
  /// Most occurrences of one image, which bounds the memory as the network grows surer.
  public var occurrenceLimit = 800
  /// The box cache; nil turns it off.
  public var cache: BoxCache?

  /// Creates the settings of OV-COCO without the box cache.
  public init() {}
}

/// The images of one distillation step.
public struct DistillationBatch {
  /// `[B, H, W, 3]` as the detector sees them, on the student's stream.
  public var images: Tensor
  /// `[B, H, W, 3]` normalised for CLIP, on the teacher's stream.
  public var teacherImages: Tensor
  /// Each image's own size.
  public var frames: [ImageFrame]
  /// Whether each image is flipped from left to right.
  public var isFlipped: [Bool]
  /// Boxes of base classes per image, in pixels of the resized image.
  public var groundTruth: [[Box]]

  /// Puts a batch together.
  ///
  /// - Parameters:
  ///   - images: As the detector sees them, on the student's stream.
  ///   - teacherImages: Normalised for CLIP, on the teacher's stream.
  ///   - frames: Each image's own size.
  ///   - isFlipped: Whether each image is flipped.
  ///   - groundTruth: Boxes of base classes per image.
  public init(
    images: Tensor, teacherImages: Tensor, frames: [ImageFrame], isFlipped: [Bool],
    groundTruth: [[Box]]
  ) {
    precondition(
      images.shape[0] == frames.count && frames.count == isFlipped.count
        && frames.count == groundTruth.count, "a batch of several sizes")
    self.images = images
    self.teacherImages = teacherImages
    self.frames = frames
    self.isFlipped = isFlipped
    self.groundTruth = groundTruth
  }
}

/// The method: aligns the student's bags of regions with the teacher's view of them
/// (spec method 1.23).
public final class BagDistillation {
  /// What a step's losses are and how much they were made of.
  public struct Result {
    /// `loss_bag` and `loss_single`, weighted scalars.
    public let losses: [String: Tensor]
    /// Numbers worth logging: proposals, bags, sequences, regions, crops, queue rows, cached boxes.
    public let counts: [String: Int]
  }

  /// How it samples and weighs.
  public let settings: DistillationSettings
  /// Losses and queues; part of a checkpoint.
  public var alignment: BagAlignment
  /// The box cache; part of a checkpoint.
  public var cache: BoxCache?
  private let position: PositionEmbedding
  private let text: TextEncoder
  private let teacher: ImageEncoder

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - scope: Where `positional_embed` is named.
  ///   - settings: How it samples and weighs.
  ///   - words: Words per region K.
  ///   - text: The text encoder, on the student's stream.
  ///   - teacher: The image encoder, on the teacher's stream.
  /// - Throws: `OpenCLError` when memory runs out.
  public init(
    _ scope: ParameterScope, settings: DistillationSettings, words: Int, text: TextEncoder,
    teacher: ImageEncoder
  ) throws {
    self.settings = settings
    self.text = text
    self.teacher = teacher
    alignment = BagAlignment(settings: settings.alignment)
    cache = settings.cache
    position = try PositionEmbedding(
      scope / "positional_embed", words: words, width: text.configuration.text.width)
  }

  /// The most positions that a sentence of a bag can take, to check a configuration against the
  /// text encoder's context (spec method 1.8).
  ///
  /// - Parameter words: Words per region K.
  /// - Returns: Nine regions of all words, start and end.
  public static func longestSentence(words: Int) -> Int { 9 * words + 2 }

  /// Computes the losses of one batch.
  ///
  /// - Parameters:
  ///   - batch: The images; the teacher's must be ready on its own stream.
  ///   - proposed: What the student made of the images, in training.
  ///   - detector: The student.
  ///   - seed: The run's seed.
  ///   - iteration: The step; random choices depend on seed, step and image id only.
  /// - Returns: Losses with gradients, on the student's stream.
  /// - Throws: `OpenCLError` when the device fails.
  public func losses(
    _ batch: DistillationBatch, _ proposed: ProposedImages, detector: FasterRCNN, seed: UInt64,
    iteration: Int
  ) throws -> Result {
    let student = batch.images.stream
    let bags = sample(
      batch, proposals: try proposed.proposals.read(), seed: seed,
      iteration: iteration)
    // The teacher's queue works on its own from here on.
    let seen = try batch.teacherImages.stream.phase("teacher") {
      try TeacherEmbeddings(
        bags: bags, images: batch.teacherImages, encoder: teacher,
        masksCrops: settings.masksCrops)
    }
    try batch.teacherImages.stream.queue.flush()
    let embedded = try student.phase("bags") {
      try embed(bags, maps: proposed.maps, batch: batch, detector: detector, seed: seed, iteration)
    }
    return try student.phase("alignment losses") {
      let ids = batch.frames.map { Int32(truncatingIfNeeded: $0.imageID) }
      let losses = try alignment.losses(
        student: (embedded.sequences, embedded.occurrences),
        teacher: (
          try seen.sequences.moved(to: student), try seen.occurrences.moved(to: student)
        ), keys: BagAlignment.Keys(bags, imageIDs: ids))
      return Result(
        losses: ["loss_bag": losses.bag, "loss_single": losses.region],
        counts: [
          "proposals": bags.proposalCount, "bags": bags.spans.count,
          "sequences": bags.sequenceCount, "regions": bags.occurrenceCount,
          "crops": seen.cropCount, "bag_queue": alignment.queues.teacherBags.images.count,
          "cached_images": cache?.entries.count ?? 0,
        ])
    }
  }

  private func sample(
    _ batch: DistillationBatch, proposals: [(boxes: [Box], scores: [Float])], seed: UInt64,
    iteration: Int
  ) -> BagBatch {
    var bags = BagBatch()
    for (image, frame) in batch.frames.enumerated() {
      let (width, height) = (Float(frame.width), Float(frame.height))
      let found = zip(proposals[image].boxes, proposals[image].scores).map {
        ScoredBox($0, score: $1)
      }
      var chosen = settings.filter(
        found, groundTruth: settings.usesGroundTruth ? batch.groundTruth[image] : [],
        width: width, height: height)
      let view = BoxCache.View(
        scaleX: frame.scaleX, scaleY: frame.scaleY, isFlipped: batch.isFlipped[image],
        width: width)
      let id = Int32(truncatingIfNeeded: frame.imageID)
      chosen = cache?.merged(chosen, image: id, view: view) ?? chosen
      var random = CounterRandom(
        seed: seed, CounterRandom.key("bags"), UInt64(iteration),
        UInt64(bitPattern: Int64(frame.imageID)))
      bags.append(
        proposals: chosen.map(\.box), image: image, width: width, height: height,
        sampling: settings.sampling, occurrenceLimit: settings.occurrenceLimit, using: &random)
    }
    return bags
  }

  private func embed(
    _ bags: BagBatch, maps: [Tensor], batch: DistillationBatch, detector: FasterRCNN,
    seed: UInt64, _ iteration: Int
  ) throws -> StudentEmbeddings {
    let stream = batch.images.stream
    let perImage = batch.frames.indices.map { image in
      bags.regions.filter { $0.image == image }.map(\.box)
    }
    let pooled = try detector.regionFeatures(
      maps, regions: try RegionPooling.regions(perImage, on: stream), training: true)
    let head = detector.head.alignment
    let words = try head.words(try head.features(pooled, training: true))
      .gatheredRows(bags.regionOfOccurrence)
      .adding(try position(bags.normalisedBoxes, on: stream))
    let imageOfSequence = bags.imageOfSequence
    let owners = bags.sequenceOfOccurrence.map { imageOfSequence[Int($0)] }
    let keep = batch.frames.enumerated().flatMap { image, frame in
      var random = CounterRandom(
        seed: seed, CounterRandom.key("bag words"), UInt64(iteration),
        UInt64(bitPattern: Int64(frame.imageID)))
      return detector.configuration.head.keptWords(
        regions: owners.count { $0 == image }, random: &random)
    }
    return try StudentEmbeddings(words: words, keep: keep, lengths: bags.lengths, encoder: text)
  }
}
