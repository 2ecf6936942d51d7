/// A setting of a node that is fixed when the graph is made.
package enum NodeAttribute: Sendable {
  case integer(Int)
  case float(Float)
  case integers([Int])
  case text(String)
}

/// Makes an ONNX graph node by node, in the order in which they run.
///
/// Nodes and values are named after the ``scope`` in which they are made and counted in it.
/// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, operator set 17.
package final class GraphBuilder {
  /// The version of the operators that the graph uses.
  package static let operatorSet = 17
  /// The version of the file format that came with it.
  private static let formatVersion = 8

  /// What names begin with; a path with slashes.
  package private(set) var scope = ""
  private var graph = WireMessage()
  private var counts: [String: Int] = [:]
  private var constants: [String: GraphValue] = [:]
  private let name: String

  /// Begins a graph.
  ///
  /// - Parameter name: The graph's name.
  package init(name: String) { self.name = name }

  /// Runs `body` with a further part of the scope.
  ///
  /// - Parameters:
  ///   - part: The part.
  ///   - body: Makes nodes.
  package func scoped<Result>(_ part: String, _ body: () throws -> Result) rethrows -> Result {
    let outer = scope
    scope = outer.isEmpty ? part : "\(outer)/\(part)"
    defer { scope = outer }
    return try body()
  }

  /// A tensor that the user supplies.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - type: Its elements.
  ///   - axes: Its axes, a length or a name for a length that may vary.
  package func input(_ name: String, _ type: GraphElement, axes: [GraphAxis]) -> GraphValue {
    graph.add(11, message: Self.valueInfo(name, type, axes))
    return GraphValue(name: name, type: type, graph: self)
  }

  /// Makes a value a result of the graph.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - name: What the user calls it.
  ///   - axes: Its axes.
  package func output(_ value: GraphValue, as name: String, axes: [GraphAxis]) {
    var node = WireMessage()
    node.add(1, text: value.name)
    node.add(2, text: name)
    node.add(3, text: "output/\(name)")
    node.add(4, text: "Identity")
    graph.add(1, message: node)
    graph.add(12, message: Self.valueInfo(name, value.type, axes))
  }

  /// A tensor of fixed numbers.
  ///
  /// - Parameters:
  ///   - name: Its name in the graph, once.
  ///   - type: Its elements.
  ///   - shape: The lengths of its axes.
  ///   - bytes: The elements, little-endian, row-major.
  package func initializer(
    _ name: String, _ type: GraphElement, shape: [Int], bytes: [UInt8]
  ) -> GraphValue {
    var tensor = WireMessage()
    tensor.add(1, integers: shape)
    tensor.add(2, integer: type.rawValue)
    tensor.add(8, text: name)
    tensor.add(9, bytes: bytes)
    graph.add(5, message: tensor)
    return GraphValue(name: name, type: type, graph: self)
  }

  /// A few fixed numbers; equal ones are stored once.
  ///
  /// - Parameters:
  ///   - values: The numbers.
  ///   - type: Their type.
  ///   - shape: The lengths of the axes; nil makes a list, `[]` a scalar.
  package func constant(
    _ values: [Double], _ type: GraphElement, shape: [Int]? = nil
  ) -> GraphValue {
    let shape = shape ?? [values.count]
    let key = "\(type) \(shape) \(values)"
    if let known = constants[key] { return known }
    let value = initializer(
      "constant/\(constants.count)", type, shape: shape, bytes: type.bytes(of: values))
    constants[key] = value
    return value
  }

  /// Whole numbers that an operator takes as sizes or indices.
  ///
  /// - Parameter integers: The numbers, as a list.
  package func list(_ integers: [Int]) -> GraphValue { constant(integers.map(Double.init), .int64) }

  /// Adds a node with one result.
  ///
  /// - Parameters:
  ///   - operation: The operator's name.
  ///   - inputs: Its inputs in order; nil leaves an optional one out.
  ///   - type: The type of the result.
  ///   - attributes: Its settings.
  package func node(
    _ operation: String, _ inputs: [GraphValue?], _ type: GraphElement,
    _ attributes: KeyValuePairs<String, NodeAttribute> = [:]
  ) -> GraphValue {
    node(operation, inputs, results: [type], attributes)[0]
  }

  /// Adds a node with several results.
  ///
  /// - Parameters:
  ///   - operation: The operator's name.
  ///   - inputs: Its inputs in order; nil leaves an optional one out.
  ///   - results: The types of the results.
  ///   - attributes: Its settings.
  package func node(
    _ operation: String, _ inputs: [GraphValue?], results: [GraphElement],
    _ attributes: KeyValuePairs<String, NodeAttribute> = [:]
  ) -> [GraphValue] {
    let place = scope.isEmpty ? operation : "\(scope)/\(operation)"
    counts[place, default: 0] += 1
    let name = "\(place)_\(counts[place, default: 0])"
    let values = results.enumerated().map { index, type in
      GraphValue(name: index == 0 ? name : "\(name):\(index)", type: type, graph: self)
    }
    var node = WireMessage()
    // Only what stands between others needs a name for being left out.
    let last = inputs.lastIndex { $0 != nil } ?? -1
    for input in inputs.prefix(last + 1) { node.add(1, text: input?.name ?? "") }
    for value in values { node.add(2, text: value.name) }
    node.add(3, text: name)
    node.add(4, text: operation)
    for (key, attribute) in attributes { node.add(5, message: Self.attribute(key, attribute)) }
    graph.add(1, message: node)
    return values
  }

  /// The whole file.
  ///
  /// - Parameters:
  ///   - producer: The program's name.
  ///   - description: What the graph does, for people.
  ///   - metadata: Facts for programs.
  package func model(
    producer: String, description: String, metadata: KeyValuePairs<String, String>
  ) -> WireMessage {
    var graph = graph
    graph.add(2, text: name)
    var operators = WireMessage()
    operators.add(1, text: "")
    operators.add(2, integer: Self.operatorSet)
    var model = WireMessage()
    model.add(1, integer: Self.formatVersion)
    model.add(2, text: producer)
    model.add(6, text: description)
    model.add(7, message: graph)
    model.add(8, message: operators)
    for (key, value) in metadata {
      var entry = WireMessage()
      entry.add(1, text: key)
      entry.add(2, text: value)
      model.add(14, message: entry)
    }
    return model
  }

  private static func attribute(_ name: String, _ value: NodeAttribute) -> WireMessage {
    var message = WireMessage()
    message.add(1, text: name)
    switch value {
    case .float(let number):
      message.add(2, float: number)
      message.add(20, integer: 1)
    case .integer(let number):
      message.add(3, integer: number)
      message.add(20, integer: 2)
    case .text(let text):
      message.add(4, text: text)
      message.add(20, integer: 3)
    case .integers(let numbers):
      message.add(8, integers: numbers)
      message.add(20, integer: 7)
    }
    return message
  }

  private static func valueInfo(
    _ name: String, _ type: GraphElement, _ axes: [GraphAxis]
  ) -> WireMessage {
    var shape = WireMessage()
    for axis in axes {
      var dimension = WireMessage()
      switch axis {
      case .length(let length): dimension.add(1, integer: length)
      case .named(let name): dimension.add(2, text: name)
      }
      shape.add(1, message: dimension)
    }
    var tensor = WireMessage()
    tensor.add(1, integer: type.rawValue)
    tensor.add(2, message: shape)
    var kind = WireMessage()
    kind.add(1, message: tensor)
    var info = WireMessage()
    info.add(1, text: name)
    info.add(2, message: kind)
    return info
  }
}

/// An axis of an input or a result.
package enum GraphAxis: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  /// Always of this length.
  case length(Int)
  /// Of a length that may vary.
  case named(String)

  package init(integerLiteral value: Int) { self = .length(value) }
  package init(stringLiteral value: String) { self = .named(value) }
}
