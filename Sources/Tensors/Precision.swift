import Foundation
import OpenCL

/// How a model stores its activations and their gradients; parameters stay float32.
public enum Precision: String, CaseIterable, Sendable {
  /// bfloat16 on NVIDIA GPUs with tensor cores for it, else float32.
  case automatic
  /// 32 bits, 24 of them the fraction's.
  case float32
  /// 16 bits with the range of float32, 8 of them the fraction's.
  case bfloat16
  /// 16 bits up to 65504, 11 of them the fraction's; training scales its losses.
  case float16

  /// A precision that the kernels of a context cannot compute in.
  public struct Unsupported: Error, CustomStringConvertible {
    /// What was asked for.
    public let precision: Precision

    /// One line with the remedy.
    public var description: String {
      "training.precision \(precision.rawValue): the kernels for CPUs compute in float32; take "
        + "'automatic' or 'float32'"
    }
  }

  /// What activations are on a device.
  ///
  /// - Parameter context: The device.
  /// - Returns: The element type.
  /// - Throws: ``Unsupported`` for 16 bits by the kernels of the `cpu` family.
  public func activationType(on context: Context) throws -> ElementType {
    switch self {
    case .automatic:
      // Who asks for exact products has not asked for rounded activations.
      let isFree = try MatrixPrecision.wanted().map { $0 == .bf16 } ?? !context.isExact
      let isCapable =
        context.family == .nvidia
        && context.device.computeCapability ?? 0 >= TensorCores.leastCapability
      return isFree && isCapable ? .bfloat16 : .float32
    case .float32: return .float32
    case .bfloat16, .float16:
      guard context.family != .cpu else { throw Unsupported(precision: self) }
      return self == .bfloat16 ? .bfloat16 : .float16
    }
  }

  /// Which kernels a device gets: a CPU computes 16-bit activations by the generic ones, slowly.
  ///
  /// - Parameter device: The device.
  /// - Returns: The family.
  public func family(on device: Device) -> DeviceFamily {
    (self == .bfloat16 || self == .float16) && device.family == .cpu ? .generic : device.family
  }
}
