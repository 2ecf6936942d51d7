import Detection
import Geometry
import Tensors
import TestSupport
import Testing

@testable import Baron

/// The teacher's patches follow the grid of the CLIP model: 7x7 of ViT-B/32, 14x14 of ViT-B/16.
@Suite("Patch grids")
struct PatchGridTests {
  /// A map of (1, 10y + x): the ratio survives bringing to unit length.
  @Test(
    "the mean of the patches under a box",
    arguments: [
      // Spec method 1.21: 7x7.
      (7, Box(x1: 0, y1: 0, x2: 0.5, y2: 1), 31.25), (7, Box(x1: 0, y1: 0, x2: 1, y2: 1), 33),
      // Samples at a quarter and three quarters of the box, half a cell less.
      (14, Box(x1: 0, y1: 0, x2: 0.5, y2: 1), 68), (14, Box(x1: 0, y1: 0, x2: 1, y2: 1), 71.5),
    ])
  func pooling(grid: Int, box: Box, mean: Double) throws {
    try TestDevice.withStream { stream in
      let values = (0..<grid * grid).flatMap { cell in
        [Float(1), Float(10 * (cell / grid) + cell % grid)]
      }
      let pooled = try TeacherEmbeddings.patches(
        of: try Tensor(values, shape: [1, grid, grid, 2], on: stream), boxes: [box], crops: [0],
        on: stream
      ).floats()
      #expect(abs(Double(pooled[1] / pooled[0]) - mean) < 1e-3 * mean)
    }
  }

  @Test("the crop mask covers the same part of any grid")
  func mask() {
    let left = [Box(x1: 0, y1: 0, x2: 0.5, y2: 1)]
    // Spec clip 3.5 with G - 1 for 6: columns from floor(0.5) to ceil((G - 1) / 2 + 0.5).
    for (grid, columns) in [(7, 4), (14, 7)] {
      let cells = CropMask.covered(by: left, grid: grid)
      #expect(cells == (0..<grid * grid).map { $0 % grid < columns })
      let length = grid * grid + 1
      #expect(
        CropMask.additive(crops: [left, left], grid: grid, heads: 3).count
          == 6 * length * length)
    }
  }
}
