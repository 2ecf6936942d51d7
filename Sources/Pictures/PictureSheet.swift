/// Pictures with boxes for people to look at.
package enum PictureSheet {
  /// Draws boxes on a picture, enlarged first so that names stay readable on small ones; masks are
  /// drawn on pictures of their own size.
  ///
  /// - Parameters:
  ///   - image: The picture.
  ///   - boxes: Boxes in its pixels.
  ///   - factor: How many pixels wide each of its pixels becomes.
  /// - Returns: The picture with boxes.
  package static func annotated(
    _ image: Image, _ boxes: [LabeledBox], enlarging factor: Int = 1
  ) -> Image {
    var canvas = Canvas(factor == 1 ? image : enlarged(image, by: factor))
    let scale = Float(factor)
    canvas.draw(
      boxes.map { item in
        LabeledBox(
          box: item.box.scaled(x: scale, y: scale), label: item.label, score: item.score,
          mask: factor == 1 ? item.mask : nil)
      })
    return canvas.image
  }

  private static func enlarged(_ image: Image, by factor: Int) -> Image {
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
