import Formats
import Geometry
import OpenCL

/// How grey levels become network input, channel by channel: `(v - mean) / deviation`.
package struct PixelNormalisation: Sendable, Equatable {
  /// Means in grey levels, in the order of the network's channels.
  package let means: [Float]
  /// Standard deviations in grey levels, in the order of the network's channels.
  package let deviations: [Float]
  /// Whether the network's channels are blue, green, red.
  package let isBGR: Bool

  /// Describes a normalisation.
  package init(means: [Float], deviations: [Float], isBGR: Bool = false) {
    precondition(means.count == 3 && deviations.count == 3, "an image has three channels")
    self.means = means
    self.deviations = deviations
    self.isBGR = isBGR
  }
}

/// An 8-bit image and how it enters the network.
package struct ImageInput: Sendable {
  /// Bytes `[height, width, 3]`, red, green, blue, of the original image.
  package let pixels: [UInt8]
  /// The size it is resized to and whether it is mirrored left to right.
  package let view: ImageView

  /// Describes an image for a batch.
  package init(pixels: [UInt8], view: ImageView) {
    let (width, height) = (view.originalWidth, view.originalHeight)
    precondition(
      max(width, height, view.width, view.height) < 32768,
      "image of \(width)x\(height) to \(view.width)x\(view.height)")
    precondition(pixels.count == 3 * width * height, "\(pixels.count) bytes: \(width)x\(height)")
    self.pixels = pixels
    self.view = view
  }

  /// Where the pixels of the view come from, four int32 a row and a column of the view.
  fileprivate func taps(on stream: ComputeStream) throws -> (rows: Tensor, columns: Tensor) {
    func tensor(_ taps: BilinearTaps, _ length: Int) throws -> Tensor {
      try Tensor(taps.values, shape: [length, 4], on: stream, label: "image taps")
    }
    return (
      try tensor(
        BilinearTaps(source: view.originalHeight, target: view.height, isVertical: true),
        view.height),
      try tensor(
        BilinearTaps(
          source: view.originalWidth, target: view.width, isVertical: false,
          isReversed: view.isFlipped), view.width)
    )
  }
}

extension Tensor {
  /// A batch of network input: images resized, mirrored, normalised, and padded with zeros.
  ///
  /// Bilinear with half-pixel centres and no antialias, in 8 bits: every pixel is that of OpenCV's
  /// INTER_LINEAR. The batch is as large as its largest image, rounded up.
  /// Source: spec training 4.5, Data pipeline.
  ///
  /// - Parameters:
  ///   - images: The images, at least one.
  ///   - normalisation: Means, deviations and channel order.
  ///   - multiple: Rows and columns of the batch are a multiple of it.
  ///   - stream: Where the batch lives.
  /// - Returns: Input `[N, H, W, 3]`.
  package static func imageBatch(
    _ images: [ImageInput], normalisation: PixelNormalisation,
    paddedToMultipleOf multiple: Int = ImageView.paddingUnit, on stream: ComputeStream
  ) throws -> Tensor {
    precondition(multiple > 0, "padding to a multiple of \(multiple)")
    let sizes = images.map { $0.view.padded(to: multiple) }
    let height = sizes.reduce(0) { max($0, $1.height) }
    let width = sizes.reduce(0) { max($0, $1.width) }
    let batch = try Tensor(
      uninitialized: [images.count, height, width, 3], on: stream, label: "image batch")
    // The sums of two source rows are kept in local memory, 2 bytes a value.
    let sums = 12 * images.reduce(0) { max($0, $1.view.width) }
    let isCPU =
      stream.family == .cpu && KernelArgument.localBytes([sums]) <= stream.localMemoryInBytes
    let kernel = try stream.library.kernel(
      isCPU ? "image_input_forward_cpu" : "image_input_forward_reference", in: "ImageInput")
    let rowsPerGroup = 16
    for (index, image) in images.enumerated() {
      let bytes = try stream.queue.allocate(bytes: image.pixels.count, label: "image bytes")
      try image.pixels.withUnsafeBytes { try stream.queue.write($0, to: bytes) }
      let view = image.view
      let taps = try image.taps(on: stream)
      let description: [KernelArgument] =
        [
          .int(index), .int(view.originalWidth), .int(view.height), .int(view.width),
          .int(height), .int(width), .int(normalisation.isBGR ? 1 : 0),
        ] + normalisation.means.map { .float($0) } + normalisation.deviations.map { .float(1 / $0) }
      let elements = Double(3 * height * width)
      let work = Work(operations: 12 * elements, bytes: 4 * elements + Double(image.pixels.count))
      let buffers: [KernelArgument] = [
        .buffer(bytes), .buffer(taps.rows.buffer), .buffer(taps.columns.buffer),
        .buffer(batch.buffer),
      ]
      if isCPU {
        try stream.queue.launch(
          kernel, global: [height.dividedUp(by: rowsPerGroup)], local: [1],
          buffers + [.local(sums), .int(rowsPerGroup)] + description, work: work)
      } else {
        try stream.launchElements(
          kernel, count: height * width, buffers + description, work: work)
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
  package func renormalised(
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
