import Geometry

/// A picture of 8-bit RGB pixels, row by row, three bytes a pixel (`[height, width, 3]`).
package struct Image: Sendable, Equatable {
  /// The width in pixels.
  package let width: Int
  /// The height in pixels.
  package let height: Int
  /// The pixels: red, green, blue of each, rows from top to bottom.
  package var bytes: [UInt8]

  /// Creates a picture from its pixels.
  package init(width: Int, height: Int, bytes: [UInt8]) {
    precondition(
      width > 0 && height > 0 && bytes.count == width * height * 3,
      "an image of \(width)x\(height) pixels needs \(width * height * 3) bytes, not \(bytes.count)")
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// Creates a picture of one colour.
  ///
  /// - Parameters:
  ///   - width: The width in pixels.
  ///   - height: The height in pixels.
  ///   - color: The colour.
  package init(width: Int, height: Int, filledWith color: Color = Color(0, 0, 0)) {
    var bytes = [UInt8](repeating: 0, count: width * height * 3)
    for pixel in 0..<width * height {
      bytes[pixel * 3] = color.red
      bytes[pixel * 3 + 1] = color.green
      bytes[pixel * 3 + 2] = color.blue
    }
    self.init(width: width, height: height, bytes: bytes)
  }

  /// The part of the picture under a box, whole pixels, at least one.
  ///
  /// - Parameter box: The box in pixels; what lies outside of the picture is cut off.
  package func cropped(to box: Box) -> Image {
    func range(_ from: Float, _ to: Float, _ size: Int) -> Range<Int> {
      let first = min(max(0, Int(from.rounded(.down))), size - 1)
      return first..<max(first + 1, min(size, Int(to.rounded(.up))))
    }
    let (columns, rows) = (range(box.x1, box.x2, width), range(box.y1, box.y2, height))
    let part = rows.flatMap { row in
      bytes[(row * width + columns.lowerBound) * 3..<(row * width + columns.upperBound) * 3]
    }
    return Image(width: columns.count, height: rows.count, bytes: part)
  }

  /// The picture made smaller, each new pixel the mean of the old ones below it.
  ///
  /// - Parameter side: The most pixels of the longer side; a picture that has no more stays.
  package func reduced(toSide side: Int) -> Image {
    let longest = max(width, height)
    guard side > 0, longest > side else { return self }
    func size(_ old: Int) -> Int { max(1, (old * side + longest / 2) / longest) }
    let (columns, rows) = (size(width), size(height))
    var reduced: [UInt8] = []
    reduced.reserveCapacity(columns * rows * 3)
    for y in 0..<rows {
      let covered = y * height / rows..<max(y * height / rows + 1, (y + 1) * height / rows)
      for x in 0..<columns {
        let across = x * width / columns..<max(x * width / columns + 1, (x + 1) * width / columns)
        var sums = (0, 0, 0)
        for row in covered {
          for column in across {
            let base = (row * width + column) * 3
            sums.0 += Int(bytes[base])
            sums.1 += Int(bytes[base + 1])
            sums.2 += Int(bytes[base + 2])
          }
        }
        let count = covered.count * across.count
        for sum in [sums.0, sums.1, sums.2] { reduced.append(UInt8((sum + count / 2) / count)) }
      }
    }
    return Image(width: columns, height: rows, bytes: reduced)
  }

  /// The colour at a place inside the picture.
  ///
  /// - Parameters:
  ///   - x: The column.
  ///   - y: The row.
  package subscript(x: Int, y: Int) -> Color {
    let base = (y * width + x) * 3
    return Color(bytes[base], bytes[base + 1], bytes[base + 2])
  }
}

/// A colour of 8 bits a channel.
package struct Color: Sendable, Equatable, Hashable {
  /// Red.
  package let red: UInt8
  /// Green.
  package let green: UInt8
  /// Blue.
  package let blue: UInt8

  package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// Creates a colour from hue, saturation and value, each in [0, 1].
  ///
  /// - Parameters:
  ///   - hue: The hue; 0 and 1 are red.
  ///   - saturation: The saturation.
  ///   - value: The brightness.
  package init(hue: Double, saturation: Double, value: Double) {
    func channel(_ shift: Double) -> UInt8 {
      let place = (shift + hue * 6).truncatingRemainder(dividingBy: 6)
      let share = max(0, min(min(place, 4 - place), 1))
      return UInt8(max(0, min(255, ((value - value * saturation * share) * 255).rounded())))
    }
    self.init(channel(5), channel(3), channel(1))
  }

  /// The perceived brightness in [0, 1] (ITU-R BT.601 weights on the stored values).
  package var luminance: Double {
    (0.299 * Double(red) + 0.587 * Double(green) + 0.114 * Double(blue)) / 255
  }
}
