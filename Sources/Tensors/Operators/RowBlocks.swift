import OpenCL

/// How a `[rows, channels]` array is cut into blocks of whole rows, one a work-group.
///
/// The cut depends on the sizes and the device's family alone, so sums over blocks repeat exactly.
struct RowBlocks {
  /// Rows of a block; the last block may have fewer.
  let size: Int
  /// Number of blocks.
  let count: Int

  /// Cuts an array.
  ///
  /// - Parameters:
  ///   - rows: Its rows.
  ///   - channels: Its columns.
  ///   - smallest: Least rows of a block, for kernels that write a partial sum per block.
  ///   - stream: Where the kernel runs.
  init(rows: Int, channels: Int, atLeast smallest: Int = 1, on stream: ComputeStream) {
    // Enough work to hide a work-group's start, few enough rows to stay in a CPU's cache.
    let elements = stream.family == .cpu ? 16384 : 2048
    size = max(smallest, elements / max(1, channels))
    count = (rows + size - 1) / size
  }

  /// Least rows of a block whose partial sums are written.
  static let smallestSummed = 32
}

extension ComputeStream {
  /// What ``kernel(_:in:storing:channels:parameters:)`` gets for a kernel whose work-groups sum
  /// over rows: vectors where they leave no lane idle, else nil.
  func summedChannels(_ channels: Int) -> Int? { channels >= 4 * Self.lanes ? channels : nil }

  /// Work-groups that cover a row by slices of `CHANNEL_STEP` (`Common/Channels.clh`).
  func channelSlices(_ channels: Int) -> Int {
    let step = family == .cpu ? 16 : Self.lanes * vectorWidth(channels)
    return (channels + step - 1) / step
  }
}

extension Tensor {
  /// Sizes as rows of channels: the product of all axes but the last, and the last.
  var rowsAndChannels: (rows: Int, channels: Int) {
    precondition(rank >= 1, "a scalar has no channels")
    let channels = shape[rank - 1]
    return (shape.dropLast().reduce(1, *), channels)
  }
}

/// The gradients of a normalisation with respect to weight and bias.
struct ParameterGradients {
  let weight: Tensor
  let bias: Tensor

  /// Where the gradients of two parameters `[channels]` belong; undefined so far.
  init(weight: Tensor, bias: Tensor) throws {
    func target(_ parameter: Tensor, _ label: String) throws -> Tensor {
      parameter.needsGradient
        ? try parameter.gradientTarget(label: label) : try Tensor(like: parameter, label: label)
    }
    self.weight = try target(weight, "weight gradient")
    self.bias = try target(bias, "bias gradient")
  }

  /// Adds up `partial` `[blocks, 2, channels]`: bias, then weight.
  func fold(_ partial: Tensor, blocks: Int, by kernel: String, in file: String) throws {
    let (stream, channels) = (partial.stream, weight.count)
    try stream.launchRows(
      try stream.kernel(kernel, in: file, storing: .float32, channels: channels),
      rows: stream.channelSlices(channels),
      [
        .buffer(partial.buffer), .buffer(bias.buffer), .buffer(weight.buffer), .int(blocks),
        .int(channels),
      ], work: Work(operations: Double(partial.count), bytes: 4 * Double(partial.count)))
  }
}
