import OpenCL

extension Tensor {
  /// Rows of this table by index, for example token embeddings.
  ///
  /// - Parameters:
  ///   - indices: Rows to read, each in `0..<V` of this `[V, D]`; any may repeat.
  ///   - shape: Sizes of the result before its last axis; their product is the number of indices.
  /// - Returns: An activation of sizes `shape + [D]`.
  package func embedding(indices: [Int32], shape: [Int]) throws -> Tensor {
    precondition(rank == 2, "embedding table of shape \(self.shape); it needs [V, D]")
    precondition(
      indices.count == shape.reduce(1, *), "\(indices.count) indices for shape \(shape)")
    let (entries, width) = (self.shape[0], self.shape[1])
    precondition(
      indices.allSatisfy { $0 >= 0 && Int($0) < entries },
      "an embedding index lies outside 0..<\(entries)")
    let result = try Tensor(
      uninitialized: shape + [width], on: stream, elementType: stream.activationType,
      label: "embedding")
    let list = try Tensor(indices, shape: [indices.count], on: stream, label: "indices")
    try stream.launchRows(
      try stream.kernel(
        "embedding_forward", in: "Embedding", storing: result.elementType, channels: width),
      rows: indices.count,
      [.buffer(buffer), .buffer(list.buffer), .buffer(result.buffer), .int(width)],
      work: Work(bytes: 2 * Double(result.byteCount)))
    return result.differentiable(from: [self], "embedding") { gradient in
      let stream = gradient.stream
      let table = try Tensor(
        uninitialized: [entries, width], on: stream, label: "embedding gradient")
      let (offsets, readers) = Self.readers(of: entries, by: indices)
      let offsetList = try Tensor(offsets, shape: [entries + 1], on: stream)
      let readerList = try Tensor(readers, shape: [readers.count], on: stream)
      try stream.launchRows(
        try stream.kernel(
          "embedding_backward_gather", in: "Embedding", storing: gradient.elementType,
          channels: width),
        rows: entries,
        [
          .buffer(offsetList.buffer), .buffer(readerList.buffer), .buffer(gradient.buffer),
          .buffer(table.buffer), .int(width),
        ],
        work: Work(
          operations: Double(gradient.count), bytes: Double(gradient.byteCount + table.byteCount)))
      return [table]
    }
  }

  /// The positions that read each entry: entry v's are `readers[offsets[v]..<offsets[v + 1]]`,
  /// rising.
  private static func readers(
    of entries: Int, by indices: [Int32]
  ) -> (offsets: [Int32], readers: [Int32]) {
    var offsets = [Int32](repeating: 0, count: entries + 1)
    for index in indices { offsets[Int(index) + 1] += 1 }
    for entry in 0..<entries { offsets[entry + 1] += offsets[entry] }
    var next = offsets
    var readers = [Int32](repeating: 0, count: indices.count)
    for (position, index) in indices.enumerated() {
      readers[Int(next[Int(index)])] = Int32(position)
      next[Int(index)] += 1
    }
    return (offsets, readers)
  }
}
