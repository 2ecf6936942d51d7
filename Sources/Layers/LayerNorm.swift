import Tensors

/// Layer norm over the last axis.
package struct LayerNorm {
  /// Scale `[C]`.
  package let weight: Parameter
  /// Shift `[C]`.
  package let bias: Parameter
  private let epsilon: Float

  /// Creates the layer.
  ///
  /// - Parameters:
  ///   - scope: Where `weight` and `bias` are named.
  ///   - width: Length of the last axis.
  ///   - epsilon: Added to the variance.
  package init(_ scope: ParameterScope, width: Int, epsilon: Float = 1e-5) throws {
    self.epsilon = epsilon
    weight = try scope.parameter("weight", [width], .constant(1))
    bias = try scope.parameter("bias", [width], .zeros)
  }

  /// Applies the layer.
  ///
  /// - Parameter x: `[..., C]`.
  /// - Returns: `[..., C]`.
  package func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.layerNorm(weight: weight.value, bias: bias.value, epsilon: epsilon)
  }
}
