import OpenCL

/// Convolutions by tensor cores of channels that are no multiples of what is copied at a time.
///
/// Such operands would be copied element by element, in a loop that takes longer than the products:
/// three colours, or three scores of a pixel. Zeros fill their channels up; they change no sum.
extension ConvolutionForm {
  /// Pixels of the output from which on filling up pays for its launches.
  static let leastAligned = 1024

  /// Elements of 16 bytes where products of a type are tensor cores' and there are enough pixels.
  private func copied(of type: ElementType, on stream: ComputeStream) -> Int? {
    guard images * outputHeight * outputWidth >= Self.leastAligned,
      stream.matrix.tensorCores(for: type) != nil
    else { return nil }
    return 16 / type.bytes
  }

  /// The same convolution with channels filled up; nil where that changes nothing.
  private func aligned(
    _ type: ElementType, on stream: ComputeStream, inputs fillsInputs: Bool,
    outputs fillsOutputs: Bool
  ) -> ConvolutionForm? {
    guard let copied = copied(of: type, on: stream) else { return nil }
    let fillsInputs = fillsInputs && strips(of: type, on: stream) == nil
    let wideInputs = fillsInputs ? inputs.dividedUp(by: copied) * copied : inputs
    let wideOutputs = fillsOutputs ? outputs.dividedUp(by: copied) * copied : outputs
    guard wideInputs != inputs || wideOutputs != outputs else { return nil }
    return ConvolutionForm(
      input: [images, height, width, wideInputs],
      weight: [wideOutputs, kernelHeight, kernelWidth, wideInputs],
      stride: stride, padding: padding, dilation: dilation, direct: direct)
  }

  /// Whether the gradient of the weight has channels that are cut off afterwards.
  func isFilledUp(for type: ElementType, on stream: ComputeStream) -> Bool {
    aligned(type, on: stream, inputs: true, outputs: true) != nil
  }

  /// Patches that lie side by side, with a row of a patch taken for one pixel; nil where channels are
  /// copied well as they are.
  ///
  /// A row of that image is all pixels of `kernelHeight` rows, one after the other, and the rows of a
  /// patch are taps that are a row of patches apart.
  func strips(of type: ElementType, on stream: ComputeStream) -> PatchGeometry? {
    guard let copied = copied(of: type, on: stream), inputs % copied != 0, padding == 0,
      dilation == 1, stride == kernelHeight, stride == kernelWidth, height % stride == 0,
      width % stride == 0, inputs * stride % copied == 0
    else { return nil }
    return PatchGeometry(
      height: outputHeight, width: stride * outputWidth, channels: inputs * stride,
      gridHeight: outputHeight, gridWidth: outputWidth, stride: 1, originY: 0, originX: 0,
      stepY: 1, stepX: outputWidth, tapRows: 1, tapColumns: stride)
  }

  /// Runs `product` on operands whose input channels are filled up.
  ///
  /// - Returns: Whether there was anything to fill up; else nothing ran.
  func runAligned(
    _ x: Tensor, _ weight: Tensor,
    by product: (_ form: ConvolutionForm, _ x: Tensor, _ weight: Tensor) throws -> Void
  ) throws -> Bool {
    guard let form = aligned(x.elementType, on: x.stream, inputs: true, outputs: false) else {
      return false
    }
    try product(
      form, try x.fitted(rows: x.count / inputs, of: inputs, columns: form.inputs),
      try weight.fitted(rows: weight.count / inputs, of: inputs, columns: form.inputs))
    return true
  }

  /// The same for the gradient of the weight: channels of both are filled up, and what they add to
  /// the result is cut off.
  func runAligned(
    gradient: Tensor, input x: Tensor, into result: Tensor,
    by product: (_ form: ConvolutionForm, _ gradient: Tensor, _ x: Tensor, Tensor) throws -> Void
  ) throws -> Bool {
    guard let form = aligned(x.elementType, on: x.stream, inputs: true, outputs: true) else {
      return false
    }
    let taps = kernelHeight * kernelWidth
    let wide = try Tensor(
      uninitialized: [form.outputs, kernelHeight, kernelWidth, form.inputs], on: x.stream,
      label: "filled up weight gradient")
    try product(
      form, try gradient.fitted(rows: gradient.count / outputs, of: outputs, columns: form.outputs),
      try x.fitted(rows: x.count / inputs, of: inputs, columns: form.inputs), wide)
    try wide.fit(of: form.inputs, into: result, rows: outputs * taps, columns: inputs)
    return true
  }

  /// The same for the gradient of the input: channels of the output are filled up.
  func runAligned(
    gradient: Tensor, weight: Tensor,
    by product: (_ form: ConvolutionForm, _ gradient: Tensor, _ weight: Tensor) throws -> Void
  ) throws -> Bool {
    let type = weight.elementType
    guard let form = aligned(type, on: weight.stream, inputs: false, outputs: true) else {
      return false
    }
    let taps = kernelHeight * kernelWidth
    try product(
      form, try gradient.fitted(rows: gradient.count / outputs, of: outputs, columns: form.outputs),
      try weight.fitted(rows: form.outputs * taps, of: inputs, columns: inputs))
    return true
  }
}

extension Tensor {
  /// The matrix of rows of `width` elements with other numbers of rows and columns: what is new is
  /// zero, the rest is cut off.
  fileprivate func fitted(rows: Int, of width: Int, columns: Int) throws -> Tensor {
    guard columns != width || rows * width != count else { return self }
    let result = try Tensor(
      uninitialized: [rows, columns], on: stream, elementType: elementType,
      label: "filled up channels")
    try fit(of: width, into: result, rows: rows, columns: columns)
    return result
  }

  /// The same into a tensor of as many elements.
  fileprivate func fit(of width: Int, into result: Tensor, rows: Int, columns: Int) throws {
    try stream.launchElements(
      try stream.kernel("indexing_fit_forward", in: "Indexing", storing: elementType),
      count: rows * columns,
      [
        .buffer(buffer), .buffer(result.buffer), .int(count / width), .int(width), .int(columns),
      ],
      work: Work(operations: 0, bytes: Double(elementType.bytes * (count + rows * columns))))
  }
}
