import Geometry

extension RunLengthMask {
  /// Brings the small map of a mask head into a picture: bilinear samples at pixel centres inside the
  /// box, 0 outside of it, then a threshold (spec detector 2.9).
  ///
  /// Every pixel is that of `_do_paste_mask` in MMDetection for the same map and box: float32 in the
  /// order of PyTorch's `grid_sample` on CPUs with fused multiply-add.
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
    let columns = MaskSamples(from: box.x1, to: box.x2, size: width, side: side)
    let rows = MaskSamples(from: box.y1, to: box.y2, size: height, side: side)
    let map = MaskMap(probabilities, side: side)
    var runs = RunBuilder()
    runs.append(false, count: columns.first * height)
    for column in columns.places {
      runs.append(false, count: rows.first)
      for row in rows.places { runs.append(map[row, column] >= threshold, count: 1) }
      runs.append(false, count: height - rows.first - rows.places.count)
    }
    runs.append(false, count: (width - columns.first - columns.places.count) * height)
    self.init(width: width, height: height, checked: runs.finished())
  }
}

/// The pixels around a box along one axis, and where each lies between the cells of the map.
private struct MaskSamples {
  /// A pixel's centre: the cell before it, counted from the zeros around the map, and how far it lies
  /// from that cell and from the next one.
  struct Place {
    var cell = 0
    var before: Float = 0
    var after: Float = 0
  }

  /// The first pixel.
  private(set) var first = 0
  /// It and those that follow.
  private(set) var places: [Place] = []

  init(from start: Float, to end: Float, size: Int, side: Int) {
    guard start.isFinite, end.isFinite else { return }
    // One pixel more on each side: the map fades out over half a cell.
    let limit = Float(size) + 1
    first = min(max(Int(min(max(start, 0), limit).rounded(.down)) - 1, 0), size)
    let last = min(Int(min(max(end, -1), limit).rounded(.up)) + 1, size)
    guard last > first else { return }
    places = (first..<last).map { pixel in
      var grid = (Float(pixel) + 0.5 - start) / (end - start) * 2 - 1
      // A box without width shows the middle of the map, as in MMDetection.
      if grid.isInfinite { grid = 0 }
      let position = Float(-0.5).addingProduct(grid + 1, Float(side) / 2)
      // Far outside both neighbours lie off the map.
      guard position > -1, position < Float(side) else { return Place() }
      let cell = position.rounded(.down)
      let before = position - cell
      return Place(cell: Int(cell) + 1, before: before, after: 1 - before)
    }
  }
}

/// The map of a mask head with a border of zeros.
private struct MaskMap {
  private let width: Int
  private var cells: [Float]

  init(_ probabilities: [Float], side: Int) {
    width = side + 2
    cells = [Float](repeating: 0, count: width * width)
    for row in 0..<side {
      for column in 0..<side {
        cells[(row + 1) * width + column + 1] = probabilities[row * side + column]
      }
    }
  }

  /// The bilinear sample at a place.
  subscript(row: MaskSamples.Place, column: MaskSamples.Place) -> Float {
    let corner = row.cell * width + column.cell
    return (cells[corner] * (row.after * column.after))
      .addingProduct(cells[corner + 1], row.after * column.before)
      .addingProduct(cells[corner + width], row.before * column.after)
      .addingProduct(cells[corner + width + 1], row.before * column.before)
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
