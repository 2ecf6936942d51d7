import Datasets

/// Pictures with boxes for people to look at.
enum PictureSheet {
  private static let gap = 12

  /// Draws boxes on a picture, enlarged first so that names stay readable on small ones; masks are
  /// drawn on pictures of their own size.
  ///
  /// - Parameters:
  ///   - image: The picture.
  ///   - boxes: Boxes in its pixels.
  ///   - factor: How many pixels wide each of its pixels becomes.
  /// - Returns: The picture with boxes.
  static func annotated(_ image: Image, _ boxes: [LabeledBox], enlarging factor: Int = 1) -> Image {
    var canvas = Canvas(factor == 1 ? image : enlarged(image, by: factor))
    let scale = Float(factor)
    canvas.draw(
      boxes.map { item in
        LabeledBox(
          box: BoundingBox(
            x1: item.box.x1 * scale, y1: item.box.y1 * scale, x2: item.box.x2 * scale,
            y2: item.box.y2 * scale), label: item.label, score: item.score,
          mask: factor == 1 ? item.mask : nil)
      })
    return canvas.image
  }

  /// Puts pictures of one height side by side on white.
  ///
  /// - Parameter pictures: At least one picture.
  /// - Returns: The wide picture.
  static func besides(_ pictures: [Image]) -> Image {
    let height = pictures.map(\.height).max() ?? 1
    let width = pictures.reduce(gap * (pictures.count - 1)) { $0 + $1.width }
    var sheet = Image(width: width, height: height, filledWith: Color(255, 255, 255))
    var left = 0
    for picture in pictures {
      for y in 0..<picture.height {
        let source = y * picture.width * 3
        let target = (y * width + left) * 3
        sheet.bytes.replaceSubrange(
          target..<target + picture.width * 3,
          with: picture.bytes[source..<source + picture.width * 3])
      }
      left += picture.width + gap
    }
    return sheet
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
