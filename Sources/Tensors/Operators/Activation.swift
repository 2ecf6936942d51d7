/// What is applied to each element between two layers.
package enum Activation: Sendable {
  /// See ``Tensor/quickGELU()``.
  case quickGELU
  /// See ``Tensor/gelu()``.
  case gelu
  /// See ``Tensor/relu()``.
  case relu
}

/// How an activation made a tensor, for products that take the gradient through it as they write the
/// gradient of the tensor: the last one of them, which adds to what the others have written.
final class ActivationStep {
  let activation: Activation
  /// What the activation was applied to; of ReLU the result, which says as much.
  let kept: Tensor
  /// What made that.
  let input: GradientNode
  /// Products that have not passed their gradients on.
  private var products = 0

  init(activation: Activation, kept: Tensor, input: GradientNode) {
    (self.activation, self.kept, self.input) = (activation, kept, input)
  }

  /// The end of a product that is the gradient of the activation's result.
  var epilogue: MatrixEpilogue {
    MatrixEpilogue(kind: .init(gradientOf: activation), aside: kept.buffer)
  }

  fileprivate func willBeMultiplied() { products += 1 }

  /// Whether no other product is left whose gradient has to pass the activation.
  fileprivate func isLastProduct() -> Bool {
    products -= 1
    return products == 0
  }
}

extension Tensor {
  /// max(x, 0); its gradient at 0 is 0.
  package func relu() throws -> Tensor { try activated(by: .relu) }

  /// x * sigmoid(1.702 x), the activation of the released CLIP models.
  package func quickGELU() throws -> Tensor { try activated(by: .quickGELU) }

  /// x times the integral of the standard normal distribution up to x, the activation of CLIP models
  /// trained with OpenCLIP.
  package func gelu() throws -> Tensor { try activated(by: .gelu) }

  func activated(by activation: Activation) throws -> Tensor {
    let result =
      switch activation {
      case .quickGELU:
        try elementwise("pointwise_quick_gelu_forward", operations: 20, label: "GELU")
      case .gelu: try elementwise("pointwise_gelu_forward", operations: 45, label: "GELU")
      case .relu: try elementwise("pointwise_relu_forward", operations: 1, label: "relu")
      }
    return result.following(self, by: activation, keeping: activation == .relu ? result : self)
  }

  /// This tensor as an activation of another one.
  ///
  /// - Parameters:
  ///   - input: What the activation was applied to; its values need not be there.
  ///   - activation: The activation.
  ///   - kept: ``ActivationStep/kept``.
  func following(
    _ input: Tensor, by activation: Activation, keeping kept: Tensor
  ) -> Tensor {
    let kept = kept.detached()
    let result = differentiable(from: [input], "\(activation)") {
      [try kept.activationGradient(activation, times: $0)]
    }
    // A CPU's products have no epilogues.
    if stream.family != .cpu, let before = input.node, let node = result.node {
      node.activation = ActivationStep(activation: activation, kept: kept, input: before)
    }
    return result
  }

  /// What a product of this tensor is differentiated with respect to: the tensor, and what an activation
  /// was applied to that made it.
  ///
  /// ``inputGradients(_:)`` gives a gradient of one of them.
  func operands() -> [Tensor] {
    guard let step = node?.activation else { return [self] }
    if stream.recordsGradients { step.willBeMultiplied() }
    return [
      self,
      Tensor(
        shape: shape, elementType: elementType, buffer: buffer, stream: stream, node: step.input),
    ]
  }

  /// The gradients of ``operands()``.
  ///
  /// - Parameter product: The gradient of this tensor: added to what it has collected, where there is a
  ///   sum, and with an end that takes it through the activation, where there is one.
  /// - Returns: One for each operand, nil but for one.
  func inputGradients(
    _ product: (_ sum: Tensor?, _ epilogue: MatrixEpilogue?) throws -> Tensor
  ) throws -> [Tensor?] {
    let step = node?.activation
    let isLast = step?.isLastProduct() ?? false
    let gradient = try product(takenGradientOfProducts(), isLast ? step?.epilogue : nil)
    guard let step else { return [gradient] }
    return isLast ? [nil, gradient.reshaped(step.kept.shape)] : [gradient, nil]
  }

  /// The same by an operator of its own, where a product cannot take it through: nil gives `gradient`.
  func throughActivation(_ epilogue: MatrixEpilogue?, _ gradient: Tensor) throws -> Tensor {
    guard epilogue != nil, let step = node?.activation else { return gradient }
    return try step.kept.activationGradient(step.activation, times: gradient)
  }

  /// The gradient of what an activation is applied to, from that of its result; this tensor is
  /// ``ActivationStep/kept``.
  func activationGradient(_ activation: Activation, times gradient: Tensor) throws -> Tensor {
    switch activation {
    case .quickGELU:
      try elementwise(
        "pointwise_quick_gelu_backward", with: gradient, operations: 25, label: "gradient")
    case .gelu:
      try elementwise("pointwise_gelu_backward", with: gradient, operations: 65, label: "gradient")
    case .relu: try elementwise("pointwise_relu_backward", with: gradient, label: "gradient")
    }
  }
}
