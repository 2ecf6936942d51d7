import Geometry

/// The optional mask that hides a crop's patches outside the bag's boxes (spec clip 3.5).
package enum CropMask {
  /// Which cells of the patch grid the boxes cover.
  ///
  /// - Parameters:
  ///   - boxes: Boxes in units of the crop.
  ///   - grid: Patches along a side G.
  /// - Returns: G·G flags, row by row.
  package static func covered(by boxes: [Box], grid: Int) -> [Bool] {
    func range(_ low: Float, _ high: Float) -> Range<Int> {
      let scale = Float(grid - 1)
      let from = max(0, Int((low * scale + 0.5).rounded(.down)))
      let to = min(grid, Int((high * scale + 0.5).rounded(.up)))
      return from..<max(from, to)
    }
    var cells = [Bool](repeating: false, count: grid * grid)
    for box in boxes {
      for row in range(box.y1, box.y2) {
        for column in range(box.x1, box.x2) { cells[row * grid + column] = true }
      }
    }
    return cells
  }

  /// The additive attention mask of several crops.
  ///
  /// It is 0 where both positions are covered or equal, else minus infinity. The class position,
  /// first, is always covered.
  ///
  /// - Parameters:
  ///   - crops: Per crop, its boxes in units of the crop.
  ///   - grid: Patches along a side G.
  ///   - heads: Attention heads; every head gets the same mask.
  /// - Returns: `[crops·heads, L, L]` with L = G·G + 1, crop-major.
  package static func additive(crops: [[Box]], grid: Int, heads: Int) -> [Float] {
    let length = grid * grid + 1
    var mask: [Float] = []
    mask.reserveCapacity(crops.count * heads * length * length)
    for boxes in crops {
      let marked = [true] + covered(by: boxes, grid: grid)
      var one = [Float](repeating: -.infinity, count: length * length)
      for query in 0..<length {
        for key in 0..<length where query == key || (marked[query] && marked[key]) {
          one[query * length + key] = 0
        }
      }
      for _ in 0..<heads { mask += one }
    }
    return mask
  }
}
