import Geometry
import Tensors

/// Pools boxes from the maps of several images (spec detector 2.6).
package struct RegionPooling: Sendable, Equatable {
  /// Stride of each map that boxes are pooled from, finest first.
  package var strides: [Int]
  /// Side of a pooled region.
  package var size: Int
  /// Samples per bin and axis; 0 adapts them to the box.
  package var samplingRatio = 0
  /// Boxes of up to twice this side in pixels use the finest map.
  package var finestSize: Float = 56

  package init(strides: [Int], size: Int) {
    self.strides = strides
    self.size = size
  }

  /// Pools given regions.
  ///
  /// - Parameters:
  ///   - maps: At least one `[N, H, W, C]` per stride; coarser ones are ignored.
  ///   - regions: `[R, 5]`: image, x1, y1, x2, y2 in pixels of the batch.
  /// - Returns: `[R, size, size, C]`.
  package func callAsFunction(_ maps: [Tensor], regions: Tensor) throws -> Tensor {
    precondition(maps.count >= strides.count, "\(maps.count) maps for \(strides.count) strides")
    return try Tensor.roiAlign(
      levels: Array(maps.prefix(strides.count)), scales: strides.map { 1 / Float($0) },
      rois: regions, height: size, width: size, samplingRatio: samplingRatio,
      finestSize: finestSize)
  }

}

extension Tensor {
  /// Brings regions to a device as rows of image number and corners.
  ///
  /// - Parameters:
  ///   - regions: R regions.
  ///   - stream: Where the tensor lives.
  /// - Returns: `[R, 5]`.
  package static func regions(
    _ regions: some Collection<Region>, on stream: ComputeStream
  ) throws -> Tensor {
    let rows = regions.flatMap {
      [Float($0.image), $0.box.x1, $0.box.y1, $0.box.x2, $0.box.y2]
    }
    return try Tensor(rows, shape: [regions.count, 5], on: stream, label: "regions")
  }
}
