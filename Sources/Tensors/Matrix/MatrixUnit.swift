import OpenCL

/// How a stream multiplies matrices: by which kernel, in which precision, with which parameters.
package final class MatrixUnit {
  /// The precision that the user asked for, for devices that have a choice.
  package let precision: MatrixPrecision?
  /// Counts and times the products while it is there.
  package var recorder: MatrixRecorder?
  /// What multiplies float32 instead of the family's kernel, tried out on first use.
  lazy var tensorCores = TensorCores.usable(precision, for: .float32, on: stream)
  /// The same for activations that are stored in 16 bits.
  lazy var activationCores = TensorCores.usable(precision, for: stream.activationType, on: stream)
  /// How a CPU multiplies bfloat16 without widening it, tried out on first use; nil where it cannot.
  lazy var bfloat16 = BFloat16Products.usable(on: stream)
  private unowned let stream: ComputeStream
  /// What was found for this device, looked up by sizes.
  private var tunedChoices = TunedChoices()

  init(_ stream: ComputeStream, precision: MatrixPrecision?) {
    self.stream = stream
    self.precision = precision
  }

  /// The kernel that multiplies activations, with its precision.
  package var kernelName: String {
    let type = productType(of: stream.activationType)
    return kernelName(with: tensorCores(for: type), operands: type)
  }

  /// What products of activations take them as.
  ///
  /// A CPU multiplies float32, and bfloat16 where it has an instruction for it: other 16-bit operands
  /// are widened, in passing.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: The type of the operands.
  package func productType(of type: ElementType) -> ElementType {
    guard stream.family == .cpu else { return type }
    return type == .bfloat16 && bfloat16 != nil ? .bfloat16 : .float32
  }

  /// What products of activations take weights as: as the activations, except that a CPU rounds
  /// float32 weights while it packs them, without a copy.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: The type of the weights.
  package func weightType(of type: ElementType) -> ElementType {
    stream.family == .cpu ? .float32 : productType(of: type)
  }

  /// What kernels that are written for CPUs alone take activations as.
  ///
  /// - Parameter type: How the activations are stored.
  /// - Returns: float32 on a CPU, else the type.
  package func plainType(of type: ElementType) -> ElementType {
    stream.family == .cpu ? .float32 : type
  }

  /// What multiplies operands of a type instead of the family's own kernel, or nil.
  func tensorCores(for operands: ElementType) -> TensorCores? {
    if operands == .float32 { return tensorCores }
    return operands == stream.activationType ? activationCores : nil
  }

  /// The kernel that multiplies with or without tensor cores, with its precision.
  func kernelName(with cores: TensorCores?, operands: ElementType) -> String {
    if let cores { return cores.label }
    if stream.family == .cpu, operands == .bfloat16, let bfloat16 { return bfloat16.label }
    return stream.family == .cpu
      ? "matrix_product_forward_cpu float32" : "matrix_product_forward \(operands)"
  }

  /// What was found for a product on this device; empty for the shipped parameters.
  func tunedChoice(for launch: MatrixLaunch, with cores: TensorCores?) -> [String: Int] {
    guard let table = stream.queue.context.tuning else { return [:] }
    let shape = MatrixShape(launch, kernel: kernelName(with: cores, operands: launch.operandType))
    return tunedChoices.choice(for: shape, in: table) {
      MatrixChoices(launch, on: stream, with: cores).isLegal($0)
    }
  }
}
