import CLIP
import Detection
import Geometry
import Layers
import OpenCL
import Tensors

/// What a student makes of bags: sentences of pseudo words through the text encoder
/// (spec method 1.8, 1.10).
package struct StudentEmbeddings {
  /// `[S, E]`, one unit row per sequence.
  package let sequences: Tensor
  /// `[N, E]`, one unit row per occurrence.
  package let occurrences: Tensor

  /// Encodes the bags of a batch.
  ///
  /// - Parameters:
  ///   - words: `[N, K, D]`, the words of each occurrence with its position added.
  ///   - keep: Per occurrence, which words are kept.
  ///   - lengths: Occurrences per sequence.
  ///   - encoder: The text encoder.
  package init(words: Tensor, keep: [[Bool]], lengths: [Int], encoder: TextEncoder) throws {
    let features = try Self.features(words, keep, lengths, encoder, wantsWords: true)
    sequences = features.sentences
    guard let tokens = features.words else {
      preconditionFailure("the text encoder gave no words")
    }
    occurrences = try Self.meanWords(tokens, counts: keep.map { PseudoText.kept($0).count })
  }

  /// The sequences alone, where nothing looks at single occurrences.
  ///
  /// - Parameters:
  ///   - words: `[N, K, D]`, the words of each occurrence with its position added.
  ///   - keep: Per occurrence, which words are kept.
  ///   - lengths: Occurrences per sequence.
  ///   - encoder: The text encoder.
  /// - Returns: `[S, E]`, one unit row per sequence.
  package static func sequences(
    words: Tensor, keep: [[Bool]], lengths: [Int], encoder: TextEncoder
  ) throws -> Tensor {
    try features(words, keep, lengths, encoder, wantsWords: false).sentences
  }

  private static func features(
    _ words: Tensor, _ keep: [[Bool]], _ lengths: [Int], _ encoder: TextEncoder, wantsWords: Bool
  ) throws -> TextEncoder.Features {
    let (count, wordCount, width) = (words.shape[0], words.shape[1], words.shape[2])
    var sentences: [[Int32]] = []
    var next = 0
    for length in lengths {
      sentences.append(
        (next..<next + length).flatMap { occurrence in
          PseudoText.kept(keep[occurrence]).map { Int32(occurrence * wordCount + $0) }
        })
      next += length
    }
    let text = PseudoText(
      sentences: sentences, contextLength: encoder.configuration.contextLength)
    return try encoder.encode(
      words: words.reshaped([count * wordCount, width]), text: text, wantsWords: wantsWords)
  }

  /// The unit mean of each occurrence's kept words.
  ///
  /// - Parameters:
  ///   - tokens: `[T, E]`, one row per kept word.
  ///   - counts: Kept words per occurrence.
  /// - Returns: `[N, E]`.
  package static func meanWords(_ tokens: Tensor, counts: [Int]) throws -> Tensor {
    var offsets: [Int32] = [0]
    for count in counts { offsets.append((offsets.last ?? 0) + Int32(count)) }
    return try tokens.combinedRows(
      offsets: offsets, indices: (0..<(offsets.last ?? 0)).map { $0 },
      weights: counts.flatMap { [Float](repeating: 1 / Float($0), count: $0) }
    ).l2Normalized()
  }
}

/// What CLIP's image encoder makes of the bags' crops (spec method 1.8, 1.10).
package struct TeacherEmbeddings {
  /// `[S, E]`, one unit row per sequence.
  package let sequences: Tensor
  /// `[N, E]`, one unit row per occurrence.
  package let occurrences: Tensor
  /// Crops that went through the encoder.
  package let cropCount: Int

  /// Crops that go through the encoder at a time, which bounds the memory.
  static let chunk = 64

  /// Encodes the crops of a batch of bags, each distinct crop once.
  ///
  /// - Parameters:
  ///   - bags: The bags.
  ///   - images: `[B, H, W, 3]`, normalised for CLIP, padded.
  ///   - encoder: The image encoder, on the same stream as `images`.
  ///   - masksCrops: Whether patches outside the bag's boxes are hidden (off as published).
  package init(
    bags: BagBatch, images: Tensor, encoder: ImageEncoder, masksCrops: Bool = false
  ) throws {
    let stream = images.stream
    let (crops, cropOfBag) = Self.distinctCrops(bags, oneForEachBag: masksCrops)
    cropCount = crops.count
    let masks = masksCrops ? Self.boxesOfBags(bags) : nil
    let features = try stream.withoutGradients {
      try Self.encode(crops, of: images, encoder: encoder, boxes: masks)
    }
    let cropOfSequence = bags.bagOfSequence.map { cropOfBag[Int($0)] }
    sequences = try features.images.l2Normalized().gatheredRows(cropOfSequence)
    occurrences = try Self.patches(
      of: features.patches, boxes: bags.normalisedBoxes,
      crops: bags.sequenceOfOccurrence.map { cropOfSequence[Int($0)] }, on: stream)
  }

  /// The unit mean of the patches under each occurrence's box: RoIAlign to one cell.
  ///
  /// - Parameters:
  ///   - patches: `[crops, G, G, E]`.
  ///   - boxes: Boxes in units of the crop.
  ///   - crops: The crop of each box.
  ///   - stream: Where the tensors live.
  /// - Returns: `[N, E]`.
  package static func patches(
    of patches: Tensor, boxes: [Box], crops: [Int32], on stream: ComputeStream
  ) throws -> Tensor {
    let regions = zip(crops, boxes).map { Region(image: Int($0), box: $1) }
    let pooled = try Tensor.roiAlign(
      levels: [patches], scales: [Float(patches.shape[1])],
      rois: try Tensor.regions(regions, on: stream), height: 1, width: 1,
      samplingRatio: 2)
    return try pooled.reshaped([boxes.count, patches.shape[3]]).l2Normalized()
  }

  /// The distinct (image, span) pairs and the one of each bag.
  private static func distinctCrops(
    _ bags: BagBatch, oneForEachBag: Bool
  ) -> (crops: [Region], cropOfBag: [Int32]) {
    guard !oneForEachBag else {
      return (bags.spans, bags.spans.indices.map { Int32($0) })
    }
    var places: [Region: Int32] = [:]
    var crops: [Region] = []
    let cropOfBag = bags.spans.map { span in
      if let place = places[span] { return place }
      let place = Int32(crops.count)
      places[span] = place
      crops.append(span)
      return place
    }
    return (crops, cropOfBag)
  }

  /// The normalised boxes of each bag, taken from its first order.
  private static func boxesOfBags(_ bags: BagBatch) -> [[Box]] {
    var boxes = [[Box]](repeating: [], count: bags.spans.count)
    var next = 0
    for (length, bag) in zip(bags.lengths, bags.bagOfSequence) {
      boxes[Int(bag)] = Array(bags.normalisedBoxes[next..<next + length])
      next += length
    }
    return boxes
  }

  private static func encode(
    _ crops: [Region], of images: Tensor, encoder: ImageEncoder, boxes: [[Box]]?
  ) throws -> ImageEncoder.Features {
    let (stream, size) = (images.stream, encoder.configuration.imageSize)
    let (grid, heads) = (encoder.configuration.gridSize, encoder.configuration.vision.heads)
    var parts: [ImageEncoder.Features] = []
    for start in stride(from: 0, to: crops.count, by: chunk) {
      let range = start..<min(start + chunk, crops.count)
      let cut = try Tensor.roiAlign(
        levels: [images], scales: [1],
        rois: try Tensor.regions(crops[range], on: stream), height: size, width: size,
        samplingRatio: 2)
      let length = grid * grid + 1
      let mask = try boxes.map {
        try Tensor(
          CropMask.additive(crops: Array($0[range]), grid: grid, heads: heads),
          shape: [range.count * heads, length, length], on: stream)
      }
      parts.append(try encoder.encode(cut, mask: mask))
    }
    guard parts.count > 1 else { return parts[0] }
    return ImageEncoder.Features(
      images: try Tensor.concatenated(parts.map(\.images), axis: 0),
      patches: try Tensor.concatenated(parts.map(\.patches), axis: 0))
  }
}
