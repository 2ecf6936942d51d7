/// Images with their captions, from a caption file of either layout (``CaptionRecords``).
package struct Captions: Sendable, Equatable {
  /// The captioned images in file order, at least one.
  package let images: [COCOAnnotations.ImageRecord]
  /// How many images of the file have no caption.
  package let uncaptionedCount: Int

  /// The number of captions.
  package var count: Int { images.reduce(0) { $0 + $1.captions.count } }

  /// Reads a caption file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file, one without images or
  ///   captions, repeated image ids, or a caption of an unknown image.
  package init(path: String) throws {
    let records = try CaptionRecords(path: path)
    var images = records.images
    for entry in records.entries { images[entry.image].captions.append(entry.caption) }
    self.images = images.filter { !$0.captions.isEmpty }
    uncaptionedCount = images.count - self.images.count
  }

  /// The images whose joined lower-case captions mention a class: the filter of the published
  /// caption file (spec training 4.5), an option because it uses the names of novel classes.
  ///
  /// - Parameter mentions: The names of the classes.
  /// - Returns: Indices into ``images``, ascending.
  package func imageIndices(mentioning mentions: ClassMentions) -> [Int] {
    images.indices.filter {
      mentions.occur(in: images[$0].captions.joined(separator: " "))
    }
  }
}
