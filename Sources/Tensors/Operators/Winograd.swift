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

  /// Enqueues the convolution.
  ///
  /// - Parameters:
  ///   - x: `[images, height, width, channels]`.
  ///   - weight: OHWI; O are `channels` when flipped.
  ///   - bias: `[outputChannels]` or nil.
  ///   - result: `[images, outputHeight, outputWidth, outputChannels]`.
  /// - Throws: `OpenCLError` when the device fails.
  func run(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?, into result: Tensor) throws {
    let stream = x.stream
    let (outputs, inputs) = (weight.shape[0], weight.shape[3])
    let weightPlane = outputs * inputs
    let transformed = try stream.queue.allocate(
      bytes: 4 * 36 * weightPlane, label: "Winograd weight")
    try launch(
      "weight", count: outputs, channels: inputs, on: stream,
      [.buffer(weight.buffer), .buffer(transformed), .int(inputs), .int(weightPlane)],
      bytes: 4 * 45 * weightPlane)

    // Planes are a cache line off a whole number of rows: 36 planes that fall into one cache set
    // would push each other out.
    let chunk = min(tiles, max(64, Self.chunkBytes / (4 * 36 * (channels + outputChannels))))
    let inputPlane = chunk * channels + 16
    let outputPlane = chunk * outputChannels + 16
    let blocks = try stream.queue.allocate(bytes: 4 * 36 * inputPlane, label: "Winograd input")
    let products = try stream.queue.allocate(bytes: 4 * 36 * outputPlane, label: "Winograd output")
    for first in stride(from: 0, to: tiles, by: chunk) {
      let count = min(chunk, tiles - first)
      try launch(
        "input", count: count, channels: channels, on: stream,
        [.buffer(x.buffer), .buffer(blocks), .int(height), .int(width), .int(channels)]
          + [.int(padding), .int(blocksY), .int(blocksX), .int(first), .int(inputPlane)],
        bytes: 4 * (16 + 36) * count * channels)
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
          + [.int(outputHeight), .int(outputWidth), .int(outputChannels)]
          + [.int(blocksY), .int(blocksX), .int(first), .int(outputPlane)],
        bytes: 4 * (16 + 36) * count * outputChannels)
    }
  }

  private func launch(
    _ pass: String, count: Int, channels: Int, on stream: ComputeStream,
    _ arguments: [KernelArgument], bytes: Int
  ) throws {
    let items = stream.family == .cpu ? 1 : 64
    let kernel = try stream.library.kernel(
      "convolution_winograd_\(pass)", in: "Convolution", parameters: ["FLIPPED": flipped ? 1 : 0])
    try stream.queue.launch(
      kernel, global: [items, count], local: [items, 1], arguments,
      work: Work(operations: Double(bytes), bytes: Double(bytes)))
  }

  /// Bytes of transformed blocks at a time, about what a last-level cache holds.
  private static let chunkBytes = 24 << 20
}
