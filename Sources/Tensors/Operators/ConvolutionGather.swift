import OpenCL

/// The gradient of the input of a convolution of few input channels on a CPU; see
/// `Kernels/ConvolutionGatherCPU.cl`.
///
/// The product of input pixels and the weight has a column for each input channel, so that three
/// channels leave 13 of 16 lanes idle. Here the product's columns are output pixels and its rows
/// the numbers that an output pixel sends to its patch; a second kernel adds these up.
struct ConvolutionGather {
  let form: ConvolutionForm
  /// Memory for each core between the two kernels, about what stays in its caches.
  var chunkBytes = 1 << 20

  /// Whether it is faster than a product for each phase of the input.
  ///
  /// Those took 6 times as long for the 3 channels of a 7x7 convolution of stride 2, 3 times for 3 of
  /// a 3x3 one, 2 for 8, 1.3 for 12, and as long for 16 (`BENCHMARKS.md`). Only CPUs have the kernel.
  func pays(on stream: ComputeStream) -> Bool {
    stream.family == .cpu && form.inputs <= 12 && form.outputs > 0
      && form.kernelHeight * form.kernelWidth > 1
  }

  private var patch: Int { form.kernelHeight * form.kernelWidth * form.inputs }

  /// Enqueues the gradient of the input.
  ///
  /// - Parameters:
  ///   - gradient: That of the output, `[N, OH, OW, O]`, as the stream's products take it.
  ///   - weight: `[O, KH, KW, I]` in float32.
  ///   - result: `[N, H, W, I]` in float32, all of which is written.
  func run(_ gradient: Tensor, _ weight: Tensor, into result: Tensor) throws {
    guard result.count > 0 else { return }
    let stream = gradient.stream
    let (rows, width) = (form.images * form.outputHeight, form.outputWidth)
    let type = gradient.elementType
    let weight = try weight.converted(to: type)
    let chunk = chunkRows(of: type, on: stream.device)
    let patches = try stream.queue.allocate(
      bytes: 4 * patch * width * min(chunk, rows), label: "convolution patches")
    var written = 0
    for first in stride(from: 0, to: rows, by: chunk) {
      let count = min(chunk, rows - first)
      let rowBytes = type.bytes * width * form.outputs
      try MatrixLaunch(
        rows: patch, columns: count * width, depth: form.outputs,
        left: MatrixOperand(buffer: weight.buffer, loader: .transposed, pitch: patch),
        right: MatrixOperand(
          buffer: gradient.buffer.part(at: first * rowBytes, bytes: count * rowBytes),
          loader: .transposed, pitch: form.outputs), operandType: type
      ).run(on: stream, into: patches)
      let start = min(written, inputRows(reachedBy: first).lowerBound)
      let end =
        first + count == rows
        ? form.images * form.height
        : max(written, inputRows(reachedBy: first + count - 1).upperBound)
      try gather(
        patches, into: result, outputRows: first..<first + count, inputRows: start..<end,
        fresh: written)
      written = end
    }
  }

  private func gather(
    _ patches: Buffer, into result: Tensor, outputRows: Range<Int>, inputRows: Range<Int>,
    fresh: Int
  ) throws {
    guard !inputRows.isEmpty else { return }
    let stream = result.stream
    let tapStep = form.stride / greatestCommonDivisor(form.stride, form.dilation)
    let values = Double(patch * outputRows.count * form.outputWidth)
    try stream.queue.launch(
      try stream.library.kernel(
        "convolution_gather_backward_input_cpu", in: "ConvolutionGatherCPU"),
      global: [inputRows.count], local: [1],
      [.buffer(patches), .buffer(result.buffer)]
        + [
          form.height, form.width, form.inputs, form.outputHeight, form.outputWidth,
          form.kernelHeight, form.kernelWidth, form.stride, form.padding, form.dilation, tapStep,
          outputRows.lowerBound, outputRows.count, inputRows.lowerBound, fresh,
        ].map { .int($0) },
      work: Work(
        operations: values,
        bytes: 4 * (values + Double(inputRows.count * form.width * form.inputs))))
  }

  /// The input rows that a tap of an output row may lie in, both counted through all images.
  private func inputRows(reachedBy row: Int) -> Range<Int> {
    let top = row % form.outputHeight * form.stride - form.padding
    let bottom = top + form.dilation * (form.kernelHeight - 1) + 1
    let image = row / form.outputHeight * form.height
    func inside(_ y: Int) -> Int { image + min(max(y, 0), form.height) }
    return inside(top)..<inside(bottom)
  }

  /// Output rows of a launch: about ``chunkBytes`` of patches for each core, and whole units of the
  /// address of a buffer's part.
  private func chunkRows(of type: ElementType, on device: Device) -> Int {
    let step =
      device.bufferAlignment
      / greatestCommonDivisor(
        device.bufferAlignment, type.bytes * form.outputWidth * form.outputs)
    let wanted = chunkBytes * device.computeUnits / (4 * patch * form.outputWidth)
    return max(1, wanted / step) * step
  }

  private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
}
