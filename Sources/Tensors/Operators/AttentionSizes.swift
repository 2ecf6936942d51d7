import Formats
import OpenCL

/// The sizes of one attention and what its kernels get from them.
struct AttentionSizes {
  let batch: Int
  let length: Int
  let heads: Int
  let headWidth: Int
  let causal: Bool
  let maskIsShared: Bool
  /// How qkv, the result and their gradients are stored.
  let elementType: ElementType

  /// Rows of scores.
  var rows: Int { batch * heads * length }

  /// The arguments that all kernels share.
  var arguments: [KernelArgument] {
    [
      .int(length), .int(heads), .int(maskIsShared ? 0 : length * length), .int(causal ? 1 : 0),
      .float(1 / Float(headWidth).squareRoot()),
    ]
  }

  /// Floats between rows over the keys in local memory.
  var pitch: Int { length.roundedUp(toMultipleOf: Self.keyStep) + 16 }

  private var columns: Int { 4 * headWidth * pitch }
  private var rowsOfHead: Int { 4 * length * headWidth.roundedUp(toMultipleOf: 16) }
  private var scores: Int { 4 * Self.queries * pitch }

  /// Bytes of each local array of the CPU's forward kernel, in order.
  var forwardLocal: [Int] { [columns, rowsOfHead, scores] }

  /// Bytes of each local array of the CPU's backward kernel, in order.
  var backwardLocal: [Int] {
    [columns, columns, rowsOfHead, rowsOfHead, rowsOfHead, scores, scores]
  }

  // `QUERIES` and `KEY_STEP` of `AttentionCPU.cl`.
  static let (queries, keyStep) = (8, 32)

  /// Whether the CPU's kernels apply; long sequences outgrow local memory and go row by row.
  func fitsCPU(local: [Int], on stream: ComputeStream) -> Bool {
    let fixed = 2 * 4 * Self.queries * headWidth.roundedUp(toMultipleOf: 16)
    return stream.family == .cpu
      && fixed + KernelArgument.localBytes(local) <= stream.localMemoryInBytes
  }

  /// A kernel for heads of this width and activations of this type.
  func kernel(_ name: String, in file: String, on stream: ComputeStream) throws -> Kernel {
    try stream.kernel(
      name, in: file, storing: elementType, parameters: ["HEAD_WIDTH": headWidth])
  }

  /// The cost of a pass with so many products of `[L, L]` by the head's width and so many operands
  /// of `[N, L, E]` read or written.
  func work(products: Int, tensors: Int) -> Work {
    let elements = Double(rows) * Double(headWidth)
    return Work(
      operations: 2 * Double(products) * elements * Double(length) * (causal ? 0.5 : 1),
      bytes: Double(elementType.bytes * tensors) * elements)
  }
}
