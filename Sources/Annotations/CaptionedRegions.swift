import Geometry

/// Regions of images, each with a sentence that describes it.
///
/// Read from a COCO caption file whose annotations may carry a `bbox`: the part of the image that the
/// caption describes, as in Visual Genome's region descriptions. Without it the caption is about the
/// whole image, so an ordinary caption file will do (``CaptionRecords``).
package struct CaptionedRegions: Sendable, Equatable {
  /// One region and its caption.
  package struct Pair: Sendable, Equatable {
    /// The index of the image in ``CaptionedRegions/images``.
    package let imageIndex: Int
    /// The region in pixels of the original image, clipped to it and never empty.
    package let box: Box
    /// The sentence.
    package let caption: String
  }

  /// The file's path.
  package let path: String
  /// The images in file order, those without captions included.
  package let images: [COCOAnnotations.ImageRecord]
  /// The regions in file order, at least one.
  package let pairs: [Pair]

  /// Reads a caption file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file, a file without images or
  ///   captions, repeated image ids, a caption of an unknown image, or a region outside its image.
  package init(path: String) throws {
    let records = try CaptionRecords(path: path)
    pairs = try records.entries.map { entry in
      let image = records.images[entry.image]
      let (width, height) = (Float(image.width), Float(image.height))
      let whole = Box(x1: 0, y1: 0, x2: width, y2: height)
      let box = entry.box?.clipped(width: width, height: height) ?? whole
      guard box.width > 0, box.height > 0 else {
        throw DatasetError.record(
          file: path, place: entry.place, field: "bbox",
          reason: "nothing of it lies in the image of \(image.width)x\(image.height) pixels; it "
            + "must be [x, y, width, height]")
      }
      return Pair(imageIndex: entry.image, box: box, caption: entry.caption)
    }
    self.path = path
    images = records.images
  }
}
