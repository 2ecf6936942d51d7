import Formats
import OpenCL

extension Tensor {
  /// Weighted sums of rows, one per list of indices.
  ///
  /// Row `i` of the result is the sum over `j` in `offsets[i]..<offsets[i+1]` of
  /// `weights[j] * self[indices[j]]`; an empty list gives a zero row. A row is one entry of the
  /// first axis. The order of summation is the list's, in both directions.
  ///
  /// - Parameters:
  ///   - offsets: Where each list starts in `indices`, and at last the number of indices.
  ///   - indices: Rows of this tensor.
  ///   - weights: A factor per index; nil means 1.
  /// - Returns: `[offsets.count - 1] + shape[1...]`.
  package func combinedRows(
    offsets: [Int32], indices: [Int32], weights: [Float]? = nil
  ) throws -> Tensor {
    try combinedRows(RowLists(offsets: offsets, indices: indices, weights: weights))
  }

  private func combinedRows(_ lists: RowLists) throws -> Tensor {
    precondition(elementType.isFloating && rank > 0, "combined rows of \(shape) \(elementType)")
    lists.check(rows: shape[0])
    let width = shape.dropFirst().reduce(1, *)
    let result = try Tensor(
      uninitialized: [lists.count] + shape.dropFirst(), on: stream, elementType: elementType,
      label: "combined rows")
    if result.count > 0 {
      let offsets = try Tensor(lists.offsets, shape: [lists.count + 1], on: stream)
      let indices = try Tensor(lists.indices, shape: [lists.indices.count], on: stream)
      let weights = try lists.weights.map { try Tensor($0, shape: [$0.count], on: stream) }
      let perGroup = Self.rowsPerGroup(width: width)
      let terms = Double(lists.indices.count * width)
      try stream.launchRows(
        try stream.kernel("indexing_combine_forward", in: "Indexing", storing: elementType),
        rows: lists.count.dividedUp(by: perGroup),
        [
          .buffer(buffer), .buffer(offsets.buffer), .buffer(indices.buffer),
          weights.map { .buffer($0.buffer) } ?? .null, .buffer(result.buffer),
          .int(lists.count), .int(width), .int(perGroup), .int(weights == nil ? 0 : 1),
        ],
        work: Work(
          operations: 2 * terms,
          bytes: Double(elementType.bytes) * (terms + Double(result.count))))
    }
    let rows = shape[0]
    let original = shape
    return result.differentiable(from: [self], "combinedRows") { gradient in
      [try gradient.combinedRows(lists.transposed(rows: rows)).reshaped(original)]
    }
  }

  /// The rows with given indices.
  ///
  /// - Parameter indices: Rows of this tensor, in any order and number; -1 gives a zero row.
  /// - Returns: `[indices.count] + shape[1...]`; an integer tensor stays one.
  package func gatheredRows(_ indices: [Int32]) throws -> Tensor {
    precondition(rank > 0, "rows of a scalar")
    let rows = shape[0]
    precondition(
      indices.allSatisfy { $0 >= -1 && $0 < rows }, "an index outside the \(rows) rows")
    let result = try gather(try Tensor(indices, shape: [indices.count], on: stream))
    let original = shape
    return result.differentiable(from: [self], "gatheredRows") { gradient in
      [try gradient.combinedRows(RowLists(gathering: indices, rows: rows)).reshaped(original)]
    }
  }

  /// The rows whose indices a device tensor holds; gradients stop here.
  ///
  /// - Parameter indices: int32 `[R]`; an index that is no row gives a zero row.
  /// - Returns: `[R] + shape[1...]`, a constant; an integer tensor stays one.
  package func gatheredRows(_ indices: Tensor) throws -> Tensor {
    precondition(rank > 0, "rows of a scalar")
    precondition(
      indices.elementType == .int32 && indices.rank == 1, "indices of shape \(indices.shape)")
    return try gather(indices)
  }

  private func gather(_ indices: Tensor) throws -> Tensor {
    let width = shape.dropFirst().reduce(1, *)
    let result = try Tensor(
      uninitialized: [indices.count] + shape.dropFirst(), on: stream, elementType: elementType,
      label: "gathered rows")
    guard result.count > 0 else { return result }
    let perGroup = Self.rowsPerGroup(width: width)
    try stream.launchRows(
      try stream.kernel("indexing_gather_forward", in: "Indexing", storing: elementType),
      rows: indices.count.dividedUp(by: perGroup),
      [
        .buffer(buffer), .buffer(indices.buffer), .buffer(result.buffer), .int(indices.count),
        .int(width), .int(perGroup), .int(shape[0]),
      ], work: Work(bytes: 2 * Double(result.byteCount)))
    return result
  }

  /// Tensors one after the other along an axis.
  ///
  /// - Parameters:
  ///   - parts: At least one; equal in type and in all sizes but that of the axis.
  ///   - axis: The axis.
  package static func concatenated(_ parts: [Tensor], axis: Int) throws -> Tensor {
    guard let first = parts.first else { preconditionFailure("concatenation of nothing") }
    precondition(first.shape.indices.contains(axis), "axis \(axis) of shape \(first.shape)")
    var shape = first.shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let result = try Tensor(
      uninitialized: shape, on: first.stream, elementType: first.elementType,
      label: "concatenation")
    var ranges: [Range<Int>] = []
    for part in parts {
      var expected = shape
      expected[axis] = part.shape[axis]
      precondition(
        part.shape == expected && part.elementType == first.elementType,
        "concatenation of \(first.shape) and \(part.shape) along axis \(axis)")
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + expected[axis])
      try part.copyBlock(columns: 0, to: result, start, along: axis, length: expected[axis])
    }
    let needed = parts.map(\.needsGradient)
    return result.differentiable(from: parts, "concatenated") { gradient in
      try zip(ranges, needed).map { $1 ? try gradient.sliced(axis: axis, $0) : nil }
    }
  }

  /// A range of an axis.
  ///
  /// - Parameters:
  ///   - axis: The axis.
  ///   - range: Which entries of it.
  /// - Returns: A new tensor; the whole range gives this tensor itself.
  package func sliced(axis: Int, _ range: Range<Int>) throws -> Tensor {
    precondition(shape.indices.contains(axis), "axis \(axis) of shape \(shape)")
    precondition(
      range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "\(range) of axis \(axis) of shape \(shape)")
    guard range != 0..<shape[axis] else { return self }
    var sizes = shape
    sizes[axis] = range.count
    let result = try Tensor(
      uninitialized: sizes, on: stream, elementType: elementType, label: "slice")
    try copyBlock(
      columns: range.lowerBound, to: result, 0, along: axis, length: range.count)
    let original = shape
    return result.differentiable(from: [self], "sliced") { gradient in
      let whole = try Tensor(
        uninitialized: original, on: gradient.stream, elementType: gradient.elementType,
        label: "slice")
      // All bits 0 are the number 0 in every type.
      if whole.count > 0 { try gradient.stream.queue.fill(whole.buffer, pattern: 0) }
      try gradient.copyBlock(
        columns: 0, to: whole, range.lowerBound, along: axis, length: range.count)
      return [whole]
    }
  }

  /// Copies `length` entries of an axis into a tensor that differs in that axis only.
  private func copyBlock(
    columns: Int, to target: Tensor, _ targetColumns: Int, along axis: Int, length: Int
  ) throws {
    let rows = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)
    let width = length * inner
    guard rows * width > 0 else { return }
    if rows == 1 {
      try stream.queue.copy(
        from: buffer, at: elementType.bytes * columns * inner, to: target.buffer,
        at: elementType.bytes * targetColumns * inner, bytes: elementType.bytes * width)
      return
    }
    let perGroup = Self.rowsPerGroup(width: width)
    // A few rows of a whole map each would leave most of a GPU idle.
    let parts = max(1, width / Self.groupElements)
    try stream.launchRows(
      try stream.kernel("indexing_copy_forward", in: "Indexing", storing: elementType),
      rows: rows.dividedUp(by: perGroup) * parts,
      [
        .buffer(buffer), .buffer(target.buffer), .int(rows), .int(width), .int(perGroup),
        .int(parts), .int(shape[axis] * inner), .int(columns * inner),
        .int(target.shape[axis] * inner),
        .int(targetColumns * inner),
      ], work: Work(bytes: 2 * Double(elementType.bytes * rows * width)))
  }

  /// The matrix with rows and columns exchanged.
  ///
  /// - Returns: `[C, R]` for this `[R, C]`; an integer tensor stays one.
  package func transposed() throws -> Tensor {
    precondition(rank == 2, "transpose of shape \(shape)")
    let result = try Tensor(
      uninitialized: [shape[1], shape[0]], on: stream, elementType: elementType,
      label: "transpose")
    try stream.launchElements(
      try stream.kernel("indexing_transpose_forward", in: "Indexing", storing: elementType),
      count: count, [.buffer(buffer), .buffer(result.buffer), .int(shape[0]), .int(shape[1])],
      work: Work(bytes: 2 * Double(byteCount)))
    return result.differentiable(from: [self], "transposed") { [try $0.transposed()] }
  }

  /// Elements that a work-group moves, about.
  private static let groupElements = 4096

  /// Rows of one work-group: enough of them that a group moves a few thousand elements.
  private static func rowsPerGroup(width: Int) -> Int { max(1, groupElements / max(1, width)) }
}

/// Lists of row indices with weights, one list per row of a result.
private struct RowLists {
  var offsets: [Int32]
  var indices: [Int32]
  var weights: [Float]?

  var count: Int { offsets.count - 1 }

  init(offsets: [Int32], indices: [Int32], weights: [Float]?) {
    precondition(!offsets.isEmpty, "row lists without offsets")
    (self.offsets, self.indices, self.weights) = (offsets, indices, weights)
  }

  /// The lists that add the gradient of gathered rows up: where each of `rows` rows went.
  init(gathering places: [Int32], rows: Int) {
    (offsets, indices) = Self.inverted(places, rows: rows)
  }

  /// A precondition on the lists, for a tensor of `rows` rows.
  func check(rows: Int) {
    precondition(
      offsets[0] == 0 && Int(offsets[count]) == indices.count
        && zip(offsets, offsets.dropFirst()).allSatisfy { $0 <= $1 },
      "offsets that do not split the \(indices.count) indices")
    precondition(
      indices.allSatisfy { $0 >= 0 && $0 < rows }, "an index outside the \(rows) rows")
    precondition(
      weights.map { $0.count == indices.count } ?? true, "weights that do not match the indices")
  }

  /// For each of `rows` source rows, which results it went to, in their order.
  func transposed(rows: Int) -> RowLists {
    var owners: [Int32] = []
    owners.reserveCapacity(indices.count)
    for list in 0..<count {
      owners.append(
        contentsOf: repeatElement(Int32(list), count: Int(offsets[list + 1] - offsets[list])))
    }
    let (offsets, order) = Self.inverted(indices, rows: rows)
    return RowLists(
      offsets: offsets, indices: order.map { owners[Int($0)] },
      weights: weights.map { weights in order.map { weights[Int($0)] } })
  }

  /// A stable counting sort of positions by the row they name; negative rows are left out.
  private static func inverted(
    _ places: [Int32], rows: Int
  ) -> (offsets: [Int32], order: [Int32]) {
    var offsets = [Int32](repeating: 0, count: rows + 1)
    for place in places where place >= 0 { offsets[Int(place) + 1] += 1 }
    for row in 0..<rows { offsets[row + 1] += offsets[row] }
    var next = offsets
    var order = [Int32](repeating: 0, count: Int(offsets[rows]))
    for (index, place) in places.enumerated() where place >= 0 {
      order[Int(next[Int(place)])] = Int32(index)
      next[Int(place)] += 1
    }
    return (offsets, order)
  }
}
