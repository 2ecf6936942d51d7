import Checkpoints
import Formats

/// A file that a detector starts from, whatever program's names it has.
package struct StartWeights: Sendable {
  /// How the file's tensors are named.
  package let map: DetectorNameMap
  /// The file's path.
  package var path: String { source.path }
  private let source: any WeightSource

  /// Opens a file and tells whose names it has.
  ///
  /// - Parameter path: The weights of a detector or of a ResNet.
  /// - Throws: `CheckpointError` when the file is missing, damaged, or holds no ResNet by any known
  ///   name.
  package init(path: String) throws {
    source = try openWeights(path: path)
    guard let map = DetectorNameMap(source) else {
      let kind =
        WeightZoo.of(source)?.isCLIP == true
        ? "is a CLIP model and no detector: clip.folder takes it"
        : "holds no ResNet by our names, MMDetection's, torchvision's or detectron2's; its "
          + "\(source.names.count, "tensor") "
          + "\(source.names.count.verb("has a name", "have names")) like "
          + "\"\(source.names.first ?? "")\""
      throw CheckpointError.file(path: path, reason: kind)
    }
    self.map = map
  }

  /// The tensor for a parameter.
  ///
  /// - Parameter parameter: The parameter's name.
  /// - Returns: The name in the file, or nil when the file does not hold it.
  package func name(of parameter: String) -> String? {
    map.names(for: parameter).first { source.shape(of: $0) != nil }
  }

  /// The shape of a parameter as the file has it.
  ///
  /// - Parameter parameter: The parameter's name.
  /// - Returns: The sizes, outputs first; nil when the file does not hold it.
  package func shape(of parameter: String) -> [Int]? {
    name(of: parameter).flatMap { source.shape(of: $0) }
  }

  /// Overwrites the parameters that the file holds.
  ///
  /// - Parameter store: The detector's parameters.
  /// - Returns: What was matched, missing and unused.
  /// - Throws: `CheckpointError` when the backbone is not there as a whole, a shape differs, a value is
  ///   not finite or the file is damaged; `OpenCLError` when the device fails.
  package func load(into store: ParameterStore) throws -> WeightReport {
    for parameter in store.parameters where parameter.name.hasPrefix("backbone.") {
      guard name(of: parameter.name) == nil else { continue }
      throw CheckpointError.missingTensor(
        path: source.path, name: map.names(for: parameter.name).first ?? parameter.name,
        remedy: "a start needs the backbone as a whole; use weights of this depth and width")
    }
    var report = try store.load(source) { parameter in
      name(of: parameter).map { .tensor($0) } ?? .missing
    }
    report.names = map.title
    report.unused.removeAll(where: DetectorNameMap.isCounter)
    return report
  }
}
