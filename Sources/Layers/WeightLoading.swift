import Checkpoints
import Formats

extension ParameterStore {
  /// Where the values of a parameter stand.
  enum Place {
    /// It keeps its values and counts as missing.
    case missing
    /// It keeps its values and nobody asks why.
    case skipped
    /// In the tensor of this name.
    case tensor(String)
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
  package func load(
    from source: any WeightSource, rename: (String) -> String? = { $0 }
  ) throws -> WeightReport {
    try load(source) { name in
      guard let name = rename(name) else { return .skipped }
      return source.shape(of: name) == nil ? .missing : .tensor(name)
    }
  }

  /// Overwrites parameters; one tensor at a time is in memory besides the mapped file.
  func load(_ source: any WeightSource, place: (String) -> Place) throws -> WeightReport {
    var report = WeightReport(path: source.path)
    var used: Set<String> = []
    for parameter in parameters {
      switch place(parameter.name) {
      case .skipped: break
      case .missing: report.missing.append(parameter.name)
      case .tensor(let name):
        let shape = source.shape(of: name) ?? []
        let wanted = parameter.layout.fileShape(parameter.value.shape)
        // A matrix is a convolution of 1x1, a number a list of one.
        guard shape == wanted || Self.squeezed(shape) == Self.squeezed(wanted) else {
          throw CheckpointError.tensor(
            path: source.path, name: name,
            reason: "has shape \(shape), the model needs \(wanted)"
              + (name == parameter.name ? "" : " for \"\(parameter.name)\"")
              + "; use the configuration that the file was written with")
        }
        if shape != wanted { report.reshaped.append(parameter.name) }
        try StoredFloats.read(name, of: source) { try parameter.overwrite(withStored: $0) }
        used.insert(name)
        report.matched.append(parameter.name)
      }
    }
    report.unused = source.names.filter { !used.contains($0) }
    return report
  }

  /// A shape without axes of length 1 at its end.
  private static func squeezed(_ shape: [Int]) -> [Int] {
    Array(shape.prefix((shape.lastIndex { $0 != 1 } ?? -1) + 1))
  }
}

/// What happened when weights were loaded.
package struct WeightReport: Sendable {
  /// The weight file.
  package let path: String
  /// Whose names it has, in words; empty for our own checkpoints.
  package var names = ""
  /// Parameters that were found.
  package var matched: [String] = []
  /// Parameters that the file does not hold; they keep their start values.
  package var missing: [String] = []
  /// Tensors of the file that no parameter wanted.
  package var unused: [String] = []
  /// Parameters that were found with another number of axes of length 1.
  package var reshaped: [String] = []

  package init(path: String) { self.path = path }

  /// One line with the counts and the first names.
  package var summary: String {
    func list(_ names: [String]) -> String {
      names.isEmpty
        ? "" : " (\(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", …" : ""))"
    }
    let origin = names.isEmpty ? "" : "\(names): "
    let turned = reshaped.isEmpty ? "" : ", \(reshaped.count) reshaped\(list(reshaped))"
    return "\(path): \(origin)\(matched.count, "tensor") loaded, \(missing.count) missing"
      + "\(list(missing)), \(unused.count) unused\(list(unused))\(turned)"
  }
}
