import Foundation
import OpenCL

/// How a model stores its activations and their gradients; parameters stay float32.
package enum Precision: String, CaseIterable, Sendable {
  /// bfloat16 on NVIDIA GPUs with tensor cores for it, else float32: on a CPU bfloat16 is faster where
  /// the processor multiplies it, but results there are float32's unless they are asked for otherwise.
  case automatic
  /// 32 bits, 24 of them the fraction's.
  case float32
  /// 16 bits with the range of float32, 8 of them the fraction's.
  case bfloat16
  /// 16 bits up to 65504, 11 of them the fraction's; training scales its losses.
  case float16

  /// What activations are on a device.
  ///
  /// - Parameter context: The device.
  /// - Throws: `MatrixPrecision.Unknown` for a wrong `$BARON_MATRIX_PRECISION`.
  package func activationType(on context: Context) throws -> ElementType {
    switch self {
    case .automatic:
      // Who asks for exact products has not asked for rounded activations.
      let isFree = try MatrixPrecision.wanted().map { $0 == .bf16 } ?? !context.isExact
      let isCapable =
        context.family == .nvidia
        && context.device.computeCapability ?? 0 >= TensorCores.leastCapability
      return isFree && isCapable ? .bfloat16 : .float32
    case .float32: return .float32
    case .bfloat16: return .bfloat16
    case .float16: return .float16
    }
  }
}
