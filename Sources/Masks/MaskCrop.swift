import Geometry

/// A mask of a resized picture, kept only where it is not empty.
///
/// What training needs of an object: small, and without the way back to run lengths.
package struct MaskCrop: Sendable, Equatable {
  /// The rectangle in pixels of the resized picture; the mask is empty outside of it.
  package let bounds: PixelBlock
  /// One byte a pixel of the rectangle, row by row: 1 in the mask.
  package let pixels: [UInt8]

  /// Resizes a mask to the nearest pixels, then flips it (spec training 4.5).
  ///
  /// - Parameters:
  ///   - mask: The mask in pixels of the original picture.
  ///   - view: How the picture was resized and flipped.
  package init(_ mask: RunLengthMask, in view: ImageView) {
    let source = mask.bounds
    let columns = Self.places(
      of: source.x1..<source.x2, from: mask.width, to: view.width)
    let rows = Self.places(
      of: source.y1..<source.y2, from: mask.height, to: view.height)
    bounds = PixelBlock(
      x: view.isFlipped
        ? view.width - columns.first - columns.sources.count : columns.first, y: rows.first,
      width: columns.sources.count, height: rows.sources.count)
    let bitmap = mask.bitmap()
    let order = view.isFlipped ? columns.sources.reversed() : columns.sources
    pixels = rows.sources.flatMap { row in order.map { bitmap[row * mask.width + $0] } }
  }

  /// The resized places that show one of the original places, and which one each of them shows.
  private static func places(
    of wanted: Range<Int>, from size: Int, to resized: Int
  ) -> (first: Int, sources: [Int]) {
    let step = 1 / (Double(resized) / Double(size))
    var first = 0
    var sources: [Int] = []
    for place in 0..<resized {
      let source = min(Int(Double(place) * step), size - 1)
      guard wanted.contains(source) else { continue }
      if sources.isEmpty { first = place }
      sources.append(source)
    }
    return (first, sources)
  }

  /// The mask inside a box at the resolution of a mask head: RoIAlign with as many samples as a cell
  /// has pixels, then the threshold 0.5 (spec detector 2.8).
  ///
  /// - Parameters:
  ///   - box: A box in pixels of the resized picture.
  ///   - width: The padded width of the batch, beyond which samples give 0.
  ///   - height: The padded height of the batch.
  ///   - side: Cells per row and column.
  /// - Returns: `side` times `side` values of 0 or 1, row by row.
  package func target(_ box: Box, width: Int, height: Int, side: Int) -> [Float] {
    let box = box.clipped(width: Float(width), height: Float(height))
    // Bilinear samples of a grid are a product of weights along x and along y.
    let columns = Self.weights(
      from: box.x1, to: box.x2, side: side, size: width, first: bounds.x1, count: bounds.width)
    let rows = Self.weights(
      from: box.y1, to: box.y2, side: side, size: height, first: bounds.y1, count: bounds.height)
    // The places that some cell takes from.
    let first = columns.lazy.compactMap(\.first?.place).min() ?? 0
    let last = columns.lazy.compactMap(\.last?.place).max() ?? -1
    var result = [Float](repeating: 0, count: side * side)
    guard last >= first else { return result }
    var line = [Float](repeating: 0, count: last - first + 1)
    pixels.withUnsafeBufferPointer { pixels in
      for cellY in 0..<side {
        line.withUnsafeMutableBufferPointer { line in
          line.update(repeating: 0)
          for (row, weight) in rows[cellY] {
            let start = row * bounds.width + first
            for column in line.indices { line[column] += weight * Float(pixels[start + column]) }
          }
        }
        for cellX in 0..<side {
          let share = columns[cellX].reduce(Float(0)) { $0 + $1.weight * line[$1.place - first] }
          result[cellY * side + cellX] = share >= 0.5 ? 1 : 0
        }
      }
    }
    return result
  }

  /// What each cell takes of each place of the rectangle along one axis.
  private static func weights(
    from start: Float, to end: Float, side: Int, size: Int, first: Int, count: Int
  ) -> [[(place: Int, weight: Float)]] {
    let bin = (end - start) / Float(side)
    let samples = Int(bin.rounded(.up))
    guard samples > 0 else { return [[(place: Int, weight: Float)]](repeating: [], count: side) }
    let share = 1 / Float(samples)
    return (0..<side).map { cell in
      // Samples rise, so a place that comes again is one of the last two.
      var found: [(place: Int, weight: Float)] = []
      func add(_ place: Int, _ weight: Float) {
        guard weight > 0, place >= 0, place < count else { return }
        for index in found.indices.suffix(2) where found[index].place == place {
          found[index].weight += weight
          return
        }
        found.append((place, weight))
      }
      for sample in 0..<samples {
        let position =
          start - 0.5 + Float(cell) * bin + (Float(sample) + 0.5) * bin / Float(samples)
        guard position >= -1, position <= Float(size) else { continue }
        let inside = min(max(position, 0), Float(size - 1))
        let low = Int(inside)
        let fraction = inside - Float(low)
        add(low - first, (1 - fraction) * share)
        add(low + 1 - first, fraction * share)
      }
      return found
    }
  }
}
