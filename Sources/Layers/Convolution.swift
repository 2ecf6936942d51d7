import Tensors

/// A 2-D convolution over NHWC maps.
package struct Convolution {
  /// `[O, K, K, I]` on the device, `[O, I, K, K]` in a file.
  package let weight: Parameter
  /// `[O]`, or nil.
  package let bias: Parameter?
  private let stride: Int
  private let padding: Int

  /// Creates the layer.
  ///
  /// - Parameters:
  ///   - scope: Where `weight` and `bias` are named.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  ///   - kernel: Side of the kernel.
  ///   - stride: Step in both directions.
  ///   - padding: Zeros added on each side; nil takes half the kernel.
  ///   - hasBias: Whether there is a bias; it starts at 0.
  ///   - initializer: How the weight starts; nil takes Kaiming normal over the inputs.
  package init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1,
    padding: Int? = nil, hasBias: Bool = false, initializer: Initializer? = nil
  ) throws {
    weight = try scope.parameter(
      "weight", [outputs, kernel, kernel, inputs],
      initializer ?? .kaimingNormal(fan: inputs * kernel * kernel), layout: .convolution)
    bias = hasBias ? try scope.parameter("bias", [outputs], .zeros) : nil
    self.stride = stride
    self.padding = padding ?? kernel / 2
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: `[N, H, W, I]`.
  ///   - activation: What comes after it.
  ///   - statistics: What its product is to write beside its result, where it can.
  ///   - type: How the result is stored; nil: as x.
  /// - Returns: `[N, H', W', O]`.
  package func callAsFunction(
    _ x: Tensor, then activation: Activation? = nil, statistics: ColumnStatistics? = nil,
    storing type: ElementType? = nil
  ) throws -> Tensor {
    try x.convolution(
      weight: weight.value(as: x.elementType), bias: bias?.value, stride: stride, padding: padding,
      then: activation, statistics: statistics, storing: type)
  }
}
