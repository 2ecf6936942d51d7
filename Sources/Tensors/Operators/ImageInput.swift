import OpenCL

/// How grey levels become network input, channel by channel: `(v - mean) / deviation`.
public struct PixelNormalisation: Sendable, Equatable {
  /// Means in grey levels, in the order of the network's channels.
  public let means: [Float]
  /// Standard deviations in grey levels, in the order of the network's channels.
  public let deviations: [Float]
  /// Whether the network's channels are blue, green, red.
  public let isBGR: Bool

  /// Describes a normalisation.
  ///
  /// - Parameters:
  ///   - means: Three means in grey levels, in the order of the network's channels.
  ///   - deviations: Three standard deviations in the same order.
  ///   - isBGR: Whether the network's channels are blue, green, red.
  public init(means: [Float], deviations: [Float], isBGR: Bool = false) {
    precondition(means.count == 3 && deviations.count == 3, "an image has three channels")
    self.means = means
    self.deviations = deviations
    self.isBGR = isBGR
  }
}

/// An 8-bit image and the size it enters the network at.
public struct ImageInput: Sendable {
  /// Bytes `[height, width, 3]`, red, green, blue.
  public let pixels: [UInt8]
  /// Columns of the image.
  public let width: Int
  /// Rows of the image.
  public let height: Int
  /// Columns after resizing.
  public let resizedWidth: Int
  /// Rows after resizing.
  public let resizedHeight: Int
  /// Whether it is mirrored left to right.
  public let isFlipped: Bool

  /// Describes an image for a batch.
  ///
  /// - Parameters:
  ///   - pixels: Bytes `[height, width, 3]`, red, green, blue.
  ///   - width: Columns, below 32768.
  ///   - height: Rows, below 32768.
  ///   - resizedWidth: Columns after resizing, below 32768.
  ///   - resizedHeight: Rows after resizing, below 32768.
  ///   - isFlipped: Whether to mirror left to right.
  public init(
    pixels: [UInt8], width: Int, height: Int, resizedWidth: Int, resizedHeight: Int,
    isFlipped: Bool = false
  ) {
    precondition(
      [width, height, resizedWidth, resizedHeight].allSatisfy { (1..<32768).contains($0) },
      "image of \(width)x\(height) to \(resizedWidth)x\(resizedHeight)")
    precondition(pixels.count == 3 * width * height, "\(pixels.count) bytes: \(width)x\(height)")
    self.pixels = pixels
    self.width = width
    self.height = height
    self.resizedWidth = resizedWidth
    self.resizedHeight = resizedHeight
    self.isFlipped = isFlipped
  }
}

extension Tensor {
  /// A batch of network input: images resized, mirrored, normalised, and padded with zeros.
  ///
  /// Bilinear with half-pixel centres and no antialias, rounded to 8 bits; within one grey level of
  /// OpenCV's INTER_LINEAR. The batch is as large as its largest image, rounded up.
  /// Source: spec training 4.5, Data pipeline.
  ///
  /// - Parameters:
  ///   - images: The images, at least one.
  ///   - normalisation: Means, deviations and channel order.
  ///   - multiple: Rows and columns of the batch are a multiple of it.
  ///   - stream: Where the batch lives.
  /// - Returns: Input `[N, H, W, 3]`.
  /// - Throws: `OpenCLError` when the device fails.
  public static func imageBatch(
    _ images: [ImageInput], normalisation: PixelNormalisation,
    paddedToMultipleOf multiple: Int = 32,
    on stream: ComputeStream
  ) throws -> Tensor {
    precondition(multiple > 0, "padding to a multiple of \(multiple)")
    func padded(_ size: Int) -> Int { (size + multiple - 1) / multiple * multiple }
    let height = padded(images.reduce(0) { max($0, $1.resizedHeight) })
    let width = padded(images.reduce(0) { max($0, $1.resizedWidth) })
    let batch = try Tensor(
      uninitialized: [images.count, height, width, 3], on: stream, label: "image batch")
    // Two ints a column are kept in local memory.
    let taps = 8 * images.reduce(0) { max($0, $1.resizedWidth) }
    let isCPU =
      stream.family == .cpu && KernelArgument.localBytes([taps]) <= stream.localMemoryInBytes
    let kernel = try stream.library.kernel(
      isCPU ? "image_input_forward_cpu" : "image_input_forward_reference", in: "ImageInput")
    let rowsPerGroup = 16
    for (index, image) in images.enumerated() {
      let bytes = try stream.queue.allocate(bytes: image.pixels.count, label: "image bytes")
      try image.pixels.withUnsafeBytes { try stream.queue.write($0, to: bytes) }
      let description: [KernelArgument] =
        [
          .int(index), .int(image.height), .int(image.width), .int(image.resizedHeight),
          .int(image.resizedWidth), .int(height), .int(width), .int(image.isFlipped ? 1 : 0),
          .int(normalisation.isBGR ? 1 : 0),
        ] + normalisation.means.map { .float($0) } + normalisation.deviations.map { .float(1 / $0) }
      let elements = Double(3 * height * width)
      let work = Work(operations: 12 * elements, bytes: 4 * elements + Double(image.pixels.count))
      if isCPU {
        try stream.queue.launch(
          kernel, global: [(height + rowsPerGroup - 1) / rowsPerGroup], local: [1],
          [
            .buffer(bytes), .buffer(batch.buffer), .local(taps), .int(rowsPerGroup),
          ] + description, work: work)
      } else {
        try stream.launchElements(
          kernel, count: height * width, [.buffer(bytes), .buffer(batch.buffer)] + description,
          work: work)
      }
    }
    return batch
  }

  /// The input of one network as another network wants it; no gradient.
  ///
  /// Source: spec clip 3.4, Image preprocessing.
  ///
  /// - Parameters:
  ///   - source: The normalisation of this tensor.
  ///   - target: The normalisation of the result.
  /// - Returns: Input of the same shape, the last axis being the three channels.
  /// - Throws: `OpenCLError` when the device fails.
  public func renormalised(
    from source: PixelNormalisation, to target: PixelNormalisation
  ) throws -> Tensor {
    precondition(shape.last == 3, "renormalised of shape \(shape)")
    let isReversed = source.isBGR != target.isBGR
    let means = isReversed ? source.means.reversed() : source.means
    let deviations = isReversed ? source.deviations.reversed() : source.deviations
    let factors = zip(deviations, target.deviations).map { $0 / $1 }
    let offsets = (0..<3).map { (means[$0] - target.means[$0]) / target.deviations[$0] }
    let result = try Tensor(uninitialized: shape, on: stream, label: "renormalised input")
    try stream.launchElements(
      try stream.library.kernel("image_input_renormalise", in: "ImageInput"), count: count / 3,
      [.buffer(buffer), .buffer(result.buffer), .int(isReversed ? 1 : 0)]
        + factors.map { .float($0) } + offsets.map { .float($0) },
      work: Work(operations: 2 * Double(count), bytes: 8 * Double(count)))
    return result
  }
}
