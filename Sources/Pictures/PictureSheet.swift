import Masks

/// Pictures with boxes for people to look at.
package enum PictureSheet {
  /// Pixels that the longer side of a picture should have.
  private static let legibleSide = 600

  /// How many times a picture is enlarged so that names and boxes are legible.
  ///
  /// - Parameter image: The picture.
  /// - Returns: 1 for a picture of 400 pixels or more, else what brings its longer side to about 600.
  package static func enlargement(of image: Image) -> Int {
    let side = max(image.width, image.height)
    return max(1, min(legibleSide, (legibleSide + side / 2) / side))
  }

  /// Draws boxes on a picture, enlarged first so that names stay readable on small ones.
  ///
  /// - Parameters:
  ///   - image: The picture.
  ///   - boxes: Boxes, with masks of its size, in its pixels.
  ///   - factor: How many pixels wide each of its pixels becomes.
  ///   - colors: Gives each label its colour.
  /// - Returns: The picture with boxes.
  package static func annotated(
    _ image: Image, _ boxes: [LabeledBox], enlarging factor: Int, colors: inout LabelPalette
  ) -> Image {
    var canvas = Canvas(enlarged(image, by: factor))
    canvas.draw(boxes.map { enlarged($0, by: factor, of: image) }, colors: &colors)
    return canvas.image
  }

  private static func enlarged(_ item: LabeledBox, by factor: Int, of image: Image) -> LabeledBox {
    let scale = Float(factor)
    return LabeledBox(
      box: item.box.scaled(x: scale, y: scale), label: item.label, score: item.score,
      mask: item.mask.flatMap { mask in
        guard factor > 1 else { return mask }
        guard mask.width == image.width, mask.height == image.height else { return nil }
        let pixels = mask.bitmap()
        let (width, height) = (image.width * factor, image.height * factor)
        var bitmap: [UInt8] = []
        bitmap.reserveCapacity(width * height)
        for y in 0..<height {
          for x in 0..<width { bitmap.append(pixels[y / factor * image.width + x / factor]) }
        }
        return try? RunLengthMask(width: width, height: height, bitmap: bitmap)
      })
  }

  /// A picture whose pixels become squares.
  ///
  /// - Parameters:
  ///   - image: The picture.
  ///   - factor: How many pixels wide each of its pixels becomes.
  package static func enlarged(_ image: Image, by factor: Int) -> Image {
    guard factor > 1 else { return image }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(image.bytes.count * factor * factor)
    for y in 0..<image.height * factor {
      for x in 0..<image.width * factor {
        let base = (y / factor * image.width + x / factor) * 3
        bytes.append(contentsOf: image.bytes[base..<base + 3])
      }
    }
    return Image(width: image.width * factor, height: image.height * factor, bytes: bytes)
  }
}
