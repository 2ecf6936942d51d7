import Geometry

extension RunLengthMask {
  /// Brings the small map of a mask head into a picture: bilinear samples at pixel centres inside the
  /// box, 0 outside of it, then a threshold (spec detector 2.9).
  ///
  /// - Parameters:
  ///   - width: The picture's width in pixels.
  ///   - height: The picture's height in pixels.
  ///   - probabilities: The map, `side` times `side` values in 0...1, row by row.
  ///   - side: Cells of the map per row and column.
  ///   - box: The box in pixels of the picture.
  ///   - threshold: Pixels of at least this much belong to the mask.
  /// - Throws: ``MaskError`` for a size out of range.
  package init(
    width: Int, height: Int, pasting probabilities: [Float], side: Int,
    into box: Box, threshold: Float = 0.5
  ) throws(MaskError) {
    try Self.check(width: width, height: height)
    precondition(probabilities.count == side * side, "a map of \(side) cells a side")
    let columns = Self.samples(from: box.x1, to: box.x2, size: width, side: side)
    let rows = Self.samples(from: box.y1, to: box.y2, size: height, side: side)
    var runs = RunBuilder()
    runs.append(false, count: columns.first * height)
    for column in columns.places {
      runs.append(false, count: rows.first)
      for row in rows.places {
        var value: Float = 0
        for (y, weightY) in [(row.cell, 1 - row.fraction), (row.cell + 1, row.fraction)]
        where y >= 0 && y < side {
          for (x, weightX) in [
            (column.cell, 1 - column.fraction), (column.cell + 1, column.fraction),
          ]
          where x >= 0 && x < side {
            value += weightY * weightX * probabilities[y * side + x]
          }
        }
        runs.append(value >= threshold, count: 1)
      }
      runs.append(false, count: height - rows.first - rows.places.count)
    }
    runs.append(false, count: (width - columns.first - columns.places.count) * height)
    self.init(width: width, height: height, checked: runs.finished())
  }

  /// The pixels around a box along one axis, and where each lies between the cells of the map.
  private static func samples(
    from start: Float, to end: Float, size: Int, side: Int
  ) -> (first: Int, places: [(cell: Int, fraction: Float)]) {
    guard end > start, start.isFinite, end.isFinite else { return (0, []) }
    // One pixel more on each side: the map fades out over half a cell.
    let first = min(max(Int(max(start, 0).rounded(.down)) - 1, 0), size)
    let last = min(Int(min(end, Float(size)).rounded(.up)) + 1, size)
    guard last > first else { return (0, []) }
    return (
      first,
      (first..<last).map { place in
        let position = (Float(place) + 0.5 - start) / (end - start) * Float(side) - 0.5
        // Far outside: both neighbours lie off the map.
        guard position > -1, position < Float(side) else { return (cell: side, fraction: 0) }
        let cell = Int(position.rounded(.down))
        return (cell: cell, fraction: position - Float(cell))
      }
    )
  }
}

/// Collects run lengths.
private struct RunBuilder {
  private var runs: [UInt32] = []
  private var inside = false
  private var length: UInt32 = 0

  mutating func append(_ value: Bool, count: Int) {
    guard count > 0 else { return }
    if value != inside {
      runs.append(length)
      length = 0
      inside.toggle()
    }
    length += UInt32(count)
  }

  func finished() -> [UInt32] { runs + [length] }
}
