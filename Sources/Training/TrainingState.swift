import Baron
import Checkpoints
import Detection
import Distribution
import Formats
import Foundation
import Geometry
import Layers
import Tensors

/// What a run needs besides its configuration to go on bit for bit: parameters, momentum, queues of
/// each replica, box cache and the number of the next step (spec training 4.8).
package struct TrainingState {
  /// The next step.
  package let iteration: Int
  /// How many replicas the run had that wrote it.
  package let replicas: Int

  /// Writes a checkpoint into a folder; every rank has to call it.
  ///
  /// - Parameters:
  ///   - folder: An existing folder, renamed into place by the caller once this returns; nil on ranks
  ///     that send what rank 0 writes.
  ///   - step: The step whose state is written.
  ///   - iteration: The next step.
  /// - Throws: `CheckpointError` or `FormatError` when the disk is full; `OpenCLError`; `WorldError`.
  package static func save(to folder: String?, step: TrainingStep, iteration: Int) throws {
    let queues = try StoredQueue.all(of: step)
    guard let folder else { return }
    var (tensors, fields) = Self.table(of: queues)
    for cache in step.methods.compactMap(\.state.cache) {
      fields["\(cache.name)_calls"] = .number(Double(cache.callCount))
      tensors += table(of: cache)
    }
    try ModelState.save(
      to: folder, store: step.model.store, update: step.update, iteration: iteration,
      tensors: tensors, fields: fields)
  }

  /// The queues of all replicas; names of a single one do not hold its number.
  private static func table(
    of replicas: [[StoredQueue]]
  ) -> (tensors: [(name: String, tensor: HostTensor)], fields: [String: JSONValue]) {
    var tensors: [(name: String, tensor: HostTensor)] = []
    var counts: [String: [Int]] = [:]
    for (replica, queues) in replicas.enumerated() {
      for queue in queues {
        counts[queue.name, default: []].append(queue.images.count)
        guard !queue.images.isEmpty else { continue }
        let key = key(queue.name, replica, of: replicas.count)
        tensors += [
          (
            "\(key).rows", HostTensor(shape: [queue.images.count, queue.width], floats: queue.rows)
          ),
          ("\(key).images", HostTensor(shape: [queue.images.count], integers: queue.images)),
        ]
      }
    }
    guard !counts.isEmpty else { return (tensors, replicaField(replicas.count)) }
    let rows = counts.mapValues { counts -> JSONValue in
      let numbers = counts.map { JSONValue.number(Double($0)) }
      return numbers.count == 1 ? numbers[0] : .array(numbers)
    }
    return (
      tensors, replicaField(replicas.count).merging(["queue_rows": .object(rows)]) { $1 }
    )
  }

  /// What an index says of the number of replicas: of one, nothing.
  private static func replicaField(_ count: Int) -> [String: JSONValue] {
    count == 1 ? [:] : ["replicas": .number(Double(count))]
  }

  /// What the tensors of a replica's queue are called before the last dot.
  private static func key(_ queue: String, _ replica: Int, of count: Int) -> String {
    count == 1 ? "queue.\(queue)" : "queue.\(queue).\(replica)"
  }

  /// The cache as rows of corners and score, with the image of each row.
  private static func table(of cache: BoxCache) -> [(name: String, tensor: HostTensor)] {
    let entries = cache.entries.sorted { $0.key < $1.key }
    let rows = entries.flatMap { entry in
      entry.value.flatMap { [$0.box.x1, $0.box.y1, $0.box.x2, $0.box.y2, $0.score] }
    }
    let images = entries.flatMap { [Int32](repeating: $0.key, count: $0.value.count) }
    return [
      ("\(cache.name).rows", HostTensor(shape: [images.count, 5], floats: rows)),
      ("\(cache.name).images", HostTensor(shape: [images.count], integers: images)),
    ]
  }

  /// Reads a checkpoint back into a step.
  ///
  /// - Parameters:
  ///   - folder: The checkpoint folder.
  ///   - step: A step of the same configuration; overwritten.
  ///   - otherReplicas: Whether the run may have had another number of replicas: a replica then
  ///     gets the queues of an old one, in turn.
  /// - Throws: `CheckpointError` or `FormatError` naming the file when it is damaged or of another
  ///   configuration; `OpenCLError`.
  package init(
    restoring folder: String, into step: TrainingStep, otherReplicas: Bool = false
  ) throws {
    let restored = try ModelState.restore(
      folder, store: step.model.store, update: step.update)
    let (index, state) = (restored.index, restored.state)
    func count(_ value: JSONValue?, _ field: String) throws -> Int {
      guard let count = value?.integer, count >= 0 else {
        throw FormatError(
          restored.indexPath,
          "\(field) is missing or not a count; the run's configuration has changed "
            + "or the file is damaged: take another checkpoint")
      }
      return count
    }
    let former = max(1, try index["replicas"].map { try count($0, "replicas") } ?? 1)
    guard former == step.share.count || otherReplicas else {
      throw FormatError(
        restored.indexPath,
        "has the queues of \(former, "replica"), but training.replicas is \(step.share.count); go "
          + "on with --replicas \(former), or with --replicas \(step.share.count) when the run may "
          + "change")
    }
    for index in step.replicas.indices {
      let old = step.replicas[index].number % former
      step.replicas[index].queues = try step.replicas[index].queues.map { queues in
        try queues.map { queue in
          var rows = restored.index["queue_rows"]?[queue.name]
          if former > 1 { rows = rows?.array.flatMap { old < $0.count ? $0[old] : nil } }
          return try Self.restored(
            queue, key: Self.key(queue.name, old, of: former),
            rows: try count(rows, "queue_rows.\(queue.name)"),
            width: step.model.textEncoder.configuration.embeddingWidth, from: state,
            on: step.student)
        }
      }
    }
    for (place, method) in step.methods.enumerated() {
      method.state.queues = step.replicas[0].queues[place]
      method.state.cache = try method.state.cache.map { cache in
        try Self.restored(
          cache, calls: try count(index["\(cache.name)_calls"], "\(cache.name)_calls"),
          from: state)
      }
    }
    iteration = restored.iteration
    replicas = former
  }

  /// A stored queue; it must fit the configuration's capacity.
  private static func restored(
    _ queue: EmbeddingQueue, key place: String, rows count: Int, width: Int,
    from state: any WeightSource, on stream: ComputeStream
  ) throws -> EmbeddingQueue {
    var queue = EmbeddingQueue(queue.name, capacity: queue.capacity)
    guard count > 0 else { return queue }
    let key = "\(place).rows"
    let stored = try state.tensor(named: key)
    let images = try state.tensor(named: "\(place).images").integers()
    guard stored.shape == [count, width], images.count == count else {
      throw CheckpointError.tensor(
        path: state.path, name: key,
        reason:
          "has shape \(stored.shape) for \(images.count, "image id") where \(count, "row") are "
          + "listed and embeddings have \(width, "number"); take another checkpoint")
    }
    guard count <= queue.capacity else {
      throw CheckpointError.tensor(
        path: state.path, name: key,
        reason: "has \(count, "row"), the configuration allows \(queue.capacity); resume with the "
          + "config.yaml of the run")
    }
    let rows = try Tensor(
      try ModelState.finite(stored, in: state), shape: stored.shape, on: stream, label: "queue")
    queue.restore(rows: rows, images: images.map { Int32(truncatingIfNeeded: $0) })
    return queue
  }

  private static func restored(
    _ cache: BoxCache, calls: Int, from state: any WeightSource
  ) throws -> BoxCache {
    let rows = try ModelState.finite(try state.tensor(named: "\(cache.name).rows"), in: state)
    let images = try state.tensor(named: "\(cache.name).images").integers()
    guard rows.count == 5 * images.count else {
      throw CheckpointError.tensor(
        path: state.path, name: "\(cache.name).rows",
        reason: "has \(rows.count, "number") for \(images.count, "box")")
    }
    var entries: [Int32: [ScoredBox]] = [:]
    for (index, image) in images.enumerated() {
      let cells = rows[5 * index..<5 * index + 5].map { $0 }
      entries[Int32(truncatingIfNeeded: image), default: []].append(
        ScoredBox(
          Box(x1: cells[0], y1: cells[1], x2: cells[2], y2: cells[3]), score: cells[4]))
    }
    var cache = cache
    cache.callCount = calls
    cache.entries = entries
    return cache
  }
}
