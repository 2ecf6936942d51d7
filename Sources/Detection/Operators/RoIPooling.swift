import Formats
import OpenCL
import Tensors

/// What the passes of RoIAlign share: the regions, each with its level, and the bins.
struct RoIPooling {
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

  /// Channels of one work-group in `roi_align_backward_cpu`, `SLICE` of `RoIAlignCPU.cl`.
  static let slice = 64

  /// Cells on a side of the tile of a work-group in `roi_align_backward_tiled`, `TILE` of
  /// `RoIAlign.cl`.
  static let tile = 4

  /// `ACROSS` of `RoIAlign.cl`: a cell for each item where channels are few, else a column of cells.
  private func itemsAcross(_ channels: Int, on stream: ComputeStream) -> Int {
    let few = stream.lanes / (Self.tile * Self.tile)
    return channels <= few * stream.vectorWidth(channels) ? few : stream.lanes / Self.tile
  }

  /// The arguments that every kernel takes between the buffers and the element count.
  private func geometry(_ shape: [Int], _ scale: Float) -> [KernelArgument] {
    [
      .int(shape[1]), .int(shape[2]), .int(shape[3]), .int(height), .int(width), .float(scale),
      .int(samplingRatio), .int(aligned ? 1 : 0),
    ]
  }

  /// Scratch of the CPU kernels: its memory, and entries that the bins of one axis need at most; nil
  /// on other devices, and where it does not fit into local memory.
  private func scratch(
    _ shape: [Int], span: Int = 0, on stream: ComputeStream
  ) -> [KernelArgument]? {
    guard stream.family == .cpu else { return nil }
    // Two cells a sample; with an adaptive number the samples advance by at most a cell.
    let capacity =
      samplingRatio > 0
      ? 2 * samplingRatio * width : 2 * max(shape[2] + width, shape[1] + 1) + 8
    let arrays = [4 * (width + 1 + 2 * capacity), 4 * (2 * capacity + span)]
    guard KernelArgument.localBytes(arrays) <= stream.localMemoryInBytes else { return nil }
    return arrays.map { .local($0) } + [.int(capacity)]
  }

  /// A kernel of `RoIAlign.cl`, which also serves a CPU whose scratch does not fit.
  private func groupKernel(
    _ name: String, storing type: ElementType, channels: Int, on stream: ComputeStream
  ) throws -> Kernel {
    var parameters = ["ACROSS": itemsAcross(channels, on: stream)]
    if stream.family == .cpu { parameters["DEVICE_IS_CPU"] = 0 }
    return try stream.kernel(
      name, in: "RoIAlign", storing: type, channels: channels, parameters: parameters)
  }

  func forward(_ map: Tensor, scale: Float, level: Int, into result: Tensor) throws {
    let stream = map.stream
    precondition(
      map.elementType == result.elementType,
      "RoIAlign of \(map.elementType) into \(result.elementType)")
    let (regions, channels) = (rois.shape[0], map.shape[3])
    let samples = Double(max(samplingRatio, 2) * max(samplingRatio, 2))
    let work = Work(
      operations: 8 * samples * Double(result.count),
      bytes: Double(result.byteCount + map.byteCount))
    let buffers = [map, rois, place, result].map { KernelArgument.buffer($0.buffer) }
    let spans = channels < 16
    guard
      let scratch = scratch(
        map.shape, span: spans ? map.shape[2] * channels : 0, on: stream)
    else {
      try stream.launchElements(
        try groupKernel(
          "roi_align_forward_channels", storing: map.elementType, channels: channels, on: stream),
        count: result.count, buffers + [.int(level)] + geometry(map.shape, scale), work: work)
      return
    }
    guard channels > 0 else { return }
    let kernel = spans ? "roi_align_forward_span_cpu" : "roi_align_forward_cpu"
    // A whole region a group when there are many, so that its columns are laid out once.
    let rowsPerGroup = regions >= 8 * stream.device.computeUnits ? min(height, 56) : min(height, 8)
    try stream.queue.launch(
      try stream.kernel(kernel, in: "RoIAlignCPU", storing: map.elementType),
      global: [height.dividedUp(by: rowsPerGroup), regions], local: [1, 1],
      buffers + scratch + [.int(rowsPerGroup), .int(level)] + geometry(map.shape, scale),
      work: work)
  }

  func backward(_ gradient: Tensor, scale: Float, level: Int, shape: [Int]) throws -> Tensor {
    let stream = gradient.stream
    let type = stream.matrix.plainType(of: gradient.elementType)
    guard type == gradient.elementType else {
      return try backward(
        gradient.converted(to: type), scale: scale, level: level, shape: shape
      ).converted(to: gradient.elementType)
    }
    let result = try Tensor(
      uninitialized: shape, on: stream, elementType: gradient.elementType,
      label: "RoIAlign map gradient")
    let samples = Double(max(samplingRatio, 2) * max(samplingRatio, 2))
    let work = Work(
      operations: 8 * samples * Double(gradient.count),
      bytes: Double(gradient.byteCount + result.byteCount))
    let buffers = [gradient, rois, place, result].map { KernelArgument.buffer($0.buffer) }
    let sizes = [.int(level), .int(rois.shape[0])] + geometry(shape, scale)
    guard let scratch = scratch(shape, on: stream) else {
      guard result.count > 0 else { return result }
      let (tile, across) = (Self.tile, itemsAcross(shape[3], on: stream))
      let slice = across * stream.vectorWidth(shape[3])
      let tiles = shape[1].dividedUp(by: tile) * shape[2].dividedUp(by: tile)
      try stream.queue.launch(
        try groupKernel(
          "roi_align_backward_tiled", storing: gradient.elementType, channels: shape[3], on: stream),
        global: [tiles * stream.lanes, shape[3].dividedUp(by: slice), shape[0]],
        local: [stream.lanes, 1, 1], buffers + sizes, work: work)
      return result
    }
    let slices = shape[3].dividedUp(by: Self.slice)
    // Bands only as fine as it takes to keep every core busy: a bin on an edge is laid out twice.
    let wanted = max(1, 8 * stream.device.computeUnits / max(1, slices * shape[0]))
    let rowsPerGroup = max(4, shape[1].dividedUp(by: wanted))
    try stream.queue.launch(
      try stream.library.kernel("roi_align_backward_cpu", in: "RoIAlignCPU"),
      global: [slices, shape[1].dividedUp(by: rowsPerGroup), shape[0]], local: [1, 1, 1],
      buffers + scratch + [.int(rowsPerGroup)] + sizes, work: work)
    return result
  }
}
