import Baron

/// A queue on the host, as checkpoints and other processes get it.
struct StoredQueue: Sendable, Equatable {
  let name: String
  /// The image id of each row.
  let images: [Int32]
  /// The rows, one after the other.
  let rows: [Float]

  /// Length of a row; 0 of an empty queue.
  var width: Int { images.isEmpty ? 0 : rows.count / images.count }

  /// Reads the queues of a replica from the device.
  ///
  /// - Parameter replica: The replica.
  /// - Returns: Its queues, method by method.
  /// - Throws: `OpenCLError`.
  static func all(of replica: Replica) throws -> [StoredQueue] {
    try replica.queues.joined().map { queue in
      StoredQueue(
        name: queue.name, images: queue.images, rows: try queue.rows?.floats() ?? [])
    }
  }
}
