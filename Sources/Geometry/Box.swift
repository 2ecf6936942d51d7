extension Box {
  /// Intersection over union, without rounding up of boxes to whole pixels.
  ///
  /// The union is at least 1e-6, so two empty boxes give 0.
  ///
  /// - Parameter other: The other box.
  /// - Returns: From 0 to 1.
  package func iou(with other: Box) -> Float {
    let overlap = overlap(with: other)
    // Most pairs do not meet; a division for each would be felt over all anchors of an image.
    guard overlap > 0 else { return 0 }
    return overlap / max(area + other.area - overlap, 1e-6)
  }

  /// The box enlarged about its centre and cut at the picture's border.
  ///
  /// - Parameters:
  ///   - scale: What width and height are multiplied by; 1 leaves the box as it is.
  ///   - width: The picture's width.
  ///   - height: The picture's height.
  package func enlarged(by scale: Float, width: Float, height: Float) -> Box {
    guard scale != 1 else { return self }
    let (dx, dy) = ((scale - 1) / 2 * self.width, (scale - 1) / 2 * self.height)
    return Box(x1: x1 - dx, y1: y1 - dy, x2: x2 + dx, y2: y2 + dy).clipped(
      width: width, height: height)
  }
}

extension Box {
  /// Four floats: x1, y1, x2, y2.
  package var corners: [Float] { [x1, y1, x2, y2] }
}

extension [Box] {
  /// Reads boxes from rows of four floats: x1, y1, x2, y2.
  ///
  /// - Parameter corners: As many floats as four times the boxes.
  package init(corners: [Float]) {
    precondition(corners.count.isMultiple(of: 4), "\(corners.count) floats are not boxes")
    self = stride(from: 0, to: corners.count, by: 4).map {
      Box(x1: corners[$0], y1: corners[$0 + 1], x2: corners[$0 + 2], y2: corners[$0 + 3])
    }
  }

  /// Rows of four floats: x1, y1, x2, y2.
  package var corners: [Float] { flatMap(\.corners) }
}

/// A box with how sure a detector is of it.
package struct ScoredBox: Sendable, Hashable {
  /// The box in pixels.
  package var box: Box
  /// How sure, in 0...1; ground truth has 1.
  package var score: Float

  package init(_ box: Box, score: Float) {
    self.box = box
    self.score = score
  }
}

/// A box in one of the images of a batch.
package struct Region: Sendable, Hashable {
  /// The image's place in the batch.
  package var image: Int
  /// The box in pixels of the batch, or in units of the image where a function says so.
  package var box: Box

  package init(image: Int, box: Box) {
    self.image = image
    self.box = box
  }
}

extension [Region] {
  /// Regions of the images of a batch, the images one after the other.
  ///
  /// - Parameter boxes: The boxes of each image.
  package init(_ boxes: [[Box]]) {
    self = boxes.enumerated().flatMap { image, boxes in
      boxes.map { Region(image: image, box: $0) }
    }
  }
}

extension FileBox {
  /// A box of no size at the origin.
  package static var zero: FileBox { FileBox(x: 0, y: 0, width: 0, height: 0) }

  /// The numbers as COCO writes them: x, y, width, height.
  package var numbers: [Double] { [x1, y1, width, height] }
}
