import Formats
import OpenCL

extension Tensor {
  /// A two-dimensional convolution.
  ///
  /// 16-bit activations meet the weight rounded to their type; its gradient is float32.
  ///
  /// - Parameters:
  ///   - weight: `[O, KH, KW, I]`.
  ///   - bias: `[O]` or nil.
  ///   - stride: Pixels from one output to the next, both ways.
  ///   - padding: Zeros added on each side.
  ///   - dilation: Pixels from one tap to the next.
  ///   - direct: Whether to keep to the plain sum of products, as exact contexts do. Without, large
  ///     3x3 convolutions of stride 1 use Winograd's algorithm, whose errors are about 1e-5 of the
  ///     largest result.
  ///   - activation: What comes after it; a part of the product on devices with work-groups, an
  ///     operator of its own elsewhere and after Winograd's algorithm.
  ///   - statistics: What the product is to write beside its target, where it can.
  ///   - type: How the result is stored: as the input (nil), or float32 without a rounding in between.
  /// - Returns: `[N, OH, OW, O]` for `self` `[N, H, W, I]`.
  package func convolution(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    direct: Bool = false, then activation: Activation? = nil, statistics: ColumnStatistics? = nil,
    storing type: ElementType? = nil
  ) throws -> Tensor {
    let form = ConvolutionForm(
      input: shape, weight: weight.shape, stride: stride, padding: padding, dilation: dilation,
      direct: direct || stream.isExact)
    precondition(
      bias.map { $0.shape == [form.outputs] } ?? true, "convolution: bias of wrong shape")
    let result = try Tensor(
      uninitialized: form.outputShape, on: stream, elementType: type ?? elementType,
      label: "convolution")
    precondition(activation == nil || result.elementType == elementType, "activation of two types")
    let kept = try weight.factor(of: stream.matrix.weightType(of: elementType))
    let x = detached()
    let needs = (needsGradient, weight.needsGradient, bias?.needsGradient ?? false)
    let epilogue = try activation.flatMap {
      form.hasEpilogue(x)
        ? try LinearEpilogue(
          .activated($0), of: form.outputShape, for: x, hasGradient: needs.0 || needs.1 || needs.2)
        : nil
    }
    try form.forward(
      x, kept, bias, then: epilogue?.matrix, statistics: statistics, into: result)
    let layer = result.differentiable(
      from: operands() + [weight] + (bias.map { [$0] } ?? []), "convolution"
    ) { gradient in
      let gradient = try gradient.converted(to: x.elementType)
      var gradients =
        needs.0 ? try form.inputGradients(of: gradient, weight: kept, for: self) : [nil]
      gradients.append(
        needs.1 ? try form.weightGradient(of: gradient, input: x, for: weight) : nil)
      if let bias { gradients.append(needs.2 ? try gradient.biasGradient(of: bias) : nil) }
      return gradients
    }
    guard let activation else { return layer }
    guard let epilogue else { return try layer.activated(by: activation) }
    return result.following(layer, by: activation, keeping: epilogue.input ?? result)
  }

  /// The gradient of a convolution's input, where `self` is that of its result.
  ///
  /// - Parameters:
  ///   - weight: `[O, KH, KW, I]`.
  ///   - input: The input's shape `[N, H, W, I]`.
  ///   - stride: As in the convolution.
  ///   - padding: As in the convolution.
  ///   - dilation: As in the convolution.
  /// - Returns: A constant of the input's shape.
  package func convolutionInputGradient(
    weight: Tensor, input: [Int], stride: Int = 1, padding: Int = 0, dilation: Int = 1
  ) throws -> Tensor {
    let form = ConvolutionForm(
      input: input, weight: weight.shape, stride: stride, padding: padding, dilation: dilation,
      direct: stream.isExact)
    precondition(shape == form.outputShape, "convolution gradient of wrong shape \(shape)")
    return try form.inputGradient(
      of: self, weight: weight.factor(of: stream.matrix.weightType(of: elementType)))
  }

  /// The gradient of a convolution's weight, where `self` is that of its result.
  ///
  /// - Parameters:
  ///   - input: The input `[N, H, W, I]`.
  ///   - weight: The weight's shape `[O, KH, KW, I]`.
  ///   - stride: As in the convolution.
  ///   - padding: As in the convolution.
  ///   - dilation: As in the convolution.
  /// - Returns: A constant of the weight's shape.
  package func convolutionWeightGradient(
    input: Tensor, weight: [Int], stride: Int = 1, padding: Int = 0, dilation: Int = 1
  ) throws -> Tensor {
    let form = ConvolutionForm(
      input: input.shape, weight: weight, stride: stride, padding: padding, dilation: dilation,
      direct: stream.isExact)
    precondition(shape == form.outputShape, "convolution gradient of wrong shape \(shape)")
    let result = try Tensor(
      uninitialized: weight, on: stream, label: "convolution weight gradient")
    return try form.weightGradient(of: self, input: input, into: result)
  }
}

extension Tensor {
  /// Whether fewer multiplications are worth more traffic and larger rounding errors: not where
  /// tensor cores multiply, nor in 16 bits but where a CPU's products of bfloat16 are slower.
  fileprivate func pays(_ winograd: Winograd) -> Bool {
    switch elementType {
    case .float32: stream.matrix.tensorCores == nil
    case .bfloat16: stream.family == .cpu && winograd.paysBesideBFloat16
    case .float16, .int32: false
    }
  }
}

/// The sizes of a convolution, and its three passes as matrix products.
struct ConvolutionForm {
  let images, height, width, inputs: Int
  let outputs, kernelHeight, kernelWidth: Int
  let stride, padding, dilation: Int
  let outputHeight, outputWidth: Int
  /// Whether faster algorithms with larger rounding errors are ruled out.
  let direct: Bool

  init(
    input: [Int], weight: [Int], stride: Int, padding: Int, dilation: Int, direct: Bool = false
  ) {
    self.direct = direct
    precondition(
      input.count == 4 && weight.count == 4 && input[3] == weight[3],
      "convolution of weight \(weight) on \(input)")
    precondition(
      stride > 0 && padding >= 0 && dilation > 0,
      "convolution of stride \(stride), padding \(padding), dilation \(dilation)")
    (images, height, width, inputs) = (input[0], input[1], input[2], input[3])
    (outputs, kernelHeight, kernelWidth) = (weight[0], weight[1], weight[2])
    (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
    let reachY = dilation * (weight[1] - 1) + 1
    let reachX = dilation * (weight[2] - 1) + 1
    precondition(
      input[1] + 2 * padding >= reachY && input[2] + 2 * padding >= reachX,
      "convolution of weight \(weight), padding \(padding): larger than the map \(input)")
    outputHeight = (input[1] + 2 * padding - reachY) / stride + 1
    outputWidth = (input[2] + 2 * padding - reachX) / stride + 1
  }

  var outputShape: [Int] { [images, outputHeight, outputWidth, outputs] }
  private var inputShape: [Int] { [images, height, width, inputs] }
  private var weightShape: [Int] { [outputs, kernelHeight, kernelWidth, inputs] }
  private var outputPixels: Int { images * outputHeight * outputWidth }
  private var patch: Int { kernelHeight * kernelWidth * inputs }
  /// A 1x1 convolution of every pixel is a product of what is stored, without a gather.
  private var isPlain: Bool {
    kernelHeight == 1 && kernelWidth == 1 && stride == 1 && padding == 0
  }

  /// The input's patches under each output pixel.
  private var inputPatches: PatchGeometry {
    PatchGeometry(
      height: height, width: width, channels: inputs,
      gridHeight: outputHeight, gridWidth: outputWidth, stride: stride,
      originY: -padding, originX: -padding, stepY: dilation, stepX: dilation,
      tapRows: kernelHeight, tapColumns: kernelWidth)
  }

  /// Winograd's algorithm where it applies and is faster.
  private var winograd: Winograd? {
    let winograd = Winograd(
      images: images, height: height, width: width, channels: inputs, outputHeight: outputHeight,
      outputWidth: outputWidth, outputChannels: outputs, padding: padding, flipped: false)
    return isWinogradForm && winograd.pays ? winograd : nil
  }

  /// The same for the gradient of the input, a convolution of the output's gradient.
  private var inputGradientWinograd: Winograd? {
    let winograd = Winograd(
      images: images, height: outputHeight, width: outputWidth, channels: outputs,
      outputHeight: height, outputWidth: width, outputChannels: inputs, padding: 2 - padding,
      flipped: true)
    return isWinogradForm && winograd.pays ? winograd : nil
  }

  /// Whether 3x3 blocks of neighbouring pixels are convolved, as Winograd's algorithm needs.
  private var isWinogradForm: Bool {
    kernelHeight == 3 && kernelWidth == 3 && stride == 1 && dilation == 1 && padding <= 2
      && !direct
  }

  /// Output pixels times (taps, inputs), times the weight transposed.
  ///
  /// The weight is of the type that the stream's products take weights as.
  func forward(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, then epilogue: MatrixEpilogue? = nil,
    statistics: ColumnStatistics? = nil, into result: Tensor
  ) throws {
    let type = x.stream.matrix.productType(of: x.elementType)
    let x = try x.converted(to: type)
    try result.filled(as: type) {
      try product(x, weight, bias, then: epilogue, statistics: statistics, into: $0)
    }
  }

  /// Whether what comes after the convolution of a tensor can be a part of its product.
  func hasEpilogue(_ x: Tensor) -> Bool {
    x.stream.family != .cpu && winograd.map { !x.pays($0) } ?? true
  }

  private func product(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, then epilogue: MatrixEpilogue?,
    statistics: ColumnStatistics?, into result: Tensor
  ) throws {
    if let winograd, x.pays(winograd) {
      return try winograd.run(x, weight, bias, into: result)
    }
    let isDone = try runAligned(x, weight) {
      try $0.product($1, $2, bias, then: epilogue, statistics: statistics, into: result)
    }
    if isDone { return }
    try MatrixLaunch(
      rows: outputPixels, columns: outputs, depth: patch,
      left: MatrixOperand(buffer: x.buffer, loader: isPlain ? .rows : .image, pitch: inputs),
      right: MatrixOperand(buffer: weight.buffer, loader: .transposed, pitch: patch),
      bias: bias?.buffer, operandType: x.elementType, rightType: weight.elementType,
      targetType: result.elementType, epilogue: epilogue, statistics: statistics,
      geometry: isPlain ? nil : strips(of: x.elementType, on: x.stream) ?? inputPatches
    ).run(on: x.stream, into: result.buffer)
  }

  /// The gradient of a weight; nil where it was added to what the weight has collected.
  func weightGradient(
    of gradient: Tensor, input x: Tensor, for weight: Tensor
  ) throws -> Tensor? {
    let type = x.stream.matrix.productType(of: x.elementType)
    if !isFilledUp(for: type, on: x.stream), let sum = weight.gradientSum(of: x.elementType) {
      _ = try weightGradient(of: gradient, input: x, into: sum, adds: true)
      return nil
    }
    return try weightGradient(
      of: gradient, input: x,
      into: weight.gradientTarget(label: "convolution weight gradient"))
  }

  /// Outputs times pixels, times the patches; pixels are summed over.
  func weightGradient(
    of gradient: Tensor, input x: Tensor, into result: Tensor, adds: Bool = false
  ) throws -> Tensor {
    precondition(result.shape == weightShape, "weight gradient of wrong shape \(result.shape)")
    let type = x.stream.matrix.productType(of: x.elementType)
    let (gradient, x) = (try gradient.converted(to: type), try x.converted(to: type))
    if let winograd, x.pays(winograd) {
      try winograd.weightGradient(of: gradient, input: x, into: result)
      return result
    }
    let isDone = try runAligned(gradient: gradient, input: x, into: result) {
      _ = try $0.weightGradient(of: $1, input: $2, into: $3)
    }
    if isDone { return result }
    try MatrixLaunch(
      rows: outputs, columns: patch, depth: outputPixels,
      left: MatrixOperand(buffer: gradient.buffer, loader: .transposed, pitch: outputs),
      right: MatrixOperand(buffer: x.buffer, loader: isPlain ? .rows : .image, pitch: inputs),
      operandType: x.elementType, targetType: result.elementType, adds: adds,
      geometry: isPlain ? nil : strips(of: x.elementType, on: x.stream) ?? inputPatches
    ).run(on: x.stream, into: result.buffer)
    return result
  }

  /// The gradients of an input; see ``Tensor/inputGradients(_:)``.
  func inputGradients(
    of gradient: Tensor, weight: Tensor, for input: Tensor
  ) throws -> [Tensor?] {
    try input.inputGradients { sum, epilogue in
      if hasGradientEpilogue(gradient, adds: sum != nil) {
        return try inputGradient(of: gradient, weight: weight, addedTo: sum, then: epilogue)
      }
      return try input.throughActivation(
        epilogue, inputGradient(of: gradient, weight: weight, addedTo: sum))
    }
  }

  /// Whether what becomes of the input's gradient can be a part of its product.
  private func hasGradientEpilogue(_ gradient: Tensor, adds: Bool) -> Bool {
    // What was collected for pixels that no product writes would not be changed.
    !(adds && !(phases.rows + phases.columns).allSatisfy { $0.taps > 0 })
      && !ConvolutionGather(form: self).pays(on: gradient.stream)
      && inputGradientWinograd.map { !gradient.pays($0) } ?? true
  }

  /// Input pixels times (taps, outputs), times the weight seen from its outputs.
  ///
  /// With a stride the input pixels fall into `stride * stride` phases; all pixels of a phase meet
  /// the same taps, so that each phase is a dense product over a grid of its own.
  ///
  /// - Parameters:
  ///   - gradient: Of the output.
  ///   - weight: Of the type that the stream's products take weights as.
  ///   - sum: What the product is added to, in place; see ``Tensor/takenGradientOfProducts()``.
  ///   - epilogue: What becomes of the product.
  /// - Returns: `sum`, or a new tensor.
  func inputGradient(
    of gradient: Tensor, weight: Tensor, addedTo sum: Tensor? = nil,
    then epilogue: MatrixEpilogue? = nil
  ) throws -> Tensor {
    if let sum {
      try inputGradient(of: gradient, weight: weight, into: sum, adds: true, then: epilogue)
      return sum
    }
    let result = try Tensor(
      uninitialized: inputShape, on: gradient.stream, elementType: gradient.elementType,
      label: "convolution input gradient")
    let type = gradient.stream.matrix.productType(of: gradient.elementType)
    let gradient = try gradient.converted(to: type)
    let gather = ConvolutionGather(form: self)
    if gather.pays(on: gradient.stream) {
      // Its sums over taps are float32.
      try result.filled(as: .float32) { try gather.run(gradient, weight, into: $0) }
    } else {
      try result.filled(as: type) {
        try inputGradient(of: gradient, weight: weight, into: $0, adds: false, then: epilogue)
      }
    }
    return result
  }

  private func inputGradient(
    of gradient: Tensor, weight: Tensor, into result: Tensor, adds: Bool,
    then epilogue: MatrixEpilogue? = nil
  ) throws {
    if let winograd = inputGradientWinograd, gradient.pays(winograd) {
      return try winograd.run(gradient, weight, nil, into: result)
    }
    let isDone = try runAligned(gradient: gradient, weight: weight) {
      try $0.inputGradient(of: $1, weight: $2, into: result, adds: adds, then: epilogue)
    }
    if isDone { return }
    let (rows, columns) = phases
    if !adds, (rows + columns).contains(where: { $0.taps == 0 }) {
      try gradient.stream.queue.fill(result.buffer, pattern: 0)
    }
    for row in rows where row.taps > 0 {
      for column in columns where column.taps > 0 {
        try inputGradient(
          of: gradient, weight, at: row, column, into: result, adds: adds, then: epilogue)
      }
    }
  }

  private func inputGradient(
    of gradient: Tensor, _ weight: Tensor, at row: Phase, _ column: Phase, into result: Tensor,
    adds: Bool, then epilogue: MatrixEpilogue?
  ) throws {
    let gridHeight = (height - row.start).dividedUp(by: stride)
    let gridWidth = (width - column.start).dividedUp(by: stride)
    var patches = PatchGeometry(
      height: outputHeight, width: outputWidth, channels: outputs,
      gridHeight: gridHeight, gridWidth: gridWidth, stride: 1,
      originY: row.origin, originX: column.origin, stepY: row.step, stepX: column.step,
      tapRows: row.taps, tapColumns: column.taps)
    (patches.weightHeight, patches.weightWidth) = (kernelHeight, kernelWidth)
    (patches.weightY, patches.weightX) = (row.firstTap, column.firstTap)
    (patches.weightStepY, patches.weightStepX) = (row.tapStep, column.tapStep)
    (patches.targetHeight, patches.targetWidth) = (height, width)
    (patches.targetY, patches.targetX, patches.targetStride) = (row.start, column.start, stride)
    try MatrixLaunch(
      rows: images * gridHeight * gridWidth, columns: inputs,
      depth: row.taps * column.taps * outputs,
      left: MatrixOperand(
        buffer: gradient.buffer, loader: isPlain ? .rows : .image, pitch: outputs),
      right: MatrixOperand(
        buffer: weight.buffer, loader: isPlain ? .rows : .taps, pitch: inputs),
      operandType: gradient.elementType, rightType: weight.elementType,
      targetType: gradient.elementType, adds: adds, epilogue: epilogue,
      geometry: isPlain ? nil : patches,
      scatters: stride > 1
    ).run(on: gradient.stream, into: result.buffer)
  }

  /// The phases of the input along its axes.
  private var phases: (rows: [Phase], columns: [Phase]) {
    (
      (0..<min(stride, height)).map { Phase(self, start: $0, taps: kernelHeight) },
      (0..<min(stride, width)).map { Phase(self, start: $0, taps: kernelWidth) }
    )
  }

  /// The taps that one phase of the input meets along one axis.
  ///
  /// Input pixel `start + stride * j` meets tap `t` when `start + stride * j + padding - t *
  /// dilation` is a multiple of the stride; the quotient is the output pixel. These taps are evenly
  /// spaced. They are taken from the last to the first, so that the output pixels ascend.
  private struct Phase {
    let start, taps, firstTap, tapStep: Int
    /// Output pixel of the first tap for `j` = 0, and from one tap to the next.
    let origin, step: Int

    init(_ form: ConvolutionForm, start: Int, taps count: Int) {
      self.start = start
      let met = (0..<count).filter {
        (start + form.padding - $0 * form.dilation) % form.stride == 0
      }
      taps = met.count
      firstTap = met.last ?? 0
      tapStep = met.count > 1 ? met[0] - met[1] : -1
      origin = (start + form.padding - firstTap * form.dilation) / form.stride
      step = -tapStep * form.dilation / form.stride
    }
  }
}
