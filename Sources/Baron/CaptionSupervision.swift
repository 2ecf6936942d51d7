import CLIP
import Detection
import Formats
import Geometry
import Layers
import Loading
import Tensors

/// The method with captions as teacher: what the words of an image's regions say together is
/// compared with the image's captions (spec method 1.12).
package final class CaptionSupervision: AlignmentMethod {
  /// How it samples.
  package let settings: CaptionSettings
  /// Loss and queues; part of a checkpoint.
  package var alignment: CaptionAlignment
  private let position: PositionEmbedding
  private let text: TextEncoder
  private let tokenizer: Tokenizer

  /// Where the parameters of the position embedding are named.
  private static let place = "baron_caption"

  package init(_ settings: CaptionSettings, _ parts: AlignmentParts) throws {
    self.settings = settings
    text = parts.text
    tokenizer = parts.tokenizer
    alignment = CaptionAlignment(settings)
    position = try parts.position(Self.place)
  }

  package var stream: ImageStream { settings.stream }

  /// The teacher reads.
  package var showsTeacherImages: Bool { false }

  package var state: AlignmentState {
    get { AlignmentState(queues: alignment.queues) }
    set { alignment.queues = newValue.queues }
  }

  /// Computes `loss_caption`.
  ///
  /// Counts regions, sentences, captions and queue rows.
  package func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult {
    precondition(batch.captions.allSatisfy { !$0.isEmpty }, "an image without captions")
    let stream = batch.images.stream
    // The captions do not wait for proposals.
    let captions = try stream.phase("captions") { try encoded(batch.captions, on: stream) }
    let regions = sample(batch, proposals: try proposed.proposals.read(), random: random)
    let sentences = try stream.phase("sentences") {
      try embed(regions, maps: proposed.maps, batch: batch, detector: detector, random: random)
    }
    return try stream.phase("alignment losses") {
      func ids(_ counts: [Int]) -> [Int32] {
        zip(batch.ids, counts).flatMap { [Int32](repeating: $0, count: $1) }
      }
      let loss = try alignment.loss(
        sentences: sentences, sentenceImages: ids(regions.map(\.orders.count)),
        captions: captions, captionImages: ids(batch.captions.map(\.count)))
      return AlignmentResult(
        losses: ["loss_caption": loss],
        counts: [
          "caption_regions": regions.reduce(0) { $0 + $1.boxes.count },
          "sentences": sentences.shape[0], "captions": captions.shape[0],
          "caption_queue": alignment.captionQueue.images.count,
        ])
    }
  }

  /// The regions of an image and the orders in which they are described.
  private struct Regions {
    let boxes: [Box]
    let orders: [[Int]]
  }

  private func encoded(_ captions: [[String]], on stream: ComputeStream) throws -> Tensor {
    let ids = try tokenizer.encode(
      Array(captions.joined()), contextLength: text.configuration.contextLength,
      overflow: .truncate, padding: .longest)
    return try stream.withoutGradients { try text.encode(ids: ids).sentences }
  }

  private func sample(
    _ batch: AlignmentBatch, proposals: [[ScoredBox]], random: StepRandom
  ) -> [Regions] {
    zip(batch.frames, proposals).map { frame, found in
      let (width, height) = (Float(frame.width), Float(frame.height))
      // The filter would answer nothing with the image's box, which is a region anyway.
      let chosen =
        found.isEmpty
        ? [] : settings.filter(found, groundTruth: [], width: width, height: height)
      var numbers = random.numbers("captions", image: frame.imageID)
      let (boxes, orders) = CaptionAlignment.sample(
        proposals: chosen.map(\.box),
        imageBox: settings.filter.imageBox(width: width, height: height),
        regionLimit: settings.regionLimit, permutationLimit: settings.permutationLimit,
        using: &numbers)
      return Regions(boxes: boxes, orders: orders)
    }
  }

  private func embed(
    _ regions: [Regions], maps: [Tensor], batch: AlignmentBatch, detector: FasterRCNN,
    random: StepRandom
  ) throws -> Tensor {
    let stream = batch.images.stream
    let pooled = try detector.regionFeatures(
      maps, regions: try Tensor.regions([Region](regions.map(\.boxes)), on: stream), training: true)
    let places = regions.flatMap { image in
      image.boxes.map {
        NeighbourhoodSampling.normalised($0, in: image.boxes[image.boxes.count - 1])
      }
    }
    let head = detector.head.alignment
    let words = try head.words(try head.features(pooled, training: true))
      .adding(try position(places, on: stream))
    var rows: [Int32] = []
    var keep: [[Bool]] = []
    var first = 0
    for (image, frame) in zip(regions, batch.frames) {
      let described = image.orders.joined()
      rows += described.map { Int32(first + $0) }
      var numbers = random.numbers("caption words", image: frame.imageID)
      keep += detector.configuration.head.keptWords(regions: described.count, random: &numbers)
      first += image.boxes.count
    }
    return try StudentEmbeddings.sequences(
      words: try words.gatheredRows(rows), keep: keep,
      lengths: regions.flatMap { $0.orders.map(\.count) }, encoder: text)
  }
}
