import OpenCL

/// What comes after a linear layer: a part of the product on devices with work-groups, an operator of
/// its own on CPUs.
package enum LinearEnding {
  /// The layer's result is added to a tensor of its shape, stored like it.
  case addedTo(Tensor)
  /// The activation of the layer's result.
  case activated(Activation)

  /// The tensor that the result is added to.
  var residual: Tensor? { if case .addedTo(let residual) = self { residual } else { nil } }

  /// The activation of the result.
  var activation: Activation? {
    if case .activated(let activation) = self { activation } else { nil }
  }

  /// The ending by operators of their own.
  func applied(to result: Tensor) throws -> Tensor {
    switch self {
    case .addedTo(let residual): try residual.adding(result)
    case .activated(let activation): try result.activated(by: activation)
    }
  }
}

/// A linear layer's ending in its product.
struct LinearEpilogue {
  let matrix: MatrixEpilogue
  /// What the activation is applied to, where its gradient needs that.
  let input: Tensor?

  /// - Parameters:
  ///   - ending: The ending.
  ///   - shape: The shape of the layer's result.
  ///   - x: The layer's input, stored like the result.
  ///   - hasGradient: Whether the layer's result needs a gradient.
  init(_ ending: LinearEnding, of shape: [Int], for x: Tensor, hasGradient: Bool) throws {
    switch ending {
    case .addedTo(let residual):
      precondition(
        residual.shape == shape && residual.elementType == x.elementType,
        "linear layer: \(shape) added to \(residual.elementType) \(residual.shape)")
      matrix = MatrixEpilogue(kind: .residual, aside: residual.buffer)
      input = nil
    case .activated(let activation):
      let isKept = hasGradient && x.stream.recordsGradients && activation != .relu
      input =
        isKept
        ? try Tensor(
          uninitialized: shape, on: x.stream, elementType: x.elementType, label: "linear layer")
        : nil
      matrix = MatrixEpilogue(kind: .init(activation), aside: input?.buffer)
    }
  }
}
