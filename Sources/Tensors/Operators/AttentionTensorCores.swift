import Formats
import Foundation
import OpenCL
import Synchronization

/// Attention by the tensor cores of an NVIDIA GPU, `AttentionNVIDIA.cl`.
struct AttentionCores {
  let precision: MatrixPrecision
  let elementType: ElementType
  /// Whether any device does the same in plain OpenCL C, to test the kernels' index arithmetic.
  var isEmulated = false

  /// What profiles call the factors' format.
  var format: String {
    switch elementType {
    case .bfloat16: "bf16"
    case .float16: "f16"
    case .float32, .int32: splitsFactors ? "tf32x3" : "tf32"
    }
  }

  /// Whether float32 factors are taken as sums of two tf32 numbers.
  private var splitsFactors: Bool { precision == .tf32x3 }

  /// The tensor cores for an attention of such sizes; nil for the generic kernel.
  ///
  /// They are those of the stream's matrix products, once a small attention has come out right; a
  /// device that fails gets one line on standard error.
  ///
  /// - Parameters:
  ///   - sizes: The sizes.
  ///   - stream: The stream.
  /// - Returns: The tensor cores, or nil.
  static func usable(for sizes: AttentionSizes, on stream: ComputeStream) -> AttentionCores? {
    guard let matrixCores = stream.matrix.tensorCores(for: sizes.elementType) else { return nil }
    let cores = AttentionCores(
      precision: matrixCores.precision, elementType: sizes.elementType,
      isEmulated: matrixCores.isEmulated)
    guard
      AttentionTile.best(for: sizes, backward: false) != nil,
      AttentionTile.best(for: sizes, backward: true) != nil
    else { return nil }
    guard !cores.isEmulated else { return cores }
    let device = stream.device
    let key = "\(device.index) \(cores.format)"
    if let fault = faults.withLock({ $0[key] }) { return fault.isEmpty ? cores : nil }
    let fault = cores.fault(on: stream) ?? ""
    faults.withLock { $0[key] = fault }
    guard !fault.isEmpty else { return cores }
    Console.warn(
      "\(device.name): attention runs without tensor cores, not in \(cores.format): \(fault)")
    return nil
  }

  /// What is wrong by device and format; empty when nothing is.
  private static let faults = Mutex<[String: String]>([:])

  /// Enqueues the forward kernel.
  ///
  /// - Parameters:
  ///   - operands: qkv, mask, y, lse.
  ///   - sizes: The sizes.
  ///   - stream: The stream.
  func forward(
    _ operands: [KernelArgument], sizes: AttentionSizes, on stream: ComputeStream
  ) throws {
    try launch(
      "attention_forward_nvidia", operands, backward: false, sizes: sizes, on: stream,
      work: sizes.work(products: 2, tensors: 4))
  }

  /// Enqueues the backward kernels.
  ///
  /// - Parameters:
  ///   - query: qkv, mask, y, gy, lse, delta, gqkv.
  ///   - key: qkv, mask, gy, lse, delta, gqkv.
  ///   - sizes: The sizes.
  ///   - stream: The stream.
  func backward(
    query: [KernelArgument], key: [KernelArgument], sizes: AttentionSizes, on stream: ComputeStream
  ) throws {
    try launch(
      "attention_backward_query_nvidia", query, backward: true, sizes: sizes, on: stream,
      work: sizes.work(products: 3, tensors: 6))
    try launch(
      "attention_backward_key_value_nvidia", key, backward: true, sizes: sizes, on: stream,
      work: sizes.work(products: 4, tensors: 6))
  }

  /// Compile-time parameters for a tile.
  func parameters(_ tile: AttentionTile, headWidth: Int, backward: Bool) -> [String: Int] {
    var parameters = tile.parameters
    parameters["HEAD_WIDTH"] = headWidth
    parameters["BACKWARD"] = backward ? 1 : 0
    if elementType == .float32 { parameters["PRECISION"] = splitsFactors ? 0 : 1 }
    if isEmulated { parameters["EMULATE_WARP"] = 1 }
    return parameters
  }

  private func launch(
    _ name: String, _ operands: [KernelArgument], backward: Bool, sizes: AttentionSizes,
    on stream: ComputeStream, work: Work
  ) throws {
    guard let tile = AttentionTile.best(for: sizes, backward: backward) else {
      preconditionFailure("attention with heads of \(sizes.headWidth) by tensor cores")
    }
    let kernel = try stream.kernel(
      name, in: "AttentionNVIDIA", storing: elementType,
      parameters: parameters(tile, headWidth: sizes.headWidth, backward: backward))
    try stream.queue.launch(
      kernel,
      global: [
        sizes.batch * sizes.heads * tile.items, sizes.length.dividedUp(by: tile.rows),
      ], local: [tile.items, 1], operands + sizes.arguments, work: work,
      label: "\(name) \(format)")
  }
}

/// The rows that a work-group of `AttentionNVIDIA.cl` owns and how it walks the other ones.
struct AttentionTile: Equatable {
  /// Warps of 16 rows each.
  let warps: Int
  /// Rows of the other side that come at a time, and how many such tiles there are.
  let step, stages: Int

  /// Work-items.
  var items: Int { 32 * warps }
  /// Rows of the work-group.
  var rows: Int { 16 * warps }
  /// Compile-time parameters.
  var parameters: [String: Int] { ["WARPS": warps, "STEP": step, "STAGES": stages] }

  /// Local memory of a work-group that every NVIDIA GPU has.
  static let localMemoryInBytes = 48 << 10

  /// Bytes of the tiles in local memory; rows are a copy of 16 bytes apart.
  func bytes(headWidth: Int, elementBytes: Int, backward: Bool) -> Int {
    (2 * stages * step + (backward ? 2 * rows : 0)) * (elementBytes * headWidth + 16)
  }

  /// The tile for an attention: as many warps as share the work evenly, as large and as many steps
  /// as fit; nil when the kernels do not know the head's width.
  ///
  /// - Parameters:
  ///   - sizes: The sizes.
  ///   - backward: Whether for the backward kernels.
  /// - Returns: The tile, or nil.
  static func best(for sizes: AttentionSizes, backward: Bool) -> AttentionTile? {
    guard sizes.headWidth % 16 == 0, sizes.headWidth <= 128, sizes.length > 0 else { return nil }
    let bytes = sizes.elementType.bytes
    let blocks = sizes.length.dividedUp(by: 16)
    // Larger steps than these would need more registers than there are.
    let isNarrow = sizes.headWidth <= 64 && !(backward && bytes == 4)
    let steps = isNarrow && blocks > 1 ? [32, 16] : [16]
    for most in [4, 2, 1] {
      let warps = blocks.dividedUp(by: blocks.dividedUp(by: most))
      for step in steps {
        for stages in [2, 1] where stages == 1 || sizes.length > step {
          let tile = AttentionTile(warps: warps, step: step, stages: stages)
          let size = tile.bytes(
            headWidth: sizes.headWidth, elementBytes: bytes, backward: backward)
          if size <= localMemoryInBytes { return tile }
        }
      }
    }
    return nil
  }
}
