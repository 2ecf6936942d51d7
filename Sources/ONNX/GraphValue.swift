/// A tensor of a graph under way: operators on it add nodes.
///
/// Numbers on one side of an operator take the type of the other.
package struct GraphValue {
  /// Its name in the graph.
  package let name: String
  /// Its elements.
  package let type: GraphElement
  /// The graph that it belongs to.
  package let graph: GraphBuilder

  package static func + (a: GraphValue, b: GraphValue) -> GraphValue { a.with("Add", b) }
  package static func - (a: GraphValue, b: GraphValue) -> GraphValue { a.with("Sub", b) }
  package static func * (a: GraphValue, b: GraphValue) -> GraphValue { a.with("Mul", b) }
  /// Of whole numbers the quotient rounded towards 0.
  package static func / (a: GraphValue, b: GraphValue) -> GraphValue { a.with("Div", b) }
  package static func + (a: GraphValue, b: Double) -> GraphValue { a + a.number(b) }
  package static func - (a: GraphValue, b: Double) -> GraphValue { a - a.number(b) }
  package static func * (a: GraphValue, b: Double) -> GraphValue { a * a.number(b) }
  package static func / (a: GraphValue, b: Double) -> GraphValue { a / a.number(b) }
  package static func - (a: Double, b: GraphValue) -> GraphValue { b.number(a) - b }

  /// Element by element the smaller of two.
  package func minimum(_ other: GraphValue) -> GraphValue { with("Min", other) }
  /// Element by element the larger of two.
  package func maximum(_ other: GraphValue) -> GraphValue { with("Max", other) }
  /// Whether elements are larger than another's.
  package func isGreater(than other: GraphValue) -> GraphValue {
    graph.node("Greater", [self, other], .bool)
  }
  /// Whether elements are at least as large as another's.
  package func isAtLeast(_ other: GraphValue) -> GraphValue {
    graph.node("GreaterOrEqual", [self, other], .bool)
  }
  /// Whether elements equal another's.
  package func equals(_ other: GraphValue) -> GraphValue {
    graph.node("Equal", [self, other], .bool)
  }
  /// Where both are true.
  package func and(_ other: GraphValue) -> GraphValue { graph.node("And", [self, other], .bool) }
  /// Elements of one value where this one is true, of another elsewhere.
  package func chosen(_ whenTrue: GraphValue, else whenFalse: GraphValue) -> GraphValue {
    graph.node("Where", [self, whenTrue, whenFalse], whenTrue.type)
  }

  /// A scalar of this value's type.
  package func number(_ value: Double) -> GraphValue { graph.constant([value], type, shape: []) }

  /// An operator that keeps the type: `Relu`, `Exp`, `Sqrt`, `Sigmoid`, `Erf`.
  package func mapped(_ operation: String) -> GraphValue { graph.node(operation, [self], type) }

  /// Element by element raised to a power.
  package func power(_ exponent: GraphValue) -> GraphValue { with("Pow", exponent) }

  /// Converted to another type; to whole numbers rounded towards 0.
  package func cast(to type: GraphElement) -> GraphValue {
    type == self.type
      ? self : graph.node("Cast", [self], type, ["to": .integer(type.rawValue)])
  }

  private func with(_ operation: String, _ other: GraphValue) -> GraphValue {
    graph.node(operation, [self, other], type)
  }
}

/// Shapes.
extension GraphValue {
  /// The lengths of all axes, a list.
  package var shape: GraphValue { graph.node("Shape", [self], .int64) }

  /// The length of an axis, a scalar.
  package func length(_ axis: Int) -> GraphValue {
    shape.gathered(graph.constant([Double(axis)], .int64, shape: []))
  }

  /// The same elements with other axes; -1 stands for what remains, 0 for the same length.
  package func reshaped(_ shape: [Int]) -> GraphValue {
    graph.node("Reshape", [self, graph.list(shape)], type)
  }

  /// The axes in another order.
  package func transposed(_ order: [Int]) -> GraphValue {
    graph.node("Transpose", [self], type, ["perm": .integers(order)])
  }

  /// Slices of an axis by their indices.
  package func gathered(_ indices: GraphValue, axis: Int = 0) -> GraphValue {
    graph.node("Gather", [self, indices], type, ["axis": .integer(axis)])
  }

  /// A part of an axis.
  package func sliced(_ axis: Int, _ range: Range<Int>) -> GraphValue {
    graph.node(
      "Slice",
      [
        self, graph.list([range.lowerBound]), graph.list([range.upperBound]), graph.list([axis]),
      ], type)
  }

  /// A place of an axis, which is left out.
  package func at(_ index: Int, axis: Int) -> GraphValue {
    gathered(graph.constant([Double(index)], .int64, shape: []), axis: axis)
  }

  /// With new axes of length 1, which stand at these places of the result.
  package func unsqueezed(_ axes: [Int]) -> GraphValue {
    graph.node("Unsqueeze", [self, graph.list(axes)], type)
  }

  /// Values behind one another.
  package static func concatenated(_ values: [GraphValue], axis: Int) -> GraphValue {
    values.count == 1
      ? values[0]
      : values[0].graph.node("Concat", values, values[0].type, ["axis": .integer(axis)])
  }

  /// Zeros around it.
  ///
  /// - Parameters:
  ///   - pads: Zeros before each axis, then behind each; a list.
  package func padded(_ pads: GraphValue) -> GraphValue {
    graph.node("Pad", [self, pads, number(0)], type, ["mode": .text("constant")])
  }

  /// 0, 1, 2, … before a scalar.
  package static func range(_ end: GraphValue) -> GraphValue {
    end.graph.node("Range", [end.number(0), end, end.number(1)], end.type)
  }

  /// The indices of what is true in a list.
  package var trueIndices: GraphValue {
    graph.node("NonZero", [self], .int64).reshaped([-1])
  }
}

/// Layers.
extension GraphValue {
  /// A convolution of maps `[N, C, H, W]`.
  package func convolution(
    _ weight: GraphValue, bias: GraphValue?, kernel: Int, stride: Int = 1
  ) -> GraphValue {
    graph.node(
      "Conv", [self, weight, bias], type,
      [
        "kernel_shape": .integers([kernel, kernel]), "strides": .integers([stride, stride]),
        "pads": .integers([Int](repeating: kernel / 2, count: 4)),
      ])
  }

  /// Rows `[n, inputs]` times the transpose of a weight `[outputs, inputs]`.
  package func linear(_ weight: GraphValue, bias: GraphValue?) -> GraphValue {
    graph.node("Gemm", [self, weight, bias], type, ["transB": .integer(1)])
  }

  /// The matrix product, over leading axes one by one.
  package func product(_ other: GraphValue) -> GraphValue { with("MatMul", other) }

  /// The exponentials of the last axis over their sum.
  package var softmax: GraphValue {
    graph.node("Softmax", [self], type, ["axis": .integer(-1)])
  }

  /// The largest of windows of maps.
  package func maximum(kernel: Int, stride: Int, padding: Int) -> GraphValue {
    graph.node(
      "MaxPool", [self], type,
      [
        "kernel_shape": .integers([kernel, kernel]), "strides": .integers([stride, stride]),
        "pads": .integers([Int](repeating: padding, count: 4)),
      ])
  }

  /// The best elements of the last axis by falling value, equal ones by rising index.
  ///
  /// - Parameters:
  ///   - count: How many, a list of one number; no more than there are.
  ///   - largest: Whether large is good.
  package func best(
    _ count: GraphValue, largest: Bool = true
  ) -> (values: GraphValue, indices: GraphValue) {
    let results = graph.node(
      "TopK", [self, count], results: [type, .int64],
      ["axis": .integer(-1), "largest": .integer(largest ? 1 : 0), "sorted": .integer(1)])
    return (results[0], results[1])
  }
}
