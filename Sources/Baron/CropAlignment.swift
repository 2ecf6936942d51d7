import CLIP
import Detection
import Formats
import Geometry
import Tensors

/// Aligns sequences of regions, as the student's words say them, with crops of the image, as CLIP's
/// image encoder sees them; what all methods with crops have in common (spec method 1.8 to 1.11).
struct CropAlignment {
  /// Losses and queues.
  private(set) var losses: BagAlignment
  /// Which proposals are looked at.
  private(set) var choice: ProposalChoice
  private let position: PositionEmbedding?
  private let text: TextEncoder
  private let teacher: ImageEncoder

  /// Where the parameters of the position embedding are named.
  private static let place = "baron_kd"

  /// Builds what the losses need; words stay as they are without position embedding.
  init(
    _ losses: BagAlignment, _ choice: ProposalChoice, _ parts: AlignmentParts,
    embedsPositions: Bool = true
  ) throws {
    self.losses = losses
    self.choice = choice
    text = parts.text
    teacher = try parts.imageEncoder()
    position = embedsPositions ? try parts.position(Self.place) : nil
  }

  /// Queues and remembered proposals.
  var state: AlignmentState {
    get { AlignmentState(queues: losses.queues, cache: choice.cache) }
    set { (losses.queues, choice.cache) = (newValue.queues, newValue.cache) }
  }

  /// The boxes of each image that are looked at, in pixels of the resized image, best first.
  mutating func chosen(_ batch: AlignmentBatch, _ proposed: ProposedImages) throws -> [[Box]] {
    choice(batch, try proposed.proposals.read())
  }

  /// Computes the losses of sampled sequences, and how many crops the teacher saw.
  ///
  /// The teacher's images must be ready on its own stream.
  mutating func callAsFunction(
    _ bags: BagBatch, _ batch: AlignmentBatch, maps: [Tensor], detector: FasterRCNN,
    random: StepRandom, masksCrops: Bool = false
  ) throws -> (losses: BagAlignment.Losses, cropCount: Int) {
    guard let images = batch.teacherImages else {
      preconditionFailure("crops need the teacher's images")
    }
    let student = batch.images.stream
    // The teacher's queue works on its own from here on.
    let seen = try images.stream.phase("teacher") {
      try TeacherEmbeddings(bags: bags, images: images, encoder: teacher, masksCrops: masksCrops)
    }
    try images.stream.queue.flush()
    let embedded = try student.phase("bags") {
      try embed(bags, maps: maps, batch: batch, detector: detector, random: random)
    }
    return try student.phase("alignment losses") {
      (
        try losses.losses(
          student: (embedded.sequences, embedded.occurrences),
          teacher: (
            try seen.sequences.moved(to: student), try seen.occurrences.moved(to: student)
          ), keys: BagAlignment.Keys(bags, imageIDs: batch.ids)), seen.cropCount
      )
    }
  }

  private func embed(
    _ bags: BagBatch, maps: [Tensor], batch: AlignmentBatch, detector: FasterRCNN,
    random: StepRandom
  ) throws -> StudentEmbeddings {
    let stream = batch.images.stream
    let pooled = try detector.regionFeatures(
      maps, regions: try Tensor.regions(bags.regions, on: stream), training: true)
    let head = detector.head.alignment
    var words = try head.words(try head.features(pooled, training: true))
      .gatheredRows(bags.regionOfOccurrence)
    if let position { words = try words.adding(try position(bags.normalisedBoxes, on: stream)) }
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
