import Tensors

/// `y = x Wᵀ + b` over the last axis.
package struct Linear {
  /// `[O, I]`.
  package let weight: Parameter
  /// `[O]`, or nil.
  package let bias: Parameter?

  /// Creates the layer.
  ///
  /// - Parameters:
  ///   - scope: Where `weight` and `bias` are named.
  ///   - inputs: Input features I.
  ///   - outputs: Output features O.
  ///   - hasBias: Whether there is a bias.
  ///   - initializer: How the weight starts; nil takes PyTorch's default for weight and bias.
  ///   - layout: How the weight stands in a weight file.
  package init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, hasBias: Bool = true,
    initializer: Initializer? = nil, layout: ParameterLayout = .plain
  ) throws {
    weight = try scope.parameter(
      "weight", [outputs, inputs], initializer ?? .torchDefault(inputs: inputs), layout: layout)
    bias =
      hasBias
      ? try scope.parameter(
        "bias", [outputs], initializer == nil ? .torchDefault(inputs: inputs) : .zeros)
      : nil
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[..., I]`.
  ///   - ending: What comes after it.
  /// - Returns: `[..., O]`.
  package func callAsFunction(_ x: Tensor, then ending: LinearEnding? = nil) throws -> Tensor {
    try x.linear(weight: weight.value(as: x.elementType), bias: bias?.value, then: ending)
  }
}
