import Tensors

/// One loss that pulls each of the student's embeddings to its teacher's: InfoNCE both ways against
/// the batch and queues of earlier steps (spec method 1.9 to 1.11).
package struct ContrastiveAlignment {
  /// Weight of the loss.
  package let weight: Float
  /// What cosines are multiplied by.
  package let temperature: Float
  /// The student's embeddings of earlier steps.
  package var student: EmbeddingQueue
  /// The teacher's embeddings of earlier steps.
  package var teacher: EmbeddingQueue

  /// Creates the loss with empty queues, which a checkpoint calls `student_` and `teacher_` with
  /// `queues` behind.
  package init(weight: Float, temperature: Float, queues: String, lengths: QueueLengths) {
    self.weight = weight
    self.temperature = temperature
    student = EmbeddingQueue("student_\(queues)", capacity: lengths.student)
    teacher = EmbeddingQueue("teacher_\(queues)", capacity: lengths.teacher)
  }

  /// Computes the loss, then puts the embeddings into the queues.
  ///
  /// - Parameters:
  ///   - rows: `[n, E]`, the student's unit rows, with gradients.
  ///   - keys: `[n, E]`, the teacher's unit rows on the same stream; gradients stop there.
  ///   - groups: Per row; rows of one group are not each other's negatives.
  ///   - images: Per row, its image's id; rows of an image in a queue are no negatives.
  /// - Returns: The weighted loss, a scalar.
  package mutating func loss(
    student rows: Tensor, teacher keys: Tensor, groups: [Int32], images: [Int32]
  ) throws -> Tensor {
    func oneWay(_ queries: Tensor, _ keys: Tensor, _ queue: EmbeddingQueue) throws -> Tensor {
      try queries.contrastiveLoss(
        keys: keys, queue: queue.rows, temperature: temperature, groups: groups, images: images,
        queueImages: queue.images)
    }
    let loss = try oneWay(rows, keys.detached(), teacher)
      .adding(try oneWay(keys.detached(), rows, student)).scaled(by: 0.5 * weight)
    try student.push(rows, images: images)
    try teacher.push(keys, images: images)
    return loss
  }
}
