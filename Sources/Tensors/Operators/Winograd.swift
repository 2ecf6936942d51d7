import Formats
import OpenCL

/// A 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3): blocks of 4x4 outputs, 36 matrix
/// products; see `Kernels/Convolution.cl`.
struct Winograd {
  let images, height, width, channels: Int
  let outputHeight, outputWidth, outputChannels: Int
  let padding: Int
  /// Whether the weight is turned and its channels change places: the gradient of the input.
  let flipped: Bool

  private var blocksY: Int { outputHeight.dividedUp(by: 4) }
  private var blocksX: Int { outputWidth.dividedUp(by: 4) }
  private var tiles: Int { images * blocksY * blocksX }

  /// Whether it is faster than the direct way: enough channels for the products to outweigh the
  /// transforms, whole vectors of channels, and a map of several blocks.
  var pays: Bool {
    channels >= 64 && outputChannels >= 64 && channels % 16 == 0 && outputChannels % 16 == 0
      && tiles >= 32
  }

  /// Whether it is faster too than a CPU's products of bfloat16, which have twice the rate of float32
  /// ones.
  ///
  /// Measured (`BENCHMARKS.md`): not for 64 channels, whose transforms weigh more, nor on small maps,
  /// where transforming the weight does, which grows with the square of the channels.
  var paysBesideBFloat16: Bool {
    min(channels, outputChannels) >= 128 && max(channels, outputChannels) <= 256
      && images * outputHeight * outputWidth >= 3_400
  }

  /// Tiles that are handled at a time.
  private var chunk: Int {
    // GPUs have no more groups in the second dimension than 16 bits count.
    min(tiles, 65_535, max(64, Self.chunkBytes / (4 * 36 * (channels + outputChannels))))
  }
  // Planes are a cache line off a whole number of rows: 36 planes that fall into one cache set
  // would push each other out.
  private var inputPlane: Int { chunk * channels + 16 }
  private var outputPlane: Int { chunk * outputChannels + 16 }

  /// Enqueues the convolution.
  ///
  /// - Parameters:
  ///   - x: `[images, height, width, channels]`, in float32 or, on a CPU, bfloat16.
  ///   - weight: OHWI in float32; O are `channels` when flipped.
  ///   - bias: `[outputChannels]` or nil.
  ///   - result: `[images, outputHeight, outputWidth, outputChannels]`, stored like `x`.
  func run(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, into result: Tensor) throws {
    let stream = x.stream
    let (outputs, inputs) = (weight.shape[0], weight.shape[3])
    let weightPlane = outputs * inputs
    let transformed = try stream.queue.allocate(
      bytes: 4 * 36 * weightPlane, label: "Winograd weight")
    try launch(
      "weight", count: outputs, channels: inputs, on: stream,
      [.buffer(weight.buffer), .buffer(transformed), .int(inputs), .int(weightPlane)], values: 45)
    let blocks = try stream.queue.allocate(bytes: 4 * 36 * inputPlane, label: "Winograd input")
    let products = try stream.queue.allocate(bytes: 4 * 36 * outputPlane, label: "Winograd output")
    for first in stride(from: 0, to: tiles, by: chunk) {
      let count = min(chunk, tiles - first)
      try transformInput(x, into: blocks, first: first, count: count)
      try MatrixLaunch(
        rows: count, columns: outputChannels, depth: channels, batch: 36,
        left: MatrixOperand(buffer: blocks, loader: .rows, pitch: channels, stride: inputPlane),
        right: MatrixOperand(
          buffer: transformed, loader: flipped ? .rows : .transposed, pitch: inputs,
          stride: weightPlane),
        targetStride: outputPlane
      ).run(on: stream, into: products)
      try launch(
        "output", count: count, channels: outputChannels, on: stream,
        [.buffer(products), bias.map { .buffer($0.buffer) } ?? .null, .buffer(result.buffer)]
          + outputArguments(first: first), values: 52, storing: result.elementType)
    }
  }

  /// Enqueues the gradient of the weight.
  ///
  /// - Parameters:
  ///   - gradient: Of the convolution's result.
  ///   - x: The convolution's input, stored like it.
  ///   - result: OHWI in float32.
  func weightGradient(of gradient: Tensor, input x: Tensor, into result: Tensor) throws {
    let stream = x.stream
    let weightPlane = outputChannels * channels
    let sums = try stream.queue.allocate(
      bytes: 4 * 36 * weightPlane, label: "Winograd weight gradient")
    let blocks = try stream.queue.allocate(bytes: 4 * 36 * inputPlane, label: "Winograd input")
    let gradients = try stream.queue.allocate(
      bytes: 4 * 36 * outputPlane, label: "Winograd output gradient")
    for first in stride(from: 0, to: tiles, by: chunk) {
      let count = min(chunk, tiles - first)
      try transformInput(x, into: blocks, first: first, count: count)
      try launch(
        "gradient", count: count, channels: outputChannels, on: stream,
        [.buffer(gradient.buffer), .buffer(gradients)] + outputArguments(first: first), values: 52,
        storing: gradient.elementType)
      try MatrixLaunch(
        rows: outputChannels, columns: channels, depth: count, batch: 36,
        left: MatrixOperand(
          buffer: gradients, loader: .transposed, pitch: outputChannels, stride: outputPlane),
        right: MatrixOperand(buffer: blocks, loader: .rows, pitch: channels, stride: inputPlane),
        targetStride: weightPlane, adds: first > 0
      ).run(on: stream, into: sums)
    }
    try launch(
      "fold", count: outputChannels, channels: channels, on: stream,
      [.buffer(sums), .buffer(result.buffer), .int(channels), .int(weightPlane)], values: 45)
  }

  private func transformInput(
    _ x: Tensor, into blocks: Buffer, first: Int, count: Int
  ) throws {
    try launch(
      "input", count: count, channels: channels, on: x.stream,
      [.buffer(x.buffer), .buffer(blocks), .int(height), .int(width), .int(channels)]
        + [.int(padding), .int(blocksY), .int(blocksX), .int(first), .int(inputPlane)],
      values: 52, storing: x.elementType)
  }

  private func outputArguments(first: Int) -> [KernelArgument] {
    [outputHeight, outputWidth, outputChannels, blocksY, blocksX, first, outputPlane].map {
      .int($0)
    }
  }

  /// Enqueues one transform; it reads and writes `values` elements for each tile and channel, of which
  /// images are stored as `type`.
  private func launch(
    _ pass: String, count: Int, channels: Int, on stream: ComputeStream,
    _ arguments: [KernelArgument], values: Int, storing type: ElementType = .float32
  ) throws {
    let items = stream.family == .cpu ? 1 : min(64, stream.lanes)
    let kernel = try stream.kernel(
      "convolution_winograd_\(pass)", in: "Convolution", storing: type,
      parameters: ["FLIPPED": flipped ? 1 : 0])
    let elements = Double(values) * Double(count * channels)
    try stream.queue.launch(
      kernel, global: [items, count], local: [items, 1], arguments,
      work: Work(operations: 4 * elements, bytes: 4 * elements))
  }

  /// Bytes of transformed blocks at a time, about what a last-level cache holds.
  private static let chunkBytes = 24 << 20
}
