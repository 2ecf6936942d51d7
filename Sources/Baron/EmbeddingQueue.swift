import Tensors

/// The last embeddings of earlier steps with the ids of their images, newest first
/// (spec method 1.11).
package struct EmbeddingQueue {
  /// What a checkpoint calls it.
  package let name: String
  /// Most rows.
  package let capacity: Int
  /// `[n, D]`, or nil while empty.
  package private(set) var rows: Tensor?
  /// The image id of each row.
  package private(set) var images: [Int32] = []

  package init(_ name: String, capacity: Int) {
    self.name = name
    self.capacity = capacity
  }

  /// Puts rows in front; rows with a negative id are left out, the oldest fall off the end.
  ///
  /// - Parameters:
  ///   - newest: `[n, D]`; gradients stop here.
  ///   - ids: The image id of each row.
  package mutating func push(_ newest: Tensor, images ids: [Int32]) throws {
    precondition(newest.shape[0] == ids.count, "\(ids.count) ids for \(newest.shape) rows")
    let valid = ids.indices.filter { ids[$0] >= 0 }.prefix(capacity)
    guard !valid.isEmpty else { return }
    var front = newest.detached()
    if valid.count < ids.count {
      front = try front.gatheredRows(valid.map { Int32($0) })
    }
    let kept = min(images.count, capacity - valid.count)
    if let rows, kept > 0 {
      front = try Tensor.concatenated([front, try rows.sliced(axis: 0, 0..<kept)], axis: 0)
    } else if front.buffer === newest.buffer {
      // The caller's buffer may be freed or large; the queue keeps its own.
      front = try front.copied()
    }
    rows = front
    images = valid.map { ids[$0] } + images.prefix(kept)
  }

  /// Replaces the content, for resuming a run.
  ///
  /// - Parameters:
  ///   - rows: `[n, D]`, n at most the capacity; nil empties the queue.
  ///   - images: The image id of each row.
  package mutating func restore(rows: Tensor?, images: [Int32]) {
    precondition((rows?.shape[0] ?? 0) == images.count, "rows and ids differ in number")
    self.rows = rows
    self.images = images
  }
}
