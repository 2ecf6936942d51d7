import Annotations
import CLIP
import Detection
import Formats
import Geometry
import Loading
import Pictures
import Tensors

/// The pairs that a CLIP model learns from, a batch at a time.
///
/// A batch is a pure function of seed and iteration, so resuming needs no state. Images are kept in
/// memory once decoded, up to a bound.
final class CLIPTrainingData {
  /// One batch.
  struct Batch {
    /// `[N, S, S, 3]`, normalised for CLIP.
    let crops: Tensor
    /// Token ids of the captions, padded to the longest.
    let ids: [[Int32]]
    /// Equal numbers for captions of equal content.
    let groups: [Int32]
  }

  /// The pairs.
  let regions: CaptionedRegions
  private let folder: String
  private let longSide: Int
  private let size: Int
  private let seed: UInt64
  private let batchSize: Int
  /// Pairs of each image that has any.
  private let pairsOfImages: [[Int]]
  private let groups: [Int32]
  private var tokens: [String: [Int32]] = [:]
  private var images: [Int: Image] = [:]
  private var unreadable: Set<Int> = []
  private var bytes = 0
  private var order: (epoch: Int, images: [Int])?

  /// Decoded images that are kept, in bytes.
  private static let cacheLimit = 1 << 30
  /// How many images in a row may be unreadable.
  private static let mostReplacements = 20

  /// - Throws: `DatasetError` when a file is malformed or has fewer images than a batch needs.
  init(_ configuration: CLIPTrainingConfiguration) throws {
    let data = configuration.data
    regions = try DatasetError.naming("data.train_captions") {
      try CaptionedRegions(path: data.trainCaptions)
    }
    folder = data.trainImages
    longSide = data.longSide
    size = configuration.model.imageSize
    seed = UInt64(configuration.training.seed)
    batchSize = configuration.training.batch
    var pairs = [[Int]](repeating: [], count: regions.images.count)
    for (index, pair) in regions.pairs.enumerated() { pairs[pair.imageIndex].append(index) }
    pairsOfImages = pairs.filter { !$0.isEmpty }
    guard pairsOfImages.count >= batchSize else {
      throw DatasetError.record(
        file: data.trainCaptions, place: "", field: "annotations",
        reason: "describe \(pairsOfImages.count, "image"), but training.batch is \(batchSize) and "
          + "takes each pair from another image; lower it or give more images")
    }
    groups =
      data.masksEqualCaptions
      ? CaptionGroups(regions.pairs.map(\.caption), commonShare: data.commonWordShare).numbers
      : regions.pairs.indices.map { Int32($0) }
  }

  /// The pairs of a step, each from another image; every image once an epoch.
  func choice(_ iteration: Int) -> [Int] {
    var random = CounterRandom(
      seed: seed, CounterRandom.key("caption pairs"), UInt64(iteration))
    return (0..<batchSize).map { place in
      // An epoch holds whole batches only, so that no batch sees an image twice.
      let batches = pairsOfImages.count / batchSize
      let (epoch, batch) = iteration.quotientAndRemainder(dividingBy: batches)
      let pairs = pairsOfImages[imageOrder(epoch)[batch * batchSize + place]]
      return pairs[random.integer(below: pairs.count)]
    }
  }

  private func imageOrder(_ epoch: Int) -> [Int] {
    if let order, order.epoch == epoch { return order.images }
    var random = CounterRandom(seed: seed, CounterRandom.key("caption epoch"), UInt64(epoch))
    var images = Array(pairsOfImages.indices)
    for last in stride(from: images.count - 1, to: 0, by: -1) {
      images.swapAt(last, random.integer(below: last + 1))
    }
    order = (epoch, images)
    return images
  }

  /// Decodes and cuts the pairs of a step; a pair whose image cannot be read is replaced.
  ///
  /// - Parameters:
  ///   - iteration: The step.
  ///   - tokenizer: Of the captions.
  ///   - context: Most tokens of a caption.
  ///   - stream: Where the crops are made.
  ///   - warn: Gets one line per unreadable image.
  /// - Throws: `DatasetError` when many images in a row cannot be read; `OpenCLError`.
  func batch(
    _ iteration: Int, tokenizer: Tokenizer, context: Int, on stream: ComputeStream,
    warn: (String) -> Void
  ) throws -> Batch {
    let readable = try choice(iteration).enumerated().map { place, pair in
      try self.readable(pair, iteration, place, warn: warn)
    }
    let pairs = readable.map(\.pair)
    let chosen = pairs.map { regions.pairs[$0] }
    let crops = try CLIPCrops.cut(
      zip(readable, chosen).map { ($0.image, $1.box) }, longSide: longSide, size: size, on: stream)
    var ids = try chosen.map { pair in
      if let known = tokens[pair.caption] { return known }
      let row = try tokenizer.encode(
        [pair.caption], contextLength: context, overflow: .truncate, padding: .longest)[0]
      tokens[pair.caption] = row
      return row
    }
    let length = ids.map(\.count).max() ?? 0
    for index in ids.indices {
      ids[index] += [Int32](repeating: 0, count: length - ids[index].count)
    }
    return Batch(crops: crops, ids: ids, groups: pairs.map { groups[$0] })
  }

  /// A pair with its image, or another one in the place of a pair whose image cannot be read.
  private func readable(
    _ pair: Int, _ iteration: Int, _ place: Int, warn: (String) -> Void
  ) throws -> (pair: Int, image: Image) {
    var random = CounterRandom(
      seed: seed, CounterRandom.key("caption replacements"), UInt64(iteration), UInt64(place))
    var pair = pair
    var attempts = 0
    while true {
      let index = regions.pairs[pair].imageIndex
      do {
        return (pair, try image(index))
      } catch let error as PictureError {
        if unreadable.insert(index).inserted { warn("\(error)") }
        guard attempts < Self.mostReplacements else { throw error }
      }
      attempts += 1
      let pairs = pairsOfImages[random.integer(below: pairsOfImages.count)]
      pair = pairs[random.integer(below: pairs.count)]
    }
  }

  private func image(_ index: Int) throws -> Image {
    if let known = images[index] { return known }
    let image = try regions.images[index].picture(in: folder)
    if bytes + image.bytes.count <= Self.cacheLimit {
      bytes += image.bytes.count
      images[index] = image
    }
    return image
  }
}

/// Cuts regions out of images as a CLIP image encoder wants them (spec method 1.8).
enum CLIPCrops {
  /// Cuts and normalises.
  ///
  /// - Parameters:
  ///   - regions: Images with a box in each one's own pixels.
  ///   - longSide: Images are resized to at most this long side first.
  ///   - size: The side of the crops.
  ///   - stream: Where they are made.
  /// - Returns: `[N, size, size, 3]`, normalised for CLIP.
  static func cut(
    _ regions: [(image: Image, box: Box)], longSide: Int, size: Int,
    on stream: ComputeStream
  ) throws -> Tensor {
    let preparation = BatchPreparation(
      normalisation: .clip, paddingUnit: 1)
    let samples = regions.map { region in
      let (width, height) = (region.image.width, region.image.height)
      let scale = min(1, Double(longSide) / Double(max(width, height)))
      return LoadedSample(
        image: region.image,
        view: ImageView(
          originalWidth: width, originalHeight: height,
          width: max(1, Int((Double(width) * scale).rounded())),
          height: max(1, Int((Double(height) * scale).rounded()))))
    }
    let rois = zip(regions, samples).enumerated().map { index, item in
      Region(image: index, box: item.1.view.resized(item.0.box))
    }
    return try Tensor.roiAlign(
      levels: [try preparation.images(samples, on: stream)], scales: [1],
      rois: try Tensor.regions(rois, on: stream), height: size, width: size, samplingRatio: 2)
  }
}
