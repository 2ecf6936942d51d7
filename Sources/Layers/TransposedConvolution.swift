import Tensors

/// A transposed convolution whose stride equals its kernel: every pixel becomes a square of its own,
/// so it is one matrix product.
package struct TransposedConvolution {
  /// `[K·K·O, I]` on the device, `[I, O, K, K]` in a file.
  package let weight: Parameter
  /// `[O]`.
  package let bias: Parameter
  private let kernel: Int

  /// Creates the layer.
  ///
  /// - Parameters:
  ///   - scope: Where `weight` and `bias` are named.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - kernel: Side of the kernel, and the stride.
  ///   - initializer: How the weight starts; nil takes Kaiming normal over the outputs.
  package init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, kernel: Int,
    initializer: Initializer? = nil
  ) throws {
    self.kernel = kernel
    weight = try scope.parameter(
      "weight", [kernel * kernel * outputs, inputs],
      // PyTorch's fan_out of a weight [I, O, K, K] is that of its first axis.
      initializer ?? .kaimingNormal(fan: inputs * kernel * kernel),
      layout: .transposedConvolution(kernel: kernel))
    bias = try scope.parameter("bias", [outputs], .zeros)
  }

  /// Applies the layer, each input pixel's square kept together.
  ///
  /// - Parameter x: `[N, H, W, I]`.
  /// - Returns: `[N, H, W, K, K, O]`; the map `[N, H·K, W·K, O]` in another order.
  package func cells(_ x: Tensor) throws -> Tensor {
    let flat = try x.linear(weight: weight.value(as: x.elementType), bias: nil)
    let outputs = flat.shape[3] / (kernel * kernel)
    return try flat.reshaped([flat.count / outputs, outputs]).addingRow(bias.value)
      .reshaped(Array(x.shape[..<3]) + [kernel, kernel, outputs])
  }
}
