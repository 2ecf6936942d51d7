/// Gets told, while a computation is differentiated, which leaves have their whole gradient.
package protocol GradientObserver: AnyObject {
  /// Differentiation begins; it will reach these leaves, each once.
  func begin(_ leaves: [GradientNode]) throws
  /// Nothing will be added to a leaf's gradient any more; there may be none.
  func complete(_ leaf: GradientNode) throws
}

/// One step of the recorded computation: how the gradient of a result becomes those of its inputs.
///
/// A leaf (no inputs) collects the gradient of a trained tensor.
package final class GradientNode {
  /// The operator's name.
  package let name: String
  /// The gradient that has arrived so far; stays only on leaves.
  package fileprivate(set) var gradient: Tensor?
  /// Where a leaf's gradient is kept, in an arena; nil keeps it wherever it arrives.
  package var slot: Tensor?
  /// The leaf's values rounded to 16 bits, as products meet them, while that is up to date.
  package var rounded: Tensor?
  /// The activation that made the tensor, where products can take its gradient along.
  var activation: ActivationStep?
  /// Whether an operator is writing the leaf's gradient into the slot.
  fileprivate var slotIsTaken = false
  fileprivate let sequence: UInt64
  fileprivate var inputs: [GradientNode?]
  fileprivate var backward: ((Tensor) throws -> [Tensor?])?

  /// The steps that lead here, this one among them, the latest first; without leaves.
  fileprivate var history: [GradientNode] {
    var (steps, seen) = ([self], Set([sequence]))
    var next = 0
    while next < steps.count {
      for case let input? in steps[next].inputs
      where !input.inputs.isEmpty && seen.insert(input.sequence).inserted {
        steps.append(input)
      }
      next += 1
    }
    return steps.sorted { $0.sequence > $1.sequence }
  }

  /// The leaves whose last use is a step of a history, by the step's place in it.
  fileprivate static func lastUses(in history: [GradientNode]) -> [Int: [GradientNode]] {
    var last: [UInt64: (step: Int, leaf: GradientNode)] = [:]
    for (step, node) in history.enumerated() {
      for case let leaf? in node.inputs where leaf.inputs.isEmpty && leaf.backward == nil {
        last[leaf.sequence] = (step, leaf)
      }
    }
    return Dictionary(grouping: last.values, by: \.step).mapValues { uses in
      uses.map(\.leaf).sorted { $0.sequence < $1.sequence }
    }
  }

  fileprivate init(
    name: String, sequence: UInt64, inputs: [GradientNode?],
    backward: ((Tensor) throws -> [Tensor?])?
  ) {
    self.name = name
    self.sequence = sequence
    self.inputs = inputs
    self.backward = backward
  }

  /// Forgets a leaf's gradient, before the next step.
  package func clearGradient() {
    gradient = nil
    slotIsTaken = false
  }
}

extension ComputeStream {
  fileprivate func nextSequence() -> UInt64 {
    sequence += 1
    return sequence
  }
}

extension Tensor {
  /// Makes a constant a trained tensor: a leaf that collects its gradient.
  ///
  /// - Parameter name: The leaf's name in errors.
  /// - Returns: A tensor that shares the storage.
  package func trained(_ name: String) -> Tensor {
    let leaf = GradientNode(
      name: name, sequence: stream.nextSequence(), inputs: [], backward: nil)
    return Tensor(
      shape: shape, elementType: elementType, buffer: buffer, stream: stream, node: leaf)
  }

  /// Records how to differentiate an operator's result.
  ///
  /// Nothing is recorded when no input needs a gradient or the stream does not record.
  ///
  /// - Parameters:
  ///   - inputs: The operator's inputs, at least one.
  ///   - name: The operator's name.
  ///   - backward: From the result's gradient, the gradient of each input in order; nil for inputs
  ///     that do not need one (`needsGradient`). Keeps alive what it captures until it has run.
  /// - Returns: The result with its history.
  package func differentiable(
    from inputs: [Tensor], _ name: String, _ backward: @escaping (Tensor) throws -> [Tensor?]
  ) -> Tensor {
    precondition(!inputs.isEmpty, "\(name): no inputs")
    for input in inputs {
      precondition(input.stream === stream, "\(name): inputs on different streams")
    }
    guard stream.recordsGradients, inputs.contains(where: \.needsGradient) else { return self }
    let node = GradientNode(
      name: name, sequence: stream.nextSequence(), inputs: inputs.map(\.node), backward: backward)
    return Tensor(
      shape: shape, elementType: elementType, buffer: buffer, stream: stream, node: node)
  }

  /// Differentiates a scalar with respect to every leaf that it depends on.
  ///
  /// Each leaf's gradient is added to. The recorded computation is freed on the way.
  package func backward() throws {
    precondition(count == 1, "backward() of a tensor of shape \(shape); it needs a scalar")
    try backward(from: try Tensor(repeating: 1, shape: shape, on: stream, label: "gradient"))
  }

  /// Differentiates the sum of this tensor times `gradient`.
  ///
  /// - Parameter gradient: Of the same shape.
  package func backward(from gradient: Tensor) throws {
    precondition(gradient.shape == shape, "gradient of shape \(gradient.shape) for \(shape)")
    guard let node else { return }
    try stream.withoutGradients {
      let history = node.history
      let observer = stream.gradientObserver
      // Found before the steps forget their inputs.
      let uses = observer == nil ? [:] : GradientNode.lastUses(in: history)
      try observer?.begin(uses.values.flatMap { $0 })
      try Self.accumulate(gradient.detached(), into: node)
      // Later nodes first: every node's gradient is complete before it is passed on.
      for (step, next) in history.enumerated() {
        try Self.pass(next)
        for leaf in uses[step] ?? [] { try observer?.complete(leaf) }
      }
    }
  }

  /// Passes what a step's result has collected on to its inputs.
  private static func pass(_ node: GradientNode) throws {
    guard let gradient = node.gradient, let backward = node.backward else { return }
    node.gradient = nil
    let gradients = try backward(gradient)
    precondition(gradients.count == node.inputs.count, "\(node.name): wrong number of gradients")
    let inputs = node.inputs
    node.backward = nil
    node.inputs = []
    for (input, gradient) in zip(inputs, gradients) {
      guard let input, let gradient else { continue }
      try accumulate(gradient, into: input)
    }
  }

  private static func accumulate(_ gradient: Tensor, into node: GradientNode) throws {
    if let present = node.gradient {
      precondition(present.shape == gradient.shape, "\(node.name): gradients of two shapes")
      if node.slot != nil {
        try present.add(gradient)
      } else {
        node.gradient = try present.adding(gradient)
      }
    } else if let slot = node.slot {
      if gradient.buffer !== slot.buffer {
        try slot.stream.queue.copy(
          from: gradient.buffer, to: slot.buffer, bytes: slot.byteCount)
      }
      node.gradient = slot
    } else {
      node.gradient = gradient
    }
  }

  /// Where an operator writes the gradient of this tensor: the slot of a leaf that nothing has
  /// reached yet, else new memory.
  func gradientTarget(label: String) throws -> Tensor {
    if let node, let slot = node.slot, node.gradient == nil, !node.slotIsTaken {
      node.slotIsTaken = true
      return slot
    }
    return try Tensor(like: self, label: label)
  }

  /// What this leaf has collected in its slot, for operators that add to it themselves; nil without,
  /// and on CPUs.
  ///
  /// An operator that adds to it passes no gradient on.
  func collectedSum() -> Tensor? {
    guard let node, let slot = node.slot, node.gradient?.buffer === slot.buffer,
      stream.family != .cpu
    else { return nil }
    return slot
  }

  /// The same for products of a type, which add to it where tensor cores multiply.
  func gradientSum(of type: ElementType) -> Tensor? {
    stream.matrix.tensorCores(for: stream.matrix.productType(of: type)) == nil
      ? nil : collectedSum()
  }

  /// Takes what this tensor has collected so far, where nothing else holds the memory; nil elsewhere,
  /// and on CPUs, whose sums stay operators of their own.
  ///
  /// An operator that adds to it in place passes it on as the gradient.
  func takenGradient() -> Tensor? {
    guard let node, node.slot == nil, stream.family != .cpu,
      node.gradient?.isSoleHolder() == true
    else { return nil }
    defer { node.gradient = nil }
    return node.gradient
  }

  /// The same for products, which add to it where tensor cores multiply.
  func takenGradientOfProducts() -> Tensor? {
    stream.matrix.tensorCores(for: elementType) == nil ? nil : takenGradient()
  }

  /// The values that a product meets, rounded to the type of its other operand; a constant.
  func factor(of type: ElementType) throws -> Tensor {
    if let rounded = node?.rounded, rounded.elementType == type { return rounded }
    return try detached().converted(to: type)
  }

  /// The gradient that a leaf has collected, or nil.
  package var gradient: Tensor? { node?.gradient }
}
