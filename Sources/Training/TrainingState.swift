import Baron
import Checkpoints
import Detection
import Formats
import Foundation
import Layers
import Tensors

/// What a run needs besides its configuration to go on bit for bit: parameters, momentum, queues,
/// box cache and the number of the next step (spec training 4.8).
public struct TrainingState {
  /// The next step.
  public let iteration: Int

  /// File names inside a checkpoint folder.
  public static let modelFile = "model.safetensors"
  static let stateFile = "state.safetensors"
  static let indexFile = "state.json"

  private static let format = 1

  /// The queues by the name that their tensors get.
  private static var queues: [(String, WritableKeyPath<BagAlignment.Queues, EmbeddingQueue>)] {
    [
      ("student_bags", \.studentBags), ("teacher_bags", \.teacherBags),
      ("student_regions", \.studentRegions), ("teacher_regions", \.teacherRegions),
    ]
  }

  /// The optimizer's tensors by the names that they get in a file.
  private static func moments(of step: TrainingStep) -> [(name: String, value: Tensor)] {
    step.momentum.map { ("momentum.\($0.key)", $0.value) }
      + step.secondMoment.map { ("second_moment.\($0.key)", $0.value) }
  }

  /// Writes a checkpoint into a folder.
  ///
  /// - Parameters:
  ///   - folder: An existing folder, renamed into place by the caller once this returns.
  ///   - step: The step whose state is written.
  ///   - iteration: The next step.
  /// - Throws: `CheckpointError` or `FormatError` when the disk is full; `OpenCLError`.
  public static func save(to folder: String, step: TrainingStep, iteration: Int) throws {
    try SafeTensors.write(
      tensors: try step.model.store.state(), metadata: ["format": "pt"],
      to: "\(folder)/\(modelFile)")
    var tensors: [(name: String, tensor: HostTensor)] = []
    for (name, value) in moments(of: step) {
      tensors.append((name, HostTensor(shape: value.shape, floats: try value.floats())))
    }
    var index: [String: JSONValue] = [
      "format": .number(Double(format)), "iteration": .number(Double(iteration)),
    ]
    if let distillation = step.distillation {
      var rowCounts: [String: JSONValue] = [:]
      for (name, path) in queues {
        let queue = distillation.alignment.queues[keyPath: path]
        rowCounts[name] = .number(Double(queue.images.count))
        guard let rows = queue.rows else { continue }
        tensors.append(
          ("queue.\(name).rows", HostTensor(shape: rows.shape, floats: try rows.floats())))
        tensors.append(
          (
            "queue.\(name).images",
            HostTensor(shape: [queue.images.count], integers: queue.images)
          ))
      }
      index["queue_rows"] = .object(rowCounts)
      if let cache = distillation.cache {
        index["cache_calls"] = .number(Double(cache.callCount))
        tensors += table(of: cache)
      }
    }
    try SafeTensors.write(tensors: tensors, to: "\(folder)/\(stateFile)")
    try AtomicFile.write(
      Data(JSONValue.object(index).text(pretty: true).utf8), to: "\(folder)/\(indexFile)")
  }

  /// The cache as rows of corners and score, with the image of each row.
  private static func table(of cache: BoxCache) -> [(name: String, tensor: HostTensor)] {
    let entries = cache.entries.sorted { $0.key < $1.key }
    let rows = entries.flatMap { entry in
      entry.value.flatMap { [$0.box.x1, $0.box.y1, $0.box.x2, $0.box.y2, $0.score] }
    }
    let images = entries.flatMap { [Int32](repeating: $0.key, count: $0.value.count) }
    return [
      ("cache.rows", HostTensor(shape: [images.count, 5], floats: rows)),
      ("cache.images", HostTensor(shape: [images.count], integers: images)),
    ]
  }

  /// Reads a checkpoint back into a step.
  ///
  /// - Parameters:
  ///   - folder: The checkpoint folder.
  ///   - step: A step of the same configuration; overwritten.
  /// - Throws: `CheckpointError` or `FormatError` naming the file when it is damaged or of another
  ///   configuration; `OpenCLError`.
  public init(restoring folder: String, into step: TrainingStep) throws {
    let indexPath = "\(folder)/\(Self.indexFile)"
    let index = try JSONValue(contentsOf: indexPath)
    guard index["format"]?.integer == Self.format, let iteration = index["iteration"]?.integer,
      iteration >= 0
    else {
      throw FormatError(
        indexPath,
        "is not a training state of this version; start a new run or take another "
          + "checkpoint")
    }
    let report = try step.model.store.load(
      from: try openWeights(path: "\(folder)/\(Self.modelFile)"))
    if let missing = report.missing.first {
      throw CheckpointError.missingTensor(
        path: report.path, name: missing,
        remedy: "the run's configuration has changed; resume with the config.yaml of the run")
    }
    let state = try openWeights(path: "\(folder)/\(Self.stateFile)")
    for (name, value) in Self.moments(of: step) {
      let stored = try state.tensor(named: name)
      guard stored.shape == value.shape else {
        throw CheckpointError.tensor(
          path: state.path, name: name,
          reason: "has shape \(stored.shape), the model needs \(value.shape)")
      }
      try value.overwrite(with: try Self.finite(stored, in: state))
    }
    if let distillation = step.distillation {
      func count(_ value: JSONValue?, _ field: String) throws -> Int {
        guard let count = value?.integer, count >= 0 else {
          throw FormatError(
            indexPath,
            "\(field) is missing or not a count; the run's configuration has changed "
              + "or the file is damaged: take another checkpoint")
        }
        return count
      }
      for (name, path) in Self.queues {
        let rows = try count(index["queue_rows"]?[name], "queue_rows.\(name)")
        distillation.alignment.queues[keyPath: path] = try Self.queue(
          name, rows: rows, width: step.model.textEncoder.configuration.embeddingWidth,
          replacing: distillation.alignment.queues[keyPath: path], from: state, on: step.student)
      }
      if distillation.cache != nil {
        try Self.restoreCache(
          of: distillation, from: state, calls: try count(index["cache_calls"], "cache_calls"))
      }
    }
    self.iteration = iteration
  }

  /// A tensor's values, all of which must be finite: a NaN would spread through the whole run.
  private static func finite(
    _ tensor: HostTensor, in state: any WeightSource
  ) throws -> [Float] {
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

  /// A stored queue; it must fit the configuration's capacity.
  private static func queue(
    _ name: String, rows count: Int, width: Int, replacing old: EmbeddingQueue,
    from state: any WeightSource, on stream: ComputeStream
  ) throws -> EmbeddingQueue {
    var queue = EmbeddingQueue(capacity: old.capacity)
    guard count > 0 else { return queue }
    let key = "queue.\(name).rows"
    let stored = try state.tensor(named: key)
    let images = try state.tensor(named: "queue.\(name).images").integers()
    guard stored.shape == [count, width], images.count == count else {
      throw CheckpointError.tensor(
        path: state.path, name: key,
        reason: "has shape \(stored.shape) for \(images.count) image ids where \(count) rows are "
          + "listed and embeddings have \(width) numbers; take another checkpoint")
    }
    guard count <= queue.capacity else {
      throw CheckpointError.tensor(
        path: state.path, name: key,
        reason: "has \(count) rows, the configuration allows \(queue.capacity); resume with the "
          + "config.yaml of the run")
    }
    let rows = try Tensor(
      try finite(stored, in: state), shape: stored.shape, on: stream, label: "queue")
    queue.restore(rows: rows, images: images.map { Int32(truncatingIfNeeded: $0) })
    return queue
  }

  private static func restoreCache(
    of distillation: BagDistillation, from state: any WeightSource, calls: Int
  ) throws {
    let rows = try finite(try state.tensor(named: "cache.rows"), in: state)
    let images = try state.tensor(named: "cache.images").integers()
    guard rows.count == 5 * images.count else {
      throw CheckpointError.tensor(
        path: state.path, name: "cache.rows",
        reason: "has \(rows.count) numbers for \(images.count) boxes")
    }
    var entries: [Int32: [Baron.ScoredBox]] = [:]
    for (index, image) in images.enumerated() {
      let cells = rows[5 * index..<5 * index + 5].map { $0 }
      entries[Int32(truncatingIfNeeded: image), default: []].append(
        Baron.ScoredBox(
          Box(x1: cells[0], y1: cells[1], x2: cells[2], y2: cells[3]), score: cells[4]))
    }
    distillation.cache?.callCount = calls
    distillation.cache?.entries = entries
  }
}
