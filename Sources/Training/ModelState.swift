import Checkpoints
import Formats
import Foundation
import Layers
import Tensors

/// A model with the moments of its update, as a checkpoint holds them.
///
/// This is what every kind of training saves; a kind adds tensors and fields of its own.
enum ModelState {
  static let modelFile = "model.safetensors"
  static let stateFile = "state.safetensors"
  static let indexFile = "state.json"

  /// Increased when a file could no longer be read by an older program.
  private static let format = 1

  /// What was read back.
  struct Restored {
    let iteration: Int
    let index: JSONValue
    let indexPath: String
    let state: any WeightSource
  }

  /// The optimizer's tensors by the names that they get in a file.
  private static func moments(of update: ParameterUpdate) -> [(name: String, value: Tensor)] {
    update.momentum.map { ("momentum.\($0.key)", $0.value) }
      + update.secondMoment.map { ("second_moment.\($0.key)", $0.value) }
      + (update.lossScale.map { [(LossScaling.name, $0)] } ?? [])
  }

  /// Writes a checkpoint into an existing folder, which the caller renames into place.
  static func save(
    to folder: String, store: ParameterStore, update: ParameterUpdate, iteration: Int,
    tensors extra: [(name: String, tensor: HostTensor)] = [], fields: [String: JSONValue] = [:]
  ) throws {
    try SafeTensors.write(
      tensors: try store.state(), metadata: ["format": "pt"], to: "\(folder)/\(modelFile)")
    let tensors = try moments(of: update).map { name, value in
      (name, HostTensor(shape: value.shape, floats: try value.floats()))
    }
    try SafeTensors.write(tensors: tensors + extra, to: "\(folder)/\(stateFile)")
    let index = fields.merging(
      ["format": .number(Double(format)), "iteration": .number(Double(iteration))]
    ) { $1 }
    try AtomicFile.write(
      Data(JSONValue.object(index).text(pretty: true).utf8), to: "\(folder)/\(indexFile)")
  }

  /// Reads a checkpoint back into a model and its update.
  static func restore(
    _ folder: String, store: ParameterStore, update: ParameterUpdate
  ) throws -> Restored {
    let indexPath = "\(folder)/\(indexFile)"
    let index = try JSONValue(contentsOf: indexPath)
    guard index["format"]?.integer == format, let iteration = index["iteration"]?.integer,
      iteration >= 0
    else {
      throw FormatError(
        indexPath,
        "is not a training state of this version; start a new run or take another "
          + "checkpoint")
    }
    let report = try store.load(from: try openWeights(path: "\(folder)/\(modelFile)"))
    if let missing = report.missing.first {
      throw CheckpointError.missingTensor(
        path: report.path, name: missing,
        remedy: "the run's configuration has changed; resume with the config.yaml of the run")
    }
    let state = try openWeights(path: "\(folder)/\(stateFile)")
    for (name, value) in moments(of: update) {
      let shape = state.shape(of: name)
      guard shape == nil || shape == value.shape else {
        throw CheckpointError.tensor(
          path: state.path, name: name,
          reason: "has shape \(shape ?? []), the model needs \(value.shape)")
      }
      try StoredFloats.read(name, of: state) { try value.overwrite(withBytes: $0) }
    }
    return Restored(iteration: iteration, index: index, indexPath: indexPath, state: state)
  }

  /// The numbers of a tensor of a state.
  static func finite(_ tensor: HostTensor, in state: any WeightSource) throws -> [Float] {
    guard tensor.type.isFloatingPoint else {
      throw CheckpointError.tensor(
        path: state.path, name: tensor.name,
        reason: "holds \(tensor.type.rawValue) where floating-point numbers are needed")
    }
    let values = try tensor.floats()
    guard values.allSatisfy(\.isFinite) else {
      throw CheckpointError.tensor(
        path: state.path, name: tensor.name,
        reason: "holds a value that is not a finite number; take another checkpoint")
    }
    return values
  }
}
