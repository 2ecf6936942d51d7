import OpenCL

/// What the elements of a tensor are in memory.
///
/// Activations may be 16-bit numbers, which kernels widen to float32 and round back
/// (`Common/Storage.clh`); everything else is float32 or int32.
package enum ElementType: String, Sendable, Codable, CaseIterable {
  case float32, int32, bfloat16, float16

  /// Bytes of one element.
  package var bytes: Int { self == .bfloat16 || self == .float16 ? 2 : 4 }

  /// Whether it can hold activations.
  package var isFloating: Bool { self != .int32 }

  /// The value of `STORAGE` in `Common/Storage.clh`.
  var storage: Int {
    switch self {
    case .float32, .int32: 0
    case .bfloat16: 1
    case .float16: 2
    }
  }
}

/// A dense, row-major array on a device; a small value that shares its storage.
///
/// Images and features are `[N, H, W, C]`, convolution weights `[O, H, W, I]`. Operators are methods
/// in `Operators/`; they check shapes with `precondition` (a mistake of the program) and throw
/// `OpenCLError` when the device fails. No operator writes into an existing tensor unless its name
/// says so.
package struct Tensor {
  /// Sizes, slowest axis first; empty for a scalar.
  package let shape: [Int]
  /// What the elements are.
  package let elementType: ElementType
  /// The device memory.
  package private(set) var buffer: Buffer
  /// Where it lives.
  package let stream: ComputeStream
  /// How to differentiate it, or nil for a constant.
  package let node: GradientNode?

  init(
    shape: [Int], elementType: ElementType, buffer: Buffer, stream: ComputeStream,
    node: GradientNode? = nil
  ) {
    self.shape = shape
    self.elementType = elementType
    self.buffer = buffer
    self.stream = stream
    self.node = node
  }

  /// A tensor whose content is undefined, for a kernel to write.
  ///
  /// - Parameters:
  ///   - shape: Sizes; may hold 0.
  ///   - stream: Where it lives.
  ///   - elementType: What the elements are.
  ///   - label: What it holds, for memory reports.
  package init(
    uninitialized shape: [Int], on stream: ComputeStream, elementType: ElementType = .float32,
    label: String
  ) throws {
    precondition(shape.allSatisfy { $0 >= 0 }, "\(label): negative size in \(shape)")
    // Whole words, so that a fill reaches the last element.
    let bytes = (elementType.bytes * shape.reduce(1, *) + 3) / 4 * 4
    self.init(
      shape: shape, elementType: elementType,
      buffer: try stream.queue.allocate(bytes: bytes, label: label), stream: stream)
  }

  /// A tensor of the shape, the element type and the stream of another, with undefined content.
  init(like other: Tensor, label: String) throws {
    try self.init(
      uninitialized: other.shape, on: other.stream, elementType: other.elementType, label: label)
  }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// Number of axes.
  package var rank: Int { shape.count }

  /// Whether gradients flow to it: it is trained, or made from something that is.
  package var needsGradient: Bool { node != nil }

  /// The same values with other sizes; free.
  ///
  /// - Parameter shape: The new sizes, of the same product.
  /// - Returns: A tensor that shares the storage; gradients flow through.
  package func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "reshape of \(self.shape) to \(shape)")
    let result = Tensor(shape: shape, elementType: elementType, buffer: buffer, stream: stream)
    let original = self.shape
    let reshaped = result.differentiable(from: [self], "reshape") { [$0.reshaped(original)] }
    // Its products may take their gradients through what made this tensor.
    reshaped.node?.activation = node?.activation
    return reshaped
  }

  /// The same values without their history: gradients stop here.
  ///
  /// - Returns: A constant that shares the storage.
  package func detached() -> Tensor {
    Tensor(shape: shape, elementType: elementType, buffer: buffer, stream: stream)
  }

  /// Elements of this tensor under a shape of their own; shares the storage, without a history.
  ///
  /// - Parameters:
  ///   - range: Which elements; the first byte is a multiple of `Device.bufferAlignment`.
  ///   - shape: Sizes, whose product is their number.
  /// - Returns: The part; of no elements, a tensor with storage of its own.
  package func part(_ range: Range<Int>, shape: [Int]) throws -> Tensor {
    precondition(shape.reduce(1, *) == range.count, "part \(range) as \(shape)")
    guard !range.isEmpty else {
      return try Tensor(
        uninitialized: shape, on: stream, elementType: elementType, label: buffer.label)
    }
    let bytes = elementType.bytes
    return Tensor(
      shape: shape, elementType: elementType,
      buffer: try buffer.part(at: bytes * range.lowerBound, bytes: bytes * range.count),
      stream: stream)
  }

  /// The same storage as a step of the recorded computation, or as a constant.
  ///
  /// - Parameter node: The step.
  /// - Returns: A tensor that shares the storage.
  package func with(node: GradientNode?) -> Tensor {
    Tensor(shape: shape, elementType: elementType, buffer: buffer, stream: stream, node: node)
  }

  /// Bytes of its elements.
  package var byteCount: Int { elementType.bytes * count }

  /// Whether no other tensor shares the storage.
  mutating func isSoleHolder() -> Bool { isKnownUniquelyReferenced(&buffer) && !buffer.isPart }
}
