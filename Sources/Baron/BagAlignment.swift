import CLIP
import Tensors

/// Weights and temperatures of the alignment losses (spec training 4.1).
public struct AlignmentSettings: Sendable, Equatable {
  /// Weight of the bag loss.
  public var bagWeight: Float
  /// What cosines of bags are multiplied by.
  public var bagTemperature: Float
  /// Weight of the individual-region loss.
  public var regionWeight: Float
  /// What cosines of single regions are multiplied by.
  public var regionTemperature: Float
  /// Rows in each queue of bags.
  public var bagQueueLength: Int
  /// Rows in each queue of single regions.
  public var regionQueueLength: Int

  /// Creates settings; the defaults are those of OV-COCO.
  ///
  /// - Parameters:
  ///   - bagWeight: Weight of the bag loss.
  ///   - bagTemperature: What cosines of bags are multiplied by.
  ///   - regionWeight: Weight of the individual-region loss.
  ///   - regionTemperature: What cosines of single regions are multiplied by.
  ///   - bagQueueLength: Rows in each queue of bags.
  ///   - regionQueueLength: Rows in each queue of single regions.
  public init(
    bagWeight: Float = 1, bagTemperature: Float = 30, regionWeight: Float = 0.1,
    regionTemperature: Float = 50, bagQueueLength: Int = 1024, regionQueueLength: Int = 1024
  ) {
    self.bagWeight = bagWeight
    self.bagTemperature = bagTemperature
    self.regionWeight = regionWeight
    self.regionTemperature = regionTemperature
    self.bagQueueLength = bagQueueLength
    self.regionQueueLength = regionQueueLength
  }
}

/// Aligns the student's embeddings of bags and regions with the teacher's: InfoNCE both ways
/// against the batch and queues of earlier steps (spec method 1.9 to 1.11).
public struct BagAlignment {
  /// The four queues; part of a checkpoint.
  public struct Queues {
    /// Student's bags.
    public var studentBags: EmbeddingQueue
    /// Teacher's bags.
    public var teacherBags: EmbeddingQueue
    /// Student's regions.
    public var studentRegions: EmbeddingQueue
    /// Teacher's regions.
    public var teacherRegions: EmbeddingQueue

    private static var order: [WritableKeyPath<Queues, EmbeddingQueue>] {
      [\.studentBags, \.teacherBags, \.studentRegions, \.teacherRegions]
    }

    /// All of them, in the order of a checkpoint's file.
    var all: [EmbeddingQueue] {
      get { Self.order.map { self[keyPath: $0] } }
      set { for (place, queue) in zip(Self.order, newValue) { self[keyPath: place] = queue } }
    }
  }

  /// The two losses, already weighted; scalars.
  public struct Losses {
    /// `loss_bag`.
    public let bag: Tensor
    /// `loss_single`.
    public let region: Tensor
  }

  /// Weights and temperatures.
  public let settings: AlignmentSettings
  /// Embeddings of earlier steps.
  public var queues: Queues

  /// Creates the losses with empty queues.
  ///
  /// - Parameter settings: Weights and temperatures.
  public init(settings: AlignmentSettings) {
    self.settings = settings
    queues = Queues(
      studentBags: EmbeddingQueue("student_bags", capacity: settings.bagQueueLength),
      teacherBags: EmbeddingQueue("teacher_bags", capacity: settings.bagQueueLength),
      studentRegions: EmbeddingQueue(
        "student_regions", capacity: settings.regionQueueLength),
      teacherRegions: EmbeddingQueue(
        "teacher_regions", capacity: settings.regionQueueLength))
  }

  /// Ids that decide what is left out of a query's negatives.
  public struct Keys: Sendable {
    /// Per sequence; equal for the orders of one bag.
    public var groups: [Int32]
    /// Per sequence, its image's id.
    public var sequenceImages: [Int32]
    /// Per occurrence; equal for one region in several bags or orders.
    public var boxes: [Int32]
    /// Per occurrence, its image's id.
    public var occurrenceImages: [Int32]

    /// Creates keys.
    ///
    /// - Parameters:
    ///   - groups: Per sequence; equal for the orders of one bag.
    ///   - sequenceImages: Per sequence, its image's id.
    ///   - boxes: Per occurrence; equal for one region in several bags or orders.
    ///   - occurrenceImages: Per occurrence, its image's id.
    public init(
      groups: [Int32], sequenceImages: [Int32], boxes: [Int32], occurrenceImages: [Int32]
    ) {
      self.groups = groups
      self.sequenceImages = sequenceImages
      self.boxes = boxes
      self.occurrenceImages = occurrenceImages
    }

    /// The keys of sampled bags.
    ///
    /// - Parameters:
    ///   - bags: The bags.
    ///   - imageIDs: The id of each image of the batch.
    public init(_ bags: BagBatch, imageIDs: [Int32]) {
      let images = bags.imageOfSequence.map { imageIDs[$0] }
      self.init(
        groups: bags.groupOfSequence, sequenceImages: images, boxes: bags.boxKeys,
        occurrenceImages: bags.sequenceOfOccurrence.map { images[Int($0)] })
    }
  }

  /// Computes both losses, then puts the embeddings into the queues.
  ///
  /// - Parameters:
  ///   - student: Embeddings with gradients.
  ///   - teacher: Embeddings on the same stream; gradients stop there.
  ///   - keys: What is left out of the negatives.
  /// - Returns: The weighted losses.
  /// - Throws: `OpenCLError` when the device fails.
  public mutating func losses(
    student: (sequences: Tensor, occurrences: Tensor),
    teacher: (sequences: Tensor, occurrences: Tensor), keys: Keys
  ) throws -> Losses {
    let bag = try Self.symmetric(
      student.sequences, teacher.sequences.detached(), queues.studentBags, queues.teacherBags,
      temperature: settings.bagTemperature, groups: keys.groups, images: keys.sequenceImages
    ).scaled(by: 0.5 * settings.bagWeight)
    let region = try Self.symmetric(
      student.occurrences, teacher.occurrences.detached(), queues.studentRegions,
      queues.teacherRegions, temperature: settings.regionTemperature, groups: keys.boxes,
      images: keys.occurrenceImages
    ).scaled(by: 0.5 * settings.regionWeight)
    try queues.studentBags.push(student.sequences, images: keys.sequenceImages)
    try queues.teacherBags.push(teacher.sequences, images: keys.sequenceImages)
    try queues.studentRegions.push(student.occurrences, images: keys.occurrenceImages)
    try queues.teacherRegions.push(teacher.occurrences, images: keys.occurrenceImages)
    return Losses(bag: bag, region: region)
  }

  /// The sum of both directions.
  private static func symmetric(
    _ student: Tensor, _ teacher: Tensor, _ studentQueue: EmbeddingQueue,
    _ teacherQueue: EmbeddingQueue, temperature: Float, groups: [Int32], images: [Int32]
  ) throws -> Tensor {
    try student.contrastiveLoss(
      keys: teacher, queue: teacherQueue.rows, temperature: temperature, groups: groups,
      images: images, queueImages: teacherQueue.images
    ).adding(
      try teacher.contrastiveLoss(
        keys: student, queue: studentQueue.rows, temperature: temperature, groups: groups,
        images: images, queueImages: studentQueue.images))
  }
}
