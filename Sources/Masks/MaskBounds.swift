import Geometry

extension RunLengthMask {
  /// The smallest rectangle around the mask's pixels; of size 0 for an empty mask.
  package var bounds: PixelBlock {
    var (left, right, top, bottom) = (width, -1, height, -1)
    var position = 0
    for (index, run) in runs.enumerated() {
      let first = position
      position += Int(run)
      guard index % 2 == 1, run > 0 else { continue }
      let last = position - 1
      left = min(left, first / height)
      right = max(right, last / height)
      // A run that goes on in the next column touches the bottom of one and the top of the other.
      let staysInColumn = first / height == last / height
      top = min(top, staysInColumn ? first % height : 0)
      bottom = max(bottom, staysInColumn ? last % height : height - 1)
    }
    guard right >= 0 else { return PixelBlock(x: 0, y: 0, width: 0, height: 0) }
    return PixelBlock(x: left, y: top, width: right - left + 1, height: bottom - top + 1)
  }
}
