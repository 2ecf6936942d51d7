import Formats
import OpenCL

extension Tensor {
  /// Weighted softmax cross entropy with a label per row.
  ///
  /// The sum over rows of `r[i] * u[y[i]] * CE[i] / divisor`, with row weights `r` and class weights
  /// `u`. A row with a label of -1, or whose own class is excluded, adds 0. Follows spec detector
  /// 2.7.
  ///
  /// - Parameters:
  ///   - labels: int32, a column for each row of these logits `[N, C]`, or -1.
  ///   - classWeights: `u`, one per column; nil means 1.
  ///   - rowWeights: `r`, one per row; nil means 1.
  ///   - excludesZeroWeight: Whether logits of classes with `u < 1e-5` count as -inf.
  ///   - divisor: What the sum is divided by.
  /// - Returns: The loss, a scalar; 0 without rows.
  package func softmaxCrossEntropy(
    labels: Tensor, classWeights: [Float]? = nil, rowWeights: [Float]? = nil,
    excludesZeroWeight: Bool = false, divisor: Float
  ) throws -> Tensor {
    let columns = checkedColumns(labels, classWeights: classWeights, rowWeights: rowWeights)
    let bias = try Tensor(
      (0..<columns).map {
        excludesZeroWeight && (classWeights?[$0] ?? 1) < 1e-5 ? -Float.infinity : 0
      }, shape: [columns], on: stream, label: "exclusion")
    let (label, factor) = try labels.rowFactors(
      classWeights: classWeights, rowWeights: rowWeights, excludesZeroWeight: excludesZeroWeight,
      divisor: divisor)
    let rows = labels.count
    let losses = try Tensor(uninitialized: [rows], on: stream, label: "row losses")
    let sums = try Tensor(uninitialized: [rows, 2], on: stream, label: "maxima and sums")
    try stream.launchRows(
      try stream.library.kernel("cross_entropy_softmax_forward", in: "CrossEntropy"), rows: rows,
      [
        .buffer(buffer), .buffer(bias.buffer), .buffer(label.buffer), .buffer(factor.buffer),
        .buffer(losses.buffer), .buffer(sums.buffer), .int(columns),
      ], work: Work(operations: 4 * Double(count), bytes: 4 * Double(count)))
    let input = detached()
    return try losses.total().differentiable(from: [self], "softmaxCrossEntropy") { gradient in
      let output = try Tensor(uninitialized: input.shape, on: input.stream, label: "gradient")
      try input.stream.launchRows(
        try input.stream.library.kernel("cross_entropy_softmax_backward", in: "CrossEntropy"),
        rows: rows,
        [
          .buffer(input.buffer), .buffer(bias.buffer), .buffer(label.buffer),
          .buffer(factor.buffer), .buffer(sums.buffer), .buffer(gradient.buffer),
          .buffer(output.buffer), .int(columns),
        ], work: Work(operations: 4 * Double(input.count), bytes: 8 * Double(input.count)))
      return [output]
    }
  }

  /// Weighted sigmoid cross entropy of all columns with one-hot targets.
  ///
  /// The sum over rows and columns of `r[i] * u[c] * BCE / divisor`, with row weights `r` and class
  /// weights `u`; the target is 1 in the label's column, 0 elsewhere. A row with a label of -1 adds
  /// 0. Follows spec detector 2.7.
  ///
  /// - Parameters:
  ///   - labels: int32, a column for each row of these logits `[N, C]`, or -1.
  ///   - classWeights: `u`, one per column; nil means 1.
  ///   - rowWeights: `r`, one per row; nil means 1.
  ///   - divisor: What the sum is divided by.
  /// - Returns: The loss, a scalar; 0 without rows.
  package func sigmoidCrossEntropy(
    labels: Tensor, classWeights: [Float]?, rowWeights: [Float]? = nil, divisor: Float
  ) throws -> Tensor {
    let columns = checkedColumns(labels, classWeights: classWeights, rowWeights: rowWeights)
    let rows = labels.count
    let (label, factor) = try labels.rowFactors(
      classWeights: nil, rowWeights: rowWeights, excludesZeroWeight: false, divisor: divisor)
    let weight = try Tensor(
      classWeights ?? [Float](repeating: 1, count: columns), shape: [columns], on: stream,
      label: "class weights")
    let losses = try Tensor(uninitialized: [rows], on: stream, label: "row losses")
    try stream.launchRows(
      try stream.library.kernel("cross_entropy_sigmoid_forward", in: "CrossEntropy"), rows: rows,
      [
        .buffer(buffer), .buffer(weight.buffer), .buffer(label.buffer), .buffer(factor.buffer),
        .buffer(losses.buffer), .int(columns),
      ], work: Work(operations: 8 * Double(count), bytes: 4 * Double(count)))
    let input = detached()
    return try losses.total().differentiable(from: [self], "sigmoidCrossEntropy") { gradient in
      let output = try Tensor(uninitialized: input.shape, on: input.stream, label: "gradient")
      try input.stream.launchElements(
        try input.stream.library.kernel("cross_entropy_sigmoid_backward", in: "CrossEntropy"),
        count: input.count,
        [
          .buffer(input.buffer), .buffer(weight.buffer), .buffer(label.buffer),
          .buffer(factor.buffer), .buffer(gradient.buffer), .buffer(output.buffer), .int(columns),
        ], work: Work(operations: 6 * Double(input.count), bytes: 8 * Double(input.count)))
      return [output]
    }
  }

  /// What each row of these labels counts: its label, -1 where its class is excluded, and its factor.
  private func rowFactors(
    classWeights: [Float]?, rowWeights: [Float]?, excludesZeroWeight: Bool, divisor: Float
  ) throws -> (labels: Tensor, factors: Tensor) {
    func weights(_ values: [Float]?) throws -> KernelArgument {
      try values.map {
        .buffer(try Tensor($0, shape: [$0.count], on: stream, label: "weights").buffer)
      } ?? .null
    }
    let kept = try Tensor(like: self, label: "labels")
    let factors = try Tensor(uninitialized: [count], on: stream, label: "row weights")
    try stream.launchElements(
      try stream.library.kernel("cross_entropy_row_factors", in: "CrossEntropy"), count: count,
      [
        .buffer(buffer), try weights(classWeights), try weights(rowWeights), .buffer(kept.buffer),
        .buffer(factors.buffer), .float(divisor), .int(excludesZeroWeight ? 1 : 0),
      ], work: Work(operations: 2 * Double(count), bytes: 16 * Double(count)))
    return (kept, factors)
  }

  /// Binary cross entropy of logits, element by element.
  ///
  /// The sum of `BCE(self, targets) / divisor`. Follows spec detector 2.8.
  ///
  /// - Parameters:
  ///   - targets: One per element, 0...1.
  ///   - divisor: What the sum is divided by.
  /// - Returns: The loss, a scalar; 0 without elements.
  package func binaryCrossEntropy(targets: [Float], divisor: Float) throws -> Tensor {
    precondition(targets.count == count, "\(targets.count) targets for shape \(shape)")
    let target = try Tensor(targets, shape: [count], on: stream, label: "targets")
    let scale = 1 / divisor
    let blocks = count.dividedUp(by: Self.lossBlock)
    let losses = try Tensor(uninitialized: [blocks], on: stream, label: "block losses")
    try stream.launchRows(
      try stream.library.kernel("cross_entropy_binary_forward", in: "CrossEntropy"), rows: blocks,
      [
        .buffer(buffer), .buffer(target.buffer), .buffer(losses.buffer), .float(scale),
        .int(count),
      ], work: Work(operations: 8 * Double(count), bytes: 8 * Double(count)))
    let input = detached()
    return try losses.total().differentiable(from: [self], "binaryCrossEntropy") { gradient in
      let output = try Tensor(uninitialized: input.shape, on: input.stream, label: "gradient")
      try input.stream.launchElements(
        try input.stream.library.kernel("cross_entropy_binary_backward", in: "CrossEntropy"),
        count: input.count,
        [
          .buffer(input.buffer), .buffer(target.buffer), .buffer(gradient.buffer),
          .buffer(output.buffer), .float(scale),
        ], work: Work(operations: 6 * Double(input.count), bytes: 12 * Double(input.count)))
      return [output]
    }
  }

  /// Softmax cross entropy with soft targets, each row divided by the sum of its targets.
  ///
  /// The mean over rows of `-sum(t * logSoftmax) / (sum(t) + 1e-6)`; a row without targets adds 0
  /// but counts in the mean. Follows spec method 1.12.
  ///
  /// - Parameter targets: `t`, of the shape `[N, C]` of these logits; a constant.
  /// - Returns: The loss, a scalar; 0 without rows.
  package func softTargetCrossEntropy(_ targets: Tensor) throws -> Tensor {
    precondition(
      rank == 2 && targets.shape == shape, "targets of shape \(targets.shape) for \(shape)")
    let (rows, columns) = (shape[0], shape[1])
    let scale = 1 / Float(max(1, rows))
    let losses = try Tensor(uninitialized: [rows], on: stream, label: "row losses")
    let sums = try Tensor(uninitialized: [rows, 2], on: stream, label: "maxima and sums")
    let masses = try Tensor(uninitialized: [rows], on: stream, label: "target sums")
    try stream.launchRows(
      try stream.library.kernel("cross_entropy_soft_forward", in: "CrossEntropy"), rows: rows,
      [
        .buffer(buffer), .buffer(targets.buffer), .buffer(losses.buffer), .buffer(sums.buffer),
        .buffer(masses.buffer), .int(columns), .float(scale),
      ], work: Work(operations: 7 * Double(count), bytes: 8 * Double(count)))
    let (input, constant) = (detached(), targets.detached())
    return try losses.total().differentiable(from: [self], "softTargetCrossEntropy") { gradient in
      let output = try Tensor(uninitialized: input.shape, on: input.stream, label: "gradient")
      try input.stream.launchRows(
        try input.stream.library.kernel("cross_entropy_soft_backward", in: "CrossEntropy"),
        rows: rows,
        [
          .buffer(input.buffer), .buffer(constant.buffer), .buffer(sums.buffer),
          .buffer(masses.buffer), .buffer(gradient.buffer), .buffer(output.buffer), .int(columns),
          .float(scale),
        ], work: Work(operations: 5 * Double(input.count), bytes: 12 * Double(input.count)))
      return [output]
    }
  }

  private func checkedColumns(
    _ labels: Tensor, classWeights: [Float]?, rowWeights: [Float]?
  ) -> Int {
    precondition(
      rank == 2 && labels.elementType == .int32 && labels.shape == [shape[0]],
      "labels of shape \(labels.shape) for logits of shape \(shape)")
    precondition(
      classWeights.map { $0.count == shape[1] } ?? true,
      "class weights do not match \(shape[1]) columns")
    precondition(
      rowWeights.map { $0.count == labels.count } ?? true,
      "row weights do not match \(labels.count) rows")
    return shape[1]
  }
}
