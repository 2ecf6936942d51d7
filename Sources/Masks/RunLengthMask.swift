/// A binary mask as run lengths in column order, the layout of COCO (spec evaluation 5.4).
///
/// Pixels are counted down the first column, then down the second, and so on. Runs alternate,
/// starting with pixels outside the mask; the first run may be 0. The runs of a mask add up to its
/// number of pixels, so no use of one can reach past its size.
package struct RunLengthMask: Sendable, Equatable {
  /// The largest width or height.
  package static let longestSide = 1 << 15

  /// The width in pixels.
  package let width: Int
  /// The height in pixels.
  package let height: Int
  /// The run lengths.
  package let runs: [UInt32]

  /// Creates a mask from run lengths.
  ///
  /// - Parameters:
  ///   - width: The width in pixels.
  ///   - height: The height in pixels.
  ///   - runs: The run lengths.
  /// - Throws: ``MaskError`` for a size out of range, a negative run, or runs that do not add up to
  ///   the number of pixels.
  package init(width: Int, height: Int, runs: [Int]) throws(MaskError) {
    try Self.check(width: width, height: height)
    var total = 0
    for (index, run) in runs.enumerated() {
      guard run >= 0, run <= width * height else {
        throw MaskError.run(index: index, value: run)
      }
      total += run
    }
    guard total == width * height else {
      throw MaskError.runTotal(found: total, width: width, height: height)
    }
    self.init(width: width, height: height, checked: runs.map { UInt32($0) })
  }

  /// Creates a mask from pixels.
  ///
  /// - Parameters:
  ///   - width: The width in pixels.
  ///   - height: The height in pixels.
  ///   - bitmap: One byte a pixel, row by row; anything but 0 belongs to the mask.
  /// - Throws: ``MaskError`` for a size out of range.
  package init(width: Int, height: Int, bitmap: [UInt8]) throws(MaskError) {
    try Self.check(width: width, height: height)
    precondition(bitmap.count == width * height, "a bitmap has one byte a pixel")
    var runs: [UInt32] = []
    var inside = false
    var run: UInt32 = 0
    for x in 0..<width {
      for y in 0..<height {
        if (bitmap[y * width + x] != 0) != inside {
          runs.append(run)
          run = 0
          inside.toggle()
        }
        run += 1
      }
    }
    runs.append(run)
    self.init(width: width, height: height, checked: runs)
  }

  init(width: Int, height: Int, checked runs: [UInt32]) {
    self.width = width
    self.height = height
    self.runs = runs
  }

  static func check(width: Int, height: Int) throws(MaskError) {
    guard (1...longestSide).contains(width), (1...longestSide).contains(height) else {
      throw MaskError.size(width: width, height: height)
    }
  }

  /// The number of pixels in the mask.
  package var area: Int {
    stride(from: 1, to: runs.count, by: 2).reduce(0) { $0 + Int(runs[$1]) }
  }

  /// The pixels of the mask.
  ///
  /// - Returns: One byte a pixel, row by row: 1 in the mask, 0 outside.
  package func bitmap() -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: width * height)
    var position = 0
    for (index, run) in runs.enumerated() {
      let end = position + Int(run)
      if index % 2 == 1 {
        for place in position..<end { pixels[place % height * width + place / height] = 1 }
      }
      position = end
    }
    return pixels
  }

  /// The pixels that are in one mask or the other.
  ///
  /// - Parameter other: A mask of the same size.
  /// - Throws: ``MaskError`` when the sizes differ.
  package func union(_ other: RunLengthMask) throws(MaskError) -> RunLengthMask {
    var runs: [UInt32] = []
    var inside = false
    var pending = 0
    try walk(with: other) { length, first, second in
      if (first || second) != inside {
        runs.append(UInt32(pending))
        pending = 0
        inside.toggle()
      }
      pending += length
    }
    runs.append(UInt32(pending))
    return RunLengthMask(width: width, height: height, checked: runs)
  }

  /// The number of pixels in both masks.
  ///
  /// - Parameter other: A mask of the same size.
  /// - Returns: The number of pixels.
  /// - Throws: ``MaskError`` when the sizes differ.
  package func intersectionArea(with other: RunLengthMask) throws(MaskError) -> Int {
    var area = 0
    try walk(with: other) { length, first, second in
      if first && second { area += length }
    }
    return area
  }

  /// Gives the stretches over which neither mask changes, in order, none of them empty.
  private func walk(
    with other: RunLengthMask, _ body: (Int, Bool, Bool) -> Void
  ) throws(MaskError) {
    guard width == other.width, height == other.height else {
      throw MaskError.sizesDiffer(first: [width, height], second: [other.width, other.height])
    }
    var (first, second) = (0, 0)
    var (firstLeft, secondLeft) = (Int(runs[0]), Int(other.runs[0]))
    while true {
      while firstLeft == 0, first + 1 < runs.count {
        first += 1
        firstLeft = Int(runs[first])
      }
      while secondLeft == 0, second + 1 < other.runs.count {
        second += 1
        secondLeft = Int(other.runs[second])
      }
      let length = min(firstLeft, secondLeft)
      guard length > 0 else { return }
      body(length, first % 2 == 1, second % 2 == 1)
      firstLeft -= length
      secondLeft -= length
    }
  }
}
