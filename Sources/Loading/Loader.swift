import Annotations
import Formats
import Geometry
import Masks
import Pictures

/// One image of a batch with what training needs to know of it.
package struct LoadedSample: Sendable {
  /// The position of the image in its stream's `images`.
  package let index: Int
  /// The decoded picture at its original size; resizing and flipping are left to the device.
  package let image: Image
  /// How the picture is to be resized and flipped.
  package let view: ImageView
  /// The boxes in the resized frame.
  package let boxes: [Box]
  /// The class of each box.
  package let labels: [Int]
  /// The mask of each box in the resized frame; empty when the stream has no masks.
  package let masks: [MaskCrop]
  /// The sentences that describe the image; empty unless the stream is one of captions.
  package let captions: [String]

  package init(
    index: Int = 0, image: Image, view: ImageView,
    boxes: [Box] = [], labels: [Int] = [],
    masks: [MaskCrop] = [], captions: [String] = []
  ) {
    self.masks = masks
    self.captions = captions
    self.index = index
    self.image = image
    self.view = view
    self.boxes = boxes
    self.labels = labels
  }
}

/// What the images of a training step are for; each purpose has a stream of its own.
package enum ImageStream: String, Sendable, CaseIterable {
  /// Images with boxes that train the detector.
  case detection
  /// Images that are aligned with what a teacher sees in them.
  case alignment
  /// Images that are aligned with their captions.
  case captions
}

/// The images of one replica in one iteration.
package struct LoadedBatch: Sendable {
  /// The iteration, counted from 0.
  package let iteration: Int
  /// Whose they are.
  package let replica: Int
  /// The samples of each stream.
  package let streams: [ImageStream: [LoadedSample]]

  package init(iteration: Int, replica: Int = 0, streams: [ImageStream: [LoadedSample]]) {
    self.iteration = iteration
    self.replica = replica
    self.streams = streams
  }

  /// The images of all streams.
  package var imageCount: Int { streams.values.reduce(0) { $0 + $1.count } }
}

/// A source of images for a loader.
package struct LoaderStream: Sendable {
  /// What its images are for; warnings call it so.
  package let name: ImageStream
  /// The folder that the file names of the images are relative to.
  package let folder: String
  /// The configuration's key of the folder, which errors name; empty for none.
  package let folderKey: String
  /// The images of the data set.
  package let images: [COCOAnnotations.ImageRecord]
  /// The images that are used; an index that stands twice is given twice as often.
  package let indices: [Int]
  /// The number of images in a batch of one replica.
  package let batchSize: Int
  /// The sizes and the flip to draw from.
  package let augmentation: Augmentation
  /// Where the masks of objects are; nil leaves them out.
  package let segmentations: SegmentationReader?
  /// Whether ids fit the 32 bits that the method keeps of them.
  private let hasShortIDs: Bool

  /// Creates a source.
  ///
  /// - Parameters:
  ///   - name: What its images are for.
  ///   - folder: The folder of the image files.
  ///   - folderKey: The configuration's key of the folder, which errors name; empty for none.
  ///   - images: The images of the data set.
  ///   - indices: The images that are used, indices into `images`.
  ///   - batchSize: The number of images in a batch of one replica.
  ///   - augmentation: The sizes and the flip to draw from.
  ///   - segmentations: Where the masks of objects are; nil leaves them out. With masks an object
  ///     without a usable one is left out (spec training 4.5).
  package init(
    name: ImageStream, folder: String, folderKey: String = "",
    images: [COCOAnnotations.ImageRecord], indices: [Int], batchSize: Int,
    augmentation: Augmentation, segmentations: SegmentationReader? = nil
  ) {
    self.folderKey = folderKey
    self.segmentations = segmentations
    self.name = name
    self.folder = folder
    self.images = images
    self.indices = indices
    self.batchSize = batchSize
    self.augmentation = augmentation
    hasShortIDs = images.allSatisfy { Int32(exactly: $0.id) != nil }
  }

  /// The path of an image's file, or what stands for it.
  func path(of index: Int) -> String {
    (try? images[index].path(in: folder)) ?? "\(folder)/ image \(images[index].id)"
  }

  /// Decodes an image and draws its transform.
  func sample(_ index: Int, seed: UInt64, iteration: Int, slot: Int) throws -> LoadedSample {
    let record = images[index]
    let image = try record.picture(in: folder)
    let view = augmentation.view(
      width: image.width, height: image.height, seed: seed, iteration: iteration, slot: slot,
      imageID: hasShortIDs ? record.id : index)
    let (objects, masks) = try masks(of: record.objects, view)
    return LoadedSample(
      index: index, image: image, view: view,
      boxes: objects.map { view.visible($0.box) }, labels: objects.map(\.label),
      masks: masks,
      captions: record.captions)
  }

  /// The objects that have a mask, with it; all of them when the stream has no masks.
  private func masks(
    of objects: [COCOAnnotations.Object], _ view: ImageView
  ) throws -> (objects: [COCOAnnotations.Object], masks: [MaskCrop]) {
    guard let segmentations else { return (objects, []) }
    let found = try objects.compactMap { object in
      try object.position.flatMap { try segmentations.mask(at: $0) }.map { mask in
        (object, MaskCrop(mask, in: view))
      }
    }
    return (found.map(\.0), found.map(\.1))
  }
}

/// Decodes the batches of coming iterations on background threads and hands them out in order: in
/// each iteration one for every replica that it loads for.
///
/// The order and every random choice are functions of seed and iteration, so a loader that starts at
/// iteration `i` gives what another that started at 0 gives from `i` on, whatever the number of
/// threads. An image that cannot be decoded, or whose size is not that of its record, is reported
/// once, never tried again, and replaced by the next usable one of its stream and aspect group.
/// Dropping the loader, or ``stop()``, ends its threads.
package final class Loader: Sendable {
  /// Shared with the threads; tests watch it.
  let core: LoaderCore

  /// Starts loading.
  ///
  /// - Parameters:
  ///   - streams: The sources of images, each of another name; their order decides what is drawn.
  ///   - seed: The run's seed.
  ///   - iteration: The first iteration to hand out.
  ///   - own: The replicas that it loads for.
  ///   - replicas: How many replicas share the images.
  ///   - threads: The number of background threads.
  ///   - prefetch: The most batches that are ready or in work at a time.
  ///   - leavingOut: File names of images that are known to be unusable, by stream.
  ///   - warn: Takes one line for each other image that cannot be used; called from any thread.
  /// - Throws: ``StreamError`` when a stream has no image.
  package init(
    streams: [LoaderStream], seed: UInt64, startingAt iteration: Int = 0,
    replicas own: Range<Int> = 0..<1, of replicas: Int = 1, threads: Int = 2, prefetch: Int = 4,
    leavingOut: [String: [String]] = [:],
    warn: @escaping @Sendable (String) -> Void
  ) throws {
    precondition(threads > 0 && prefetch > 0, "a loader needs a thread and room for a batch")
    precondition(Set(streams.map(\.name)).count == streams.count, "two streams of one name")
    let sources = streams.map { stream in
      BatchSampler.Stream(
        name: stream.name.rawValue, indices: stream.indices,
        isPortrait: stream.indices.map { stream.images[$0].width < stream.images[$0].height },
        batchSize: stream.batchSize)
    }
    core = LoaderCore(
      streams: streams,
      samplers: try own.map {
        try BatchSampler(streams: sources, seed: seed, replica: $0, of: replicas)
      }, seed: seed, first: iteration, replicas: own, prefetch: prefetch,
      leavingOut: leavingOut, warn: warn)
    core.start(threads: threads)
  }

  deinit { core.stop() }

  /// The next batch, replica by replica and then iteration by iteration; waits until it is ready.
  ///
  /// - Throws: ``StreamError`` when no image of a stream can be used, or after ``stop()``.
  package func next() throws -> LoadedBatch { try core.next() }

  /// The images that iterations before one found to be unusable; with them and the seed another
  /// loader gives the same batches from there on.
  ///
  /// - Parameter iteration: The next iteration.
  /// - Returns: File names by stream.
  package func leftOut(before iteration: Int) -> [String: [String]] {
    core.leftOut(before: iteration)
  }

  /// The time that callers of ``next()`` have spent waiting, in seconds.
  package var waitSeconds: Double { core.waitSeconds }

  /// Ends the background threads and returns when they are gone.
  package func stop() { core.stop() }
}
