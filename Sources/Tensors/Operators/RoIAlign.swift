import OpenCL

extension Tensor {
  /// Average-pools bilinear samples inside regions: RoIAlign over one map or a pyramid.
  ///
  /// With several levels a region of area `a` reads level `floor(log2(sqrt(a) / finestSize + 1e-6))`,
  /// clamped to the levels. A region whose image does not exist gives zeros. Gradients flow to every
  /// level, in a fixed order and without atomics; none flow to the regions.
  /// Source: spec detector 2.6, RoI features.
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
  /// - Throws: `OpenCLError` when the device fails.
  public static func roiAlign(
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
    }
    precondition(height > 0 && width > 0 && samplingRatio >= 0, "roiAlign: no bins or samples")
    let (stream, regions, channels) = (rois.stream, rois.shape[0], levels[0].shape[3])
    let pooling = try RoIPooling(
      rois: rois, levels: levels.count, images: levels[0].shape[0], finestSize: finestSize,
      height: height, width: width, samplingRatio: samplingRatio, aligned: aligned)
    let result = try Tensor(
      uninitialized: [regions, height, width, channels], on: stream, label: "RoI features")
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
  /// - Throws: `OpenCLError` when the device fails.
  public func roiAlignInputGradient(
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

/// What the passes of RoIAlign share.
private struct RoIPooling {
  let rois: Tensor
  let place: Tensor
  let height: Int
  let width: Int
  let samplingRatio: Int
  let aligned: Bool

  /// Chooses each region's level on the device.
  init(
    rois: Tensor, levels: Int, images: Int, finestSize: Float, height: Int, width: Int,
    samplingRatio: Int, aligned: Bool
  ) throws {
    let (stream, regions) = (rois.stream, rois.shape[0])
    self.rois = rois.detached()
    self.height = height
    self.width = width
    self.samplingRatio = samplingRatio
    self.aligned = aligned
    place = try Tensor(
      uninitialized: [regions, 2], on: stream, elementType: .int32, label: "RoI levels")
    try stream.launchElements(
      try stream.library.kernel("roi_align_place", in: "RoIAlign"), count: regions,
      [
        .buffer(rois.buffer), .buffer(place.buffer), .int(levels), .int(images),
        .float(finestSize),
      ], work: Work(operations: 10 * Double(regions), bytes: 28 * Double(regions)))
  }

  /// Channels of one work-group in `roi_align_backward_cpu`; equals `SLICE` there.
  static let slice = 64

  /// The arguments that every kernel takes between the buffers and the element count.
  private func geometry(_ shape: [Int], _ scale: Float) -> [KernelArgument] {
    [
      .int(shape[1]), .int(shape[2]), .int(shape[3]), .int(height), .int(width), .float(scale),
      .int(samplingRatio), .int(aligned ? 1 : 0),
    ]
  }

  /// Scratch of the CPU kernels: entries that the bins of one axis need at most, and its memory.
  private func scratch(_ shape: [Int], span: Int) -> [KernelArgument] {
    // Two cells a sample; with an adaptive number the samples advance by at most a cell.
    let capacity =
      samplingRatio > 0
      ? 2 * samplingRatio * width : 2 * max(shape[2] + width, shape[1] + 1) + 8
    return [
      .local(4 * (width + 1 + 2 * capacity)), .local(4 * (2 * capacity + span)), .int(capacity),
    ]
  }

  func forward(_ map: Tensor, scale: Float, level: Int, into result: Tensor) throws {
    let stream = map.stream
    let (regions, channels) = (rois.shape[0], map.shape[3])
    let samples = Double(max(samplingRatio, 2) * max(samplingRatio, 2))
    let work = Work(
      operations: 8 * samples * Double(result.count), bytes: 4 * Double(result.count + map.count))
    let buffers = [map, rois, place, result].map { KernelArgument.buffer($0.buffer) }
    guard stream.family == .cpu else {
      try stream.launchElements(
        try stream.library.kernel("roi_align_forward_reference", in: "RoIAlign"),
        count: result.count, buffers + [.int(level)] + geometry(map.shape, scale), work: work)
      return
    }
    guard channels > 0 else { return }
    let spans = channels < 16
    let kernel = spans ? "roi_align_forward_span_cpu" : "roi_align_forward_cpu"
    // A whole region a group when there are many, so that its columns are laid out once.
    let rowsPerGroup = regions >= 8 * stream.device.computeUnits ? min(height, 56) : min(height, 8)
    try stream.queue.launch(
      try stream.library.kernel(kernel, in: "RoIAlignCPU"),
      global: [(height + rowsPerGroup - 1) / rowsPerGroup, regions], local: [1, 1],
      buffers + scratch(map.shape, span: spans ? map.shape[2] * channels : 0)
        + [.int(rowsPerGroup), .int(level)] + geometry(map.shape, scale), work: work)
  }

  func backward(_ gradient: Tensor, scale: Float, level: Int, shape: [Int]) throws -> Tensor {
    let stream = gradient.stream
    let result = try Tensor(uninitialized: shape, on: stream, label: "RoIAlign map gradient")
    let samples = Double(max(samplingRatio, 2) * max(samplingRatio, 2))
    let work = Work(
      operations: 8 * samples * Double(gradient.count),
      bytes: 4 * Double(gradient.count + result.count))
    let buffers = [gradient, rois, place, result].map { KernelArgument.buffer($0.buffer) }
    let sizes = [.int(level), .int(rois.shape[0])] + geometry(shape, scale)
    guard stream.family == .cpu else {
      try stream.launchElements(
        try stream.library.kernel("roi_align_backward_gather", in: "RoIAlign"),
        count: result.count, buffers + sizes, work: work)
      return result
    }
    let slices = (shape[3] + Self.slice - 1) / Self.slice
    // Bands only as fine as it takes to keep every core busy: a bin on an edge is laid out twice.
    let wanted = max(1, 8 * stream.device.computeUnits / max(1, slices * shape[0]))
    let rowsPerGroup = max(4, (shape[1] + wanted - 1) / wanted)
    try stream.queue.launch(
      try stream.library.kernel("roi_align_backward_cpu", in: "RoIAlignCPU"),
      global: [slices, (shape[1] + rowsPerGroup - 1) / rowsPerGroup, shape[0]], local: [1, 1, 1],
      buffers + scratch(shape, span: 0) + [.int(rowsPerGroup)] + sizes, work: work)
    return result
  }
}
