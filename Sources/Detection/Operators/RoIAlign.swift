import OpenCL
import Tensors

extension Tensor {
  /// Average-pools bilinear samples inside regions: RoIAlign over one map or a pyramid.
  ///
  /// With several levels a region of area `a` reads level `floor(log2(sqrt(a) / finestSize + 1e-6))`,
  /// clamped to the levels. A region whose image does not exist gives zeros. Gradients flow to every
  /// level, in a fixed order and without atomics; none flow to the regions. Features and gradients
  /// are stored like the maps. Source: spec detector 2.6, RoI features.
  ///
  /// - Parameters:
  ///   - levels: Maps `[N, H, W, F]`, finest first, all of the same `N` and `F`.
  ///   - scales: Cells per unit of the regions, one a level.
  ///   - rois: Regions `[R, 5]`: image index, x1, y1, x2, y2.
  ///   - height: Rows of bins.
  ///   - width: Columns of bins.
  ///   - samplingRatio: Samples per bin and axis; 0 takes the extent of a bin in cells, rounded up.
  ///   - aligned: Whether cell centres stand at half-integers.
  ///   - finestSize: Half the side of the smallest square region that leaves level 0.
  /// - Returns: Features `[R, height, width, F]`.
  package static func roiAlign(
    levels: [Tensor], scales: [Float], rois: Tensor, height: Int, width: Int, samplingRatio: Int,
    aligned: Bool = true, finestSize: Float = 56
  ) throws -> Tensor {
    precondition(
      !levels.isEmpty && levels.count == scales.count, "roiAlign: a scale for each level")
    precondition(rois.rank == 2 && rois.shape[1] == 5, "roiAlign: regions of shape \(rois.shape)")
    for level in levels {
      precondition(
        level.rank == 4 && level.shape[0] == levels[0].shape[0]
          && level.shape[3] == levels[0].shape[3],
        "roiAlign: level of shape \(level.shape) beside \(levels[0].shape)")
      precondition(
        level.elementType == levels[0].elementType,
        "roiAlign: level of \(level.elementType) beside \(levels[0].elementType)")
    }
    precondition(height > 0 && width > 0 && samplingRatio >= 0, "roiAlign: no bins or samples")
    let (stream, regions, channels) = (rois.stream, rois.shape[0], levels[0].shape[3])
    let pooling = try RoIPooling(
      rois: rois, levels: levels.count, images: levels[0].shape[0], finestSize: finestSize,
      height: height, width: width, samplingRatio: samplingRatio, aligned: aligned)
    let result = try Tensor(
      uninitialized: [regions, height, width, channels], on: stream,
      elementType: levels[0].elementType, label: "RoI features")
    for (index, level) in levels.enumerated() {
      try pooling.forward(level, scale: scales[index], level: index, into: result)
    }
    let shapes = levels.map { $0.needsGradient ? $0.shape : nil }
    return result.differentiable(from: levels, "roiAlign") { gradient in
      try zip(shapes, scales).enumerated().map { index, level in
        guard let shape = level.0 else { return nil }
        return try pooling.backward(gradient, scale: level.1, level: index, shape: shape)
      }
    }
  }

  /// The gradient of RoIAlign's only map, from that of its features, which this tensor holds:
  /// `[R, height, width, F]`.
  ///
  /// - Parameters:
  ///   - rois: Regions `[R, 5]`: image index, x1, y1, x2, y2.
  ///   - map: The map's shape `[N, H, W, F]`.
  ///   - scale: Cells per unit of the regions.
  ///   - samplingRatio: Samples per bin and axis; 0 takes the extent of a bin in cells, rounded up.
  ///   - aligned: Whether cell centres stand at half-integers.
  /// - Returns: The gradient `[N, H, W, F]`.
  package func roiAlignInputGradient(
    rois: Tensor, map: [Int], scale: Float, samplingRatio: Int, aligned: Bool = true
  ) throws -> Tensor {
    precondition(
      rank == 4 && map.count == 4 && shape[0] == rois.shape[0] && shape[3] == map[3],
      "roiAlign: gradient of shape \(shape) for a map of shape \(map)")
    return try RoIPooling(
      rois: rois, levels: 1, images: map[0], finestSize: 56, height: shape[1], width: shape[2],
      samplingRatio: samplingRatio, aligned: aligned
    ).backward(self, scale: scale, level: 0, shape: map)
  }
}
