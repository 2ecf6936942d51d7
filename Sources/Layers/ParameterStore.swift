import Checkpoints
import Tensors

/// All parameters of a model, in the order of their creation.
///
/// Layers take a ``ParameterScope`` and create their parameters in it; the store then loads, saves
/// and hands them to the optimizer by name.
package final class ParameterStore {
  /// Where the parameters live.
  package let stream: ComputeStream
  /// Rebuilds the same start values.
  package let seed: UInt64
  /// All parameters in the order of their creation.
  package private(set) var parameters: [Parameter] = []
  /// What layers in mode ``NormMode/batch`` share their statistics by; nil where they have their own.
  package var statistics: (any StatisticsExchange)?
  private var byName: [String: Parameter] = [:]
  /// Parameters whose start values would be overwritten at once, and so are not drawn.
  private let isSupplied: (String) -> Bool

  package init(
    stream: ComputeStream, seed: UInt64, isSupplied: @escaping (String) -> Bool = { _ in false }
  ) {
    self.stream = stream
    self.seed = seed
    self.isSupplied = isSupplied
  }

  /// The scope of the whole model.
  package var root: ParameterScope { ParameterScope(store: self, path: "", isFrozen: false) }

  /// The parameters that the optimizer changes.
  package var trained: [Parameter] { parameters.filter { $0.role == .trained } }

  /// A parameter by its dotted path, or nil.
  package subscript(name: String) -> Parameter? { byName[name] }

  /// The start values of a parameter on the device.
  func start(
    _ name: String, _ shape: [Int], _ initializer: Initializer, label: String
  ) throws -> Tensor {
    if isSupplied(name) { return try Tensor(uninitialized: shape, on: stream, label: label) }
    return try Tensor(
      initializer.values(count: shape.reduce(1, *), seed: seed, name: name), shape: shape,
      on: stream, label: label)
  }

  func add(_ parameter: Parameter) {
    precondition(byName[parameter.name] == nil, "two parameters are called \(parameter.name)")
    parameters.append(parameter)
    byName[parameter.name] = parameter
  }

  /// Copies all parameters to the host, in a weight file's layout.
  ///
  /// - Returns: Names and tensors for `SafeTensors.write`.
  package func state() throws -> [(name: String, tensor: HostTensor)] {
    try parameters.map { parameter in
      let shape = parameter.value.shape
      let values = parameter.layout.toFile(try parameter.value.floats(), shape: shape)
      return (
        parameter.name,
        HostTensor(
          name: parameter.name, shape: parameter.layout.fileShape(shape), floats: values)
      )
    }
  }
}

/// A place in the tree of parameter names.
package struct ParameterScope {
  /// The store that parameters are created in.
  package let store: ParameterStore
  /// The dotted path; empty at the root.
  package let path: String
  /// Whether parameters created here are frozen.
  package let isFrozen: Bool

  /// Where the parameters live.
  package var stream: ComputeStream { store.stream }

  /// A scope below this one.
  ///
  /// - Parameters:
  ///   - scope: The upper scope.
  ///   - name: The next part of the path.
  package static func / (scope: ParameterScope, name: String) -> ParameterScope {
    ParameterScope(store: scope.store, path: scope.join(name), isFrozen: scope.isFrozen)
  }

  /// The same place with all parameters created below it frozen.
  ///
  /// - Parameter frozen: Whether to freeze.
  package func frozen(_ frozen: Bool = true) -> ParameterScope {
    ParameterScope(store: store, path: path, isFrozen: isFrozen || frozen)
  }

  private func join(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Creates a parameter.
  ///
  /// - Parameters:
  ///   - name: The last part of its path.
  ///   - shape: Shape on the device.
  ///   - initializer: How it starts.
  ///   - layout: How it stands in a weight file.
  ///   - role: What happens to it; `.trained` becomes `.frozen` in a frozen scope.
  package func parameter(
    _ name: String, _ shape: [Int], _ initializer: Initializer, layout: ParameterLayout = .plain,
    role: Parameter.Role = .trained
  ) throws -> Parameter {
    let full = join(name)
    let role = role == .trained && isFrozen ? .frozen : role
    let value = try store.start(
      full, shape, initializer, label: role == .buffer ? "statistics" : "parameters")
    let parameter = Parameter(name: full, role: role, layout: layout, value: value)
    store.add(parameter)
    return parameter
  }
}
