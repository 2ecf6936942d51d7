import Baron
import Distribution

/// A queue on the host, as checkpoints and other processes get it.
struct StoredQueue: Sendable, Equatable {
  let name: String
  /// The image id of each row.
  let images: [Int32]
  /// The rows, one after the other.
  let rows: [Float]

  /// Length of a row; 0 of an empty queue.
  var width: Int { images.isEmpty ? 0 : rows.count / images.count }

  /// The queue for other processes: how many image ids and numbers, then both.
  private var words: [UInt32] {
    var words = [UInt32(images.count), UInt32(rows.count)]
    words += images.map { UInt32(bitPattern: $0) }
    words += rows.map(\.bitPattern)
    return words
  }

  /// Reads the queues of all replicas of a run; every rank has to call it.
  ///
  /// - Parameter step: The step that has the replicas of this process.
  /// - Returns: On rank 0 the queues of each replica, in order; elsewhere nothing.
  /// - Throws: `OpenCLError` or `WorldError`.
  static func all(of step: TrainingStep) throws -> [[StoredQueue]] {
    let world = step.world
    guard world.size > 1 else { return try step.replicas.map { try queues(of: $0) } }
    var byRank = [[[StoredQueue]]](repeating: [], count: world.size)
    // One replica of each rank at a time, which bounds the memory.
    for replica in step.replicas {
      let own = try queues(of: replica)
      let words = own.flatMap(\.words)
      try world.gather(words.bytes, Exchange("queues"), on: .statistics) { rank, bytes in
        byRank[rank].append(queues(own.map(\.name), of: bytes.words))
      }
    }
    return Array(byRank.joined())
  }

  /// The queues of a replica of this process, method by method.
  private static func queues(of replica: Replica) throws -> [StoredQueue] {
    try replica.queues.joined().map { queue in
      StoredQueue(name: queue.name, images: queue.images, rows: try queue.rows?.floats() ?? [])
    }
  }

  /// What another rank has sent of queues of these names.
  private static func queues(_ names: [String], of words: [UInt32]) -> [StoredQueue] {
    var rest = words[...]
    func take(_ count: UInt32) -> ArraySlice<UInt32> {
      defer { rest = rest.dropFirst(Int(count)) }
      return rest.prefix(Int(count))
    }
    return names.map { name in
      let sizes = Array(take(2))
      guard sizes.count == 2 else { return StoredQueue(name: name, images: [], rows: []) }
      return StoredQueue(
        name: name, images: take(sizes[0]).map { Int32(bitPattern: $0) },
        rows: take(sizes[1]).map { Float(bitPattern: $0) })
    }
  }
}
