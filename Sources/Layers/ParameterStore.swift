import Checkpoints
import Tensors

/// All parameters of a model, in the order of their creation.
///
/// Layers take a ``ParameterScope`` and create their parameters in it; the store then loads, saves
/// and hands them to the optimizer by name.
public final class ParameterStore {
  /// Where the parameters live.
  public let stream: ComputeStream
  /// Rebuilds the same start values.
  public let seed: UInt64
  /// All parameters in the order of their creation.
  public private(set) var parameters: [Parameter] = []
  private var byName: [String: Parameter] = [:]

  /// Creates an empty store.
  ///
  /// - Parameters:
  ///   - stream: Where the parameters live.
  ///   - seed: Rebuilds the same start values.
  public init(stream: ComputeStream, seed: UInt64) {
    self.stream = stream
    self.seed = seed
  }

  /// The scope of the whole model.
  public var root: ParameterScope { ParameterScope(store: self, path: "", isFrozen: false) }

  /// The parameters that the optimizer changes.
  public var trained: [Parameter] { parameters.filter { $0.role == .trained } }

  /// A parameter by its dotted path, or nil.
  public subscript(name: String) -> Parameter? { byName[name] }

  func add(_ parameter: Parameter) {
    precondition(byName[parameter.name] == nil, "two parameters are called \(parameter.name)")
    parameters.append(parameter)
    byName[parameter.name] = parameter
  }

  /// Overwrites parameters with the tensors of a weight file.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - rename: The name in the file of a parameter's name; nil skips the parameter.
  /// - Returns: What was matched, missing and unused.
  /// - Throws: `CheckpointError` when a shape differs, a value is not finite or the file is damaged;
  ///   `OpenCLError` when the device fails.
  @discardableResult
  public func load(
    from source: any WeightSource, rename: (String) -> String? = { $0 }
  ) throws -> LoadReport {
    var report = LoadReport(path: source.path)
    var used: Set<String> = []
    for parameter in parameters {
      guard let name = rename(parameter.name) else { continue }
      guard let shape = source.shape(of: name) else {
        report.missing.append(parameter.name)
        continue
      }
      let wanted = parameter.layout.fileShape(parameter.value.shape)
      guard shape == wanted else {
        throw CheckpointError.tensor(
          path: source.path, name: name,
          reason: "has shape \(shape), the model needs \(wanted); use the configuration that "
            + "the file was written with")
      }
      let values = try source.tensor(named: name).floats()
      guard values.allSatisfy(\.isFinite) else {
        throw CheckpointError.tensor(
          path: source.path, name: name, reason: "holds a value that is not a finite number")
      }
      try parameter.overwrite(
        with: parameter.layout.fromFile(values, shape: parameter.value.shape))
      used.insert(name)
      report.matched.append(parameter.name)
    }
    report.unused = source.names.filter { !used.contains($0) }
    return report
  }

  /// Copies all parameters to the host, in a weight file's layout.
  ///
  /// - Returns: Names and tensors for `SafeTensors.write`.
  /// - Throws: `OpenCLError` when the device fails.
  public func state() throws -> [(name: String, tensor: HostTensor)] {
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

/// What happened when weights were loaded.
public struct LoadReport: Sendable {
  /// The weight file.
  public let path: String
  /// Parameters that were found.
  public var matched: [String] = []
  /// Parameters that the file does not hold; they keep their start values.
  public var missing: [String] = []
  /// Tensors of the file that no parameter wanted.
  public var unused: [String] = []

  /// One line with the three counts and the first names.
  public var summary: String {
    func list(_ names: [String]) -> String {
      names.isEmpty
        ? "" : " (\(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", …" : ""))"
    }
    return "\(path): \(matched.count) tensors loaded, \(missing.count) missing\(list(missing)), "
      + "\(unused.count) unused\(list(unused))"
  }
}

/// A place in the tree of parameter names.
public struct ParameterScope {
  /// The store that parameters are created in.
  public let store: ParameterStore
  /// The dotted path; empty at the root.
  public let path: String
  /// Whether parameters created here are frozen.
  public let isFrozen: Bool

  /// Where the parameters live.
  public var stream: ComputeStream { store.stream }

  /// A scope below this one.
  ///
  /// - Parameters:
  ///   - scope: The upper scope.
  ///   - name: The next part of the path.
  /// - Returns: The lower scope.
  public static func / (scope: ParameterScope, name: String) -> ParameterScope {
    ParameterScope(store: scope.store, path: scope.join(name), isFrozen: scope.isFrozen)
  }

  /// The same place with all parameters created below it frozen.
  ///
  /// - Parameter frozen: Whether to freeze.
  /// - Returns: The scope.
  public func frozen(_ frozen: Bool = true) -> ParameterScope {
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
  /// - Returns: The parameter.
  /// - Throws: `OpenCLError` when memory runs out.
  public func parameter(
    _ name: String, _ shape: [Int], _ initializer: Initializer, layout: ParameterLayout = .plain,
    role: Parameter.Role = .trained
  ) throws -> Parameter {
    let full = join(name)
    let count = shape.reduce(1, *)
    let role = role == .trained && isFrozen ? .frozen : role
    let value = try Tensor(
      initializer.values(count: count, seed: store.seed, name: full), shape: shape,
      on: store.stream, label: role == .buffer ? "statistics" : "parameters")
    let parameter = Parameter(name: full, role: role, layout: layout, value: value)
    store.add(parameter)
    return parameter
  }
}
