import Formats
import OpenCL

/// How a `[rows, channels]` array is cut into blocks of whole rows, one a work-group.
///
/// The cut depends on the sizes and the device alone, so sums over blocks repeat exactly.
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
  ///   - isSummed: Whether the kernel writes a partial sum per block, which are added up by another.
  ///   - stream: Where the kernel runs.
  init(rows: Int, channels: Int, isSummed: Bool = false, on stream: ComputeStream) {
    // Enough work to hide a work-group's start, few enough rows to stay in a CPU's cache. A GPU adds
    // up a thousand blocks of a large map faster than ten thousand, and a small map by as many as
    // fill it: a lane waits for memory again and again.
    let isCPU = stream.family == .cpu
    let fair = rows * channels / (8 * max(1, stream.device.computeUnits))
    let elements = isCPU ? 16384 : min(max(fair, 2048), isSummed ? 32_768 : 8192)
    size = max(isSummed ? isCPU ? 32 : 8 : 1, elements / max(1, channels))
    count = rows.dividedUp(by: size)
  }
}

/// How the sums over the rows of a `[rows, channels]` array are cut into work-groups: blocks of whole
/// rows on a CPU, elsewhere blocks of rows of slabs of columns.
///
/// The cut depends on the sizes and the device alone, so sums repeat exactly.
struct SumBlocks {
  /// Rows of a block; the last block may have fewer.
  let size: Int
  /// Number of blocks.
  let count: Int
  /// Slabs of columns.
  let slabs: Int
  /// Work-items of a work-group.
  let lanes: Int

  /// `SLAB_LANES` of `Common/Channels.clh`.
  static let slabLanes = 32
  /// Rows that a lane adds up at least and at most: fewer do not wait for memory together, more lose
  /// digits.
  private static let fewest = 4
  private static let most = 256

  /// Cuts an array.
  ///
  /// - Parameters:
  ///   - rows: Its rows.
  ///   - channels: Its columns.
  ///   - stream: Where the kernel runs.
  init(rows: Int, channels: Int, on stream: ComputeStream) {
    guard stream.family != .cpu else {
      let blocks = RowBlocks(rows: rows, channels: channels, isSummed: true, on: stream)
      (size, count, slabs, lanes) = (blocks.size, blocks.count, 1, 1)
      return
    }
    lanes = [512, 256, 128, 64].first { $0 <= stream.queue.context.largestWorkGroup } ?? 32
    let vectors = channels.dividedUp(by: stream.vectorWidth(channels))
    var across = Self.slabLanes
    while across > 1, across / 2 >= vectors { across /= 2 }
    slabs = vectors.dividedUp(by: across)
    let atOnce = lanes / across
    // Two groups a unit fill it; the fewer blocks, the less is left to add up.
    let wanted = (2 * max(1, stream.device.computeUnits)).dividedUp(by: slabs)
    let blocks = min(
      max(wanted, rows.dividedUp(by: Self.most * atOnce)),
      max(1, rows / (Self.fewest * atOnce)))
    size = max(1, rows.dividedUp(by: blocks))
    count = rows.dividedUp(by: size)
  }

  /// The cut of what one row a block is left of, also of none: one block.
  var joined: SumBlocks { SumBlocks(size: count, count: 1, slabs: slabs, lanes: lanes) }

  private init(size: Int, count: Int, slabs: Int, lanes: Int) {
    (self.size, self.count, self.slabs, self.lanes) = (size, count, slabs, lanes)
  }

  /// What a kernel is compiled with.
  ///
  /// - Parameters:
  ///   - stream: Where it runs.
  ///   - lastGroup: What lets its last work-group add up; nil where another launch does.
  func parameters(on stream: ComputeStream, _ lastGroup: LastGroup?) -> [String: Int] {
    guard stream.family != .cpu else { return [:] }
    var parameters = lanes == stream.lanes ? [:] : ["LANES": lanes]
    if lastGroup != nil { parameters["LAST_GROUP"] = 1 }
    return parameters
  }
}

extension ComputeStream {
  /// Work-groups that cover a row by slices of `CHANNEL_STEP` (`Common/Channels.clh`).
  func channelSlices(_ channels: Int) -> Int {
    let step = family == .cpu ? 16 : lanes * vectorWidth(channels)
    return channels.dividedUp(by: step)
  }

  /// Work-groups of a kernel that adds up blocks, one for every `CHANNEL_WIDTH` channels.
  func foldGroups(_ channels: Int) -> Int {
    let width = family == .cpu ? 16 : vectorWidth(channels)
    return channels.dividedUp(by: width)
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
  /// What the parameters have collected and the gradients are added to as well.
  private let totals: (weight: Tensor?, bias: Tensor?)

  /// Where the gradients of two parameters `[channels]` belong; undefined so far.
  init(weight: Tensor, bias: Tensor) throws {
    func target(_ parameter: Tensor, _ label: String) throws -> Tensor {
      parameter.needsGradient
        ? try parameter.gradientTarget(label: label) : try Tensor(like: parameter, label: label)
    }
    totals = (weight.collectedSum(), bias.collectedSum())
    self.weight = try target(weight, "weight gradient")
    self.bias = try target(bias, "bias gradient")
  }

  /// The gradient that a parameter has not collected yet; nil where it was added.
  var newWeight: Tensor? { totals.weight == nil ? weight : nil }
  /// The same of the bias.
  var newBias: Tensor? { totals.bias == nil ? bias : nil }

  /// Where kernels that add up blocks write bias and weight, and what they add them to, or null.
  var targets: [KernelArgument] {
    [.buffer(bias.buffer), .buffer(weight.buffer)]
      + [totals.bias, totals.weight].map { tensor in tensor.map { .buffer($0.buffer) } ?? .null }
  }

  /// Adds up `partial` `[blocks, 2, channels]`: bias, then weight.
  func fold(_ partial: Tensor, blocks: Int, by kernel: String, in file: String) throws {
    let (stream, channels) = (partial.stream, weight.count)
    try stream.launchRows(
      try stream.kernel(kernel, in: file, storing: .float32, channels: channels),
      rows: stream.foldGroups(channels),
      [.buffer(partial.buffer)] + targets + [.int(blocks), .int(channels)],
      work: Work(operations: Double(partial.count), bytes: 4 * Double(partial.count)))
  }
}
