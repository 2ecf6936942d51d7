import Tensors

/// Aligns the student's embeddings of sequences and occurrences with the teacher's
/// (spec method 1.9 to 1.11).
package struct BagAlignment {
  /// The two losses, already weighted; scalars.
  package struct Losses {
    /// Sequences against the crops of their bags.
    package let bag: Tensor
    /// Occurrences against the patches under them.
    package let individual: Tensor
  }

  /// Sequences against the crops of their bags.
  package var bags: ContrastiveAlignment
  /// Occurrences against the patches under them: the individual loss.
  package var individuals: ContrastiveAlignment

  package init(bags: ContrastiveAlignment, individuals: ContrastiveAlignment) {
    self.bags = bags
    self.individuals = individuals
  }

  private static var order: [WritableKeyPath<BagAlignment, EmbeddingQueue>] {
    [\.bags.student, \.bags.teacher, \.individuals.student, \.individuals.teacher]
  }

  /// All queues, in the order of a checkpoint's file.
  var queues: [EmbeddingQueue] {
    get { Self.order.map { self[keyPath: $0] } }
    set { for (place, queue) in zip(Self.order, newValue) { self[keyPath: place] = queue } }
  }

  /// Ids that decide what is left out of a query's negatives.
  package struct Keys: Sendable {
    /// Per sequence, its bag.
    package var bags: [Int32]
    /// Per sequence, its image's id.
    package var sequenceImages: [Int32]
    /// Per occurrence, its region.
    package var regions: [Int32]
    /// Per occurrence, its image's id.
    package var occurrenceImages: [Int32]

    package init(
      bags: [Int32], sequenceImages: [Int32], regions: [Int32], occurrenceImages: [Int32]
    ) {
      self.bags = bags
      self.sequenceImages = sequenceImages
      self.regions = regions
      self.occurrenceImages = occurrenceImages
    }

    /// The keys of sampled bags, from the id of each image of the batch.
    package init(_ bags: BagBatch, imageIDs: [Int32]) {
      let images = bags.imageOfSequence.map { imageIDs[$0] }
      self.init(
        bags: bags.bagOfSequence, sequenceImages: images, regions: bags.regionKeys,
        occurrenceImages: bags.sequenceOfOccurrence.map { images[Int($0)] })
    }
  }

  /// Computes both losses, then puts the embeddings into the queues.
  ///
  /// - Parameters:
  ///   - student: Embeddings with gradients.
  ///   - teacher: Embeddings on the same stream; gradients stop there.
  ///   - keys: What is left out of the negatives.
  package mutating func losses(
    student: (sequences: Tensor, occurrences: Tensor),
    teacher: (sequences: Tensor, occurrences: Tensor), keys: Keys
  ) throws -> Losses {
    Losses(
      bag: try bags.loss(
        student: student.sequences, teacher: teacher.sequences, groups: keys.bags,
        images: keys.sequenceImages),
      individual: try individuals.loss(
        student: student.occurrences, teacher: teacher.occurrences, groups: keys.regions,
        images: keys.occurrenceImages))
  }
}
