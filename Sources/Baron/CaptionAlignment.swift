import CLIP
import Geometry
import Tensors

/// Aligns regions of an image with its captions: cross-entropy with soft targets over the batch and
/// queues, both ways (spec method 1.12).
package struct CaptionAlignment {
  /// Weight of the loss.
  package let weight: Float
  /// What cosines are multiplied by.
  package let temperature: Float
  /// Student's sentences of earlier steps.
  package var sentenceQueue: EmbeddingQueue
  /// Caption features of earlier steps.
  package var captionQueue: EmbeddingQueue

  /// Both queues, in the order of a checkpoint's file.
  var queues: [EmbeddingQueue] {
    get { [sentenceQueue, captionQueue] }
    set { (sentenceQueue, captionQueue) = (newValue[0], newValue[1]) }
  }

  /// Creates the loss with empty queues.
  ///
  /// - Parameter settings: Weight, temperature and lengths of queues.
  package init(_ settings: CaptionSettings) {
    weight = settings.weight
    temperature = settings.temperature
    sentenceQueue = EmbeddingQueue("caption_sentences", capacity: settings.sentenceQueueLength)
    captionQueue = EmbeddingQueue("captions", capacity: settings.captionQueueLength)
  }

  /// Computes the loss, then puts the embeddings into the queues.
  ///
  /// - Parameters:
  ///   - sentences: `[T, E]`, the student's unit rows, with gradients.
  ///   - sentenceImages: The image id of each sentence.
  ///   - captions: `[C, E]`, unit rows; gradients stop there.
  ///   - captionImages: The image id of each caption.
  /// - Returns: The weighted loss, a scalar.
  package mutating func loss(
    sentences: Tensor, sentenceImages: [Int32], captions: Tensor, captionImages: [Int32]
  ) throws -> Tensor {
    let rows = try Self.joined(sentences, sentenceQueue)
    let columns = try Self.joined(captions.detached(), captionQueue)
    let rowImages = sentenceImages + sentenceQueue.images
    let columnImages = captionImages + captionQueue.images
    let logits = try rows.matrixProduct(columns, transposeRight: true).scaled(by: temperature)
    let targets = try Tensor(
      Self.same(rowImages, columnImages), shape: [rowImages.count, columnImages.count],
      on: sentences.stream)
    let loss = try logits.softTargetCrossEntropy(targets).adding(
      try logits.transposed().softTargetCrossEntropy(try targets.transposed())
    ).scaled(by: 0.5 * weight)
    try sentenceQueue.push(sentences, images: sentenceImages)
    try captionQueue.push(captions, images: captionImages)
    return loss
  }

  /// 1 where a row and a column are of one image, else 0; a million numbers with full queues.
  private static func same(_ rows: [Int32], _ columns: [Int32]) -> [Float] {
    let count = rows.count * columns.count
    return [Float](unsafeUninitializedCapacity: count) { places, written in
      var place = 0
      for row in rows {
        for column in columns {
          places.initializeElement(at: place, to: column == row ? 1 : 0)
          place += 1
        }
      }
      written = count
    }
  }

  private static func joined(_ rows: Tensor, _ queue: EmbeddingQueue) throws -> Tensor {
    guard let old = queue.rows else { return rows }
    return try Tensor.concatenated([rows, old], axis: 0)
  }

  /// The regions of one caption image, in random orders (spec method 1.12, steps 1 to 3).
  ///
  /// - Parameters:
  ///   - proposals: Filtered proposals of the image.
  ///   - imageBox: The whole image, which is always the last region.
  ///   - regionLimit: Most proposals.
  ///   - permutationLimit: Most orders.
  ///   - random: Where randomness comes from.
  /// - Returns: The regions and orders of their indices.
  package static func sample(
    proposals: [Box], imageBox: Box, regionLimit: Int = 10, permutationLimit: Int = 4,
    using random: inout some RandomNumberGenerator
  ) -> (regions: [Box], orders: [[Int]]) {
    let regions = Array(proposals.shuffled(using: &random).prefix(regionLimit)) + [imageBox]
    let orders = NeighbourhoodSampling.permutations(
      of: regions.count, limit: permutationLimit, using: &random)
    return (regions, orders)
  }
}
