import CLIP
import Detection
import Formats
import Layers
import Loading
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

/// The method: aligns the student's bags of regions with the teacher's view of them
/// (spec method 1.23).
public final class BagDistillation: AlignmentMethod {
  /// How it samples and weighs.
  public let settings: DistillationSettings
  /// Losses and queues; part of a checkpoint.
  public var alignment: BagAlignment
  /// The box cache; part of a checkpoint.
  public var cache: BoxCache?
  /// Images that are aligned with what CLIP sees in them.
  public var stream: ImageStream { .alignment }
  /// The teacher looks at crops.
  public var showsTeacherImages: Bool { true }
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

  /// Queues and box cache.
  public var state: AlignmentState {
    get { AlignmentState(queues: alignment.queues.all, cache: cache) }
    set { (alignment.queues.all, cache) = (newValue.queues, newValue.cache) }
  }

  /// Computes `loss_bag` and `loss_single`.
  ///
  /// - Parameters:
  ///   - batch: The images; the teacher's must be ready on its own stream.
  ///   - proposed: What the student made of the images, in training.
  ///   - detector: The student.
  ///   - random: The step's random choices.
  /// - Returns: The losses with the numbers of proposals, bags, sequences, regions, crops, queue
  ///   rows and cached images.
  /// - Throws: `OpenCLError` when the device fails.
  public func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult {
    guard let teacherImages = batch.teacherImages else {
      preconditionFailure("bags need the teacher's images")
    }
    let student = batch.images.stream
    let bags = sample(batch, proposals: try proposed.proposals.read(), random: random)
    // The teacher's queue works on its own from here on.
    let seen = try teacherImages.stream.phase("teacher") {
      try TeacherEmbeddings(
        bags: bags, images: teacherImages, encoder: teacher, masksCrops: settings.masksCrops)
    }
    try teacherImages.stream.queue.flush()
    let embedded = try student.phase("bags") {
      try embed(bags, maps: proposed.maps, batch: batch, detector: detector, random: random)
    }
    return try student.phase("alignment losses") {
      let losses = try alignment.losses(
        student: (embedded.sequences, embedded.occurrences),
        teacher: (
          try seen.sequences.moved(to: student), try seen.occurrences.moved(to: student)
        ), keys: BagAlignment.Keys(bags, imageIDs: batch.ids))
      return AlignmentResult(
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
    _ batch: AlignmentBatch, proposals: [(boxes: [Box], scores: [Float])], random: StepRandom
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
      chosen = cache?.merged(chosen, image: batch.ids[image], view: view) ?? chosen
      var numbers = random.numbers("bags", image: frame.imageID)
      bags.append(
        proposals: chosen.map(\.box), image: image, width: width, height: height,
        sampling: settings.sampling, occurrenceLimit: settings.occurrenceLimit, using: &numbers)
    }
    return bags
  }

  private func embed(
    _ bags: BagBatch, maps: [Tensor], batch: AlignmentBatch, detector: FasterRCNN,
    random: StepRandom
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
      var numbers = random.numbers("bag words", image: frame.imageID)
      return detector.configuration.head.keptWords(
        regions: owners.count { $0 == image }, random: &numbers)
    }
    return try StudentEmbeddings(words: words, keep: keep, lengths: bags.lengths, encoder: text)
  }
}
