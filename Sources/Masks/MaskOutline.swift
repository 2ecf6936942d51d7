extension RunLengthMask {
  /// The outlines of the mask along the edges of its pixels.
  ///
  /// Each part that hangs together by sides of pixels has one outline, given by its corners. A mask
  /// with holes is cut along the upper edge of each, for an outline cannot say what is not inside.
  /// Rasterised again, the parts make the same mask.
  ///
  /// - Returns: The corners of each outline, `x1, y1, x2, y2, ...` in pixels, clockwise on the
  ///   screen, from top to bottom, then from the left.
  package func outlines() -> [[Int]] {
    let pixels = bitmap()
    let rings = Self.rings(pixels, width: width, rows: 0..<height)
    let holes = rings.filter { !Self.isOuter($0) }
    guard !holes.isEmpty else { return rings }
    let tops = holes.map { ring in
      stride(from: 1, to: ring.count, by: 2).map { ring[$0] }.min() ?? 0
    }
    let cuts = Set(tops).sorted()
    return zip([0] + cuts, cuts + [height]).flatMap { first, end in
      Self.rings(pixels, width: width, rows: first..<end)
    }
  }

  /// The rings around all parts and holes within some rows.
  private static func rings(_ pixels: [UInt8], width: Int, rows: Range<Int>) -> [[Int]] {
    var edges = EdgeMap(pixels, width: width, rows: rows)
    return edges.starts.compactMap { edges.ring(from: $0) }
  }

  /// Whether a ring runs clockwise on the screen; those around holes run the other way.
  private static func isOuter(_ ring: [Int]) -> Bool {
    var area = 0
    for index in stride(from: 0, to: ring.count, by: 2) {
      let next = (index + 2) % ring.count
      area += ring[index] * ring[next + 1] - ring[next] * ring[index + 1]
    }
    return area > 0
  }
}

/// The edges between pixels inside and outside of a mask, each with the inside at its right hand.
private struct EdgeMap {
  private enum Direction: Int {
    case right, down, left, up

    var step: (x: Int, y: Int) {
      switch self {
      case .right: (1, 0)
      case .down: (0, 1)
      case .left: (-1, 0)
      case .up: (0, -1)
      }
    }
    /// After a quarter turn clockwise.
    var clockwise: Direction { Direction(rawValue: (rawValue + 1) % 4) ?? self }
    var counterclockwise: Direction { Direction(rawValue: (rawValue + 3) % 4) ?? self }
    var bit: UInt8 { 1 << UInt8(rawValue) }
  }

  /// Corners from which an edge leads to the right, top to bottom, then from the left.
  let starts: [Int]
  private let corners: Int
  private let top: Int
  /// For each corner which edges leave it.
  private let leaving: [UInt8]
  /// For each corner which edges were walked.
  private var walked: [UInt8]

  init(_ pixels: [UInt8], width: Int, rows: Range<Int>) {
    corners = width + 1
    top = rows.lowerBound
    var leaving = [UInt8](repeating: 0, count: (width + 1) * (rows.count + 1))
    var starts: [Int] = []
    func isInside(_ x: Int, _ y: Int) -> Bool {
      x >= 0 && x < width && rows.contains(y) && pixels[y * width + x] != 0
    }
    for y in rows {
      for x in 0..<width where pixels[y * width + x] != 0 {
        let corner = (y - top) * (width + 1) + x
        if !isInside(x, y - 1) {
          leaving[corner] |= Direction.right.bit
          starts.append(corner)
        }
        if !isInside(x + 1, y) { leaving[corner + 1] |= Direction.down.bit }
        if !isInside(x, y + 1) { leaving[corner + width + 2] |= Direction.left.bit }
        if !isInside(x - 1, y) { leaving[corner + width + 1] |= Direction.up.bit }
      }
    }
    self.leaving = leaving
    self.starts = starts
    walked = [UInt8](repeating: 0, count: leaving.count)
  }

  /// Walks around from an edge that leads to the right; nil when it was walked before.
  mutating func ring(from start: Int) -> [Int]? {
    guard walked[start] & Direction.right.bit == 0 else { return nil }
    var ring: [Int] = []
    var (corner, direction) = (start, Direction.right)
    repeat {
      walked[corner] |= direction.bit
      corner += direction.step.y * corners + direction.step.x
      let next = self.next(direction, at: corner)
      if next != direction { ring += [corner % corners, top + corner / corners] }
      direction = next
    } while corner != start || direction != .right
    return ring
  }

  /// Where two parts touch at a corner, each keeps to its own pixels.
  private func next(_ direction: Direction, at corner: Int) -> Direction {
    [direction.clockwise, direction].first { leaving[corner] & $0.bit != 0 }
      ?? direction.counterclockwise
  }
}
