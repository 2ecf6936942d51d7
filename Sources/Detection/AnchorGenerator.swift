import Formats
import Geometry

/// Reference boxes on the cells of each pyramid level.
///
/// Cells in rows, the anchors of a cell innermost: scale outer, ratio inner.
/// Source: spec detector 2.3, Anchors.
package struct AnchorGenerator: Sendable, Equatable {
  /// Pixels between cells, one a level.
  package let strides: [Int]
  /// Sizes of anchors in strides.
  package let scales: [Float]
  /// Height over width of anchors.
  package let ratios: [Float]

  package init(strides: [Int], scales: [Float], ratios: [Float]) {
    self.strides = strides
    self.scales = scales
    self.ratios = ratios
  }

  /// The anchors of a region proposal network.
  package init(_ network: RegionProposalConfiguration) {
    self.init(
      strides: network.anchorStrides, scales: network.anchorScales, ratios: network.anchorRatios)
  }

  /// Anchors of a cell.
  package var anchorsPerCell: Int { scales.count * ratios.count }

  /// The anchors of a cell that stands at the origin.
  ///
  /// - Parameter level: The level.
  /// - Returns: Boxes centred at 0, not rounded.
  package func baseAnchors(level: Int) -> [Box] {
    let stride = Float(strides[level])
    return scales.flatMap { scale in
      ratios.map { ratio in
        let root = ratio.squareRoot()
        let (width, height) = (stride * scale * (1 / root), stride * scale * root)
        return Box(x1: -0.5 * width, y1: -0.5 * height, x2: 0.5 * width, y2: 0.5 * height)
      }
    }
  }

  /// The part of a map that belongs to an image that is smaller than its batch.
  ///
  /// - Parameters:
  ///   - level: The level.
  ///   - imageHeight: Rows of the image after its own padding.
  ///   - imageWidth: Columns of the image after its own padding.
  /// - Returns: Rows, and anchors of a row, that the image's cells take up at most.
  package func limits(
    level: Int, imageHeight: Int, imageWidth: Int
  ) -> (rows: Int, columns: Int) {
    let stride = strides[level]
    return (
      imageHeight.dividedUp(by: stride),
      imageWidth.dividedUp(by: stride) * anchorsPerCell
    )
  }
}
