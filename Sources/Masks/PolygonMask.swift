/// Polygons as masks by the rule of pycocotools (spec evaluation 5.4).
extension RunLengthMask {
  /// The largest coordinate of a vertex, in pixels to either side of 0.
  private static let farthest = 1e6
  /// The longest outline in pixels, along the longer side of each edge; every pixel of it takes 80 bytes.
  private static let longestOutline = 1e6

  /// Rasterises polygons and unites them.
  ///
  /// - Parameters:
  ///   - width: The picture's width in pixels.
  ///   - height: The picture's height in pixels.
  ///   - polygons: The vertices of each polygon, `x1, y1, x2, y2, ...` in pixels; an even number of
  ///     coordinates.
  /// - Throws: ``MaskError`` for a size out of range or a vertex far outside of any picture.
  package init(width: Int, height: Int, polygons: [[Double]]) throws(MaskError) {
    try Self.check(width: width, height: height)
    var mask = RunLengthMask(width: width, height: height, checked: [UInt32(width * height)])
    for (index, polygon) in polygons.enumerated() {
      let part = try RunLengthMask(width: width, height: height, polygon: polygon)
      mask = index == 0 ? part : try mask.union(part)
    }
    self = mask
  }

  /// Rasterises one polygon.
  private init(width: Int, height: Int, polygon: [Double]) throws(MaskError) {
    precondition(polygon.count.isMultiple(of: 2), "a vertex has two coordinates")
    for (index, value) in polygon.enumerated() where !(abs(value) <= Self.farthest) {
      throw MaskError.vertex(index: index, value: value)
    }
    let length = Self.length(of: polygon)
    guard length <= Self.longestOutline else { throw MaskError.outline(length: length) }
    let outline = Outline(polygon)
    var places = outline.crossings(width: width, height: height)
    places.append(width * height)
    places.sort()
    var runs: [UInt32] = []
    var last = 0
    var merges = false
    for place in places {
      let difference = UInt32(place - last)
      last = place
      if merges {
        // The run after an empty one goes on with the run before it.
        runs[runs.count - 1] += difference
        merges = false
      } else if difference == 0, !runs.isEmpty {
        merges = true
      } else {
        runs.append(difference)
      }
    }
    self.init(width: width, height: height, checked: runs)
  }

  private static func length(of polygon: [Double]) -> Double {
    stride(from: 0, to: polygon.count, by: 2).reduce(0) { sum, place in
      let next = place + 2 < polygon.count ? place + 2 : 0
      return sum
        + max(abs(polygon[next] - polygon[place]), abs(polygon[next + 1] - polygon[place + 1]))
    }
  }

  /// The points of a closed polygon on a grid of fifths of pixels.
  private struct Outline {
    private static let scale = 5.0
    private var x: [Int] = []
    private var y: [Int] = []

    init(_ polygon: [Double]) {
      let vertices = stride(from: 0, to: polygon.count, by: 2).map {
        (Int(Self.scale * polygon[$0] + 0.5), Int(Self.scale * polygon[$0 + 1] + 0.5))
      }
      for (index, start) in vertices.enumerated() {
        append(from: start, to: vertices[(index + 1) % vertices.count])
      }
    }

    /// Adds an edge, both ends included, in its own direction.
    private mutating func append(from start: (Int, Int), to end: (Int, Int)) {
      let width = abs(start.0 - end.0)
      let height = abs(start.1 - end.1)
      let isFlat = width >= height
      let isFlipped = isFlat ? start.0 > end.0 : start.1 > end.1
      let (low, high) = isFlipped ? (end, start) : (start, end)
      let steps = max(width, height)
      let rise = isFlat ? high.1 - low.1 : high.0 - low.0
      let slope = steps == 0 ? 0 : Double(rise) / Double(steps)
      for step in 0...steps {
        let along = isFlipped ? steps - step : step
        if isFlat {
          x.append(low.0 + along)
          y.append(Int(Double(low.1) + slope * Double(along) + 0.5))
        } else {
          x.append(Int(Double(low.0) + slope * Double(along) + 0.5))
          y.append(low.1 + along)
        }
      }
    }

    /// Where the outline crosses the centres of columns, as pixel positions in column order.
    func crossings(width: Int, height: Int) -> [Int] {
      var places: [Int] = []
      for index in x.indices.dropFirst() where x[index] != x[index - 1] {
        let column = (Double(min(x[index], x[index - 1])) + 0.5) / Self.scale - 0.5
        guard column.rounded(.down) == column, column >= 0, column <= Double(width - 1) else {
          continue
        }
        let row = (Double(min(y[index], y[index - 1])) + 0.5) / Self.scale - 0.5
        places.append(
          Int(column) * height + Int(min(max(row, 0), Double(height)).rounded(.up)))
      }
      return places
    }
  }
}
