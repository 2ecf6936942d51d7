import Tensors

/// How a parameter stands in a weight file, compared with how it stands on the device.
///
/// Files keep the layout of PyTorch, so that names and shapes are those of other tools.
package enum ParameterLayout: Sendable, Equatable {
  /// The same in both.
  case plain
  /// `[O, I, H, W]` in the file, `[O, H, W, I]` on the device.
  case convolution
  /// A linear layer over a flattened map: `[O, C·H·W]` in the file, `[O, H·W·C]` on the device.
  case flattened(channels: Int, height: Int, width: Int)

  /// `[I, O, K, K]` in the file, `[K·K·O, I]` on the device.
  case transposedConvolution(kernel: Int)

  /// Shape in the file.
  ///
  /// - Parameter shape: Shape on the device.
  /// - Returns: The shape in a weight file.
  package func fileShape(_ shape: [Int]) -> [Int] {
    switch self {
    case .plain, .flattened: shape
    case .convolution: [shape[0], shape[3], shape[1], shape[2]]
    case .transposedConvolution(let kernel):
      [shape[1], shape[0] / (kernel * kernel), kernel, kernel]
    }
  }

  /// Whether elements stand in the same order in both, whatever the shapes say.
  ///
  /// - Parameter shape: Shape on the device.
  /// - Returns: Whether nothing is reordered.
  package func keepsOrder(_ shape: [Int]) -> Bool {
    if case .transposedConvolution = self { return false }
    let (channels, plane) = sizes(shape)
    return channels == 1 || plane == 1
  }

  /// Reorders elements from the file's layout to the device's.
  ///
  /// - Parameters:
  ///   - values: Elements as in the file.
  ///   - shape: Shape on the device.
  /// - Returns: Elements as on the device.
  package func fromFile(_ values: [Float], shape: [Int]) -> [Float] {
    if keepsOrder(shape) { return values }
    return values.withUnsafeBytes { fromFile($0, shape: shape) }
  }

  /// Reorders elements from the file's layout to the device's.
  ///
  /// - Parameters:
  ///   - floats: 32-bit floating-point numbers as in the file, at any address.
  ///   - shape: Shape on the device.
  /// - Returns: Elements as on the device.
  package func fromFile(_ floats: UnsafeRawBufferPointer, shape: [Int]) -> [Float] {
    let (channels, plane) = sizes(shape)
    let result = Self.transposed(floats, rows: channels, columns: plane)
    guard case .transposedConvolution(let kernel) = self else { return result }
    // [O·K·K, I], of which the device wants the corners outermost.
    return Self.swapped(result, outer: plane / (kernel * kernel), inner: kernel * kernel, shape[1])
  }

  /// Reorders elements from the device's layout to the file's.
  ///
  /// - Parameters:
  ///   - values: Elements as on the device.
  ///   - shape: Shape on the device.
  /// - Returns: Elements as in the file.
  package func toFile(_ values: [Float], shape: [Int]) -> [Float] {
    if keepsOrder(shape) { return values }
    let (channels, plane) = sizes(shape)
    var values = values
    if case .transposedConvolution(let kernel) = self {
      values = Self.swapped(
        values, outer: kernel * kernel, inner: plane / (kernel * kernel), shape[1])
    }
    return values.withUnsafeBytes { Self.transposed($0, rows: plane, columns: channels) }
  }

  /// Swaps the two outer axes of `[outer, inner, length]`.
  private static func swapped(
    _ values: [Float], outer: Int, inner: Int, _ length: Int
  ) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(values.count)
    for i in 0..<inner {
      for o in 0..<outer {
        let start = (o * inner + i) * length
        result += values[start..<start + length]
      }
    }
    return result
  }

  /// Channels, and positions of a channel, of one output.
  private func sizes(_ shape: [Int]) -> (channels: Int, plane: Int) {
    switch self {
    case .plain: (1, 1)
    case .convolution: (shape[3], shape[1] * shape[2])
    case .flattened(let channels, let height, let width): (channels, height * width)
    case .transposedConvolution: (shape[1], shape[0])
    }
  }

  /// Transposes matrices that stand one after the other.
  private static func transposed(
    _ source: UnsafeRawBufferPointer, rows: Int, columns: Int
  ) -> [Float] {
    let count = source.count / 4
    let area = rows * columns
    guard area > 0 else { return [] }
    return [Float](unsafeUninitializedCapacity: count) { target, initialised in
      for base in stride(from: 0, to: count, by: area) {
        for column in 0..<columns {
          let to = base &+ column &* rows
          for row in 0..<rows {
            let from = base &+ row &* columns &+ column
            target.initializeElement(
              at: to &+ row,
              to: source.loadUnaligned(fromByteOffset: 4 &* from, as: Float.self))
          }
        }
      }
      initialised = count
    }
  }
}

/// A named tensor of a model.
package final class Parameter {
  /// What happens to it.
  package enum Role: Sendable {
    /// Learned by the optimizer.
    case trained
    /// Never changes.
    case frozen
    /// Changed by the forward pass (running statistics), not by the optimizer.
    case buffer
  }

  /// The dotted path, equal to the name in a weight file.
  package let name: String
  /// What happens to it.
  package let role: Role
  /// How it stands in a weight file.
  package let layout: ParameterLayout
  /// The values; a leaf of the recorded computation when trained.
  package private(set) var value: Tensor
  /// Frozen values as 16-bit activations meet them, made when they first do.
  private var rounded: Tensor?

  init(name: String, role: Role, layout: ParameterLayout, value: Tensor) {
    self.name = name
    self.role = role
    self.layout = layout
    self.value = role == .trained ? value.trained(name) : value
  }

  /// The values as activations of a type meet them in a product.
  ///
  /// - Parameter type: The type of the activations.
  /// - Returns: Frozen values rounded to the type, once and for all; others as they are, for the
  ///   product to round.
  package func value(as type: ElementType) throws -> Tensor {
    let type = value.stream.matrix.weightType(of: type)
    guard role == .frozen, type != value.elementType else { return value }
    if let rounded, rounded.elementType == type { return rounded }
    let result = try value.converted(to: type)
    rounded = result
    return result
  }

  /// Moves the values of a trained parameter into other memory, and keeps its gradient there too.
  func move(to place: Tensor, gradient: Tensor) throws {
    if value.count > 0 { try place.copy(from: value) }
    value = place.with(node: value.node)
    value.node?.slot = gradient
  }

  /// Replaces the values in place.
  ///
  /// - Parameter values: As many floats as there are elements, laid out as on the device.
  package func overwrite(with values: [Float]) throws {
    rounded = nil
    try value.overwrite(with: values)
  }

  /// Replaces the values in place by those of a weight file, and waits for it.
  ///
  /// - Parameter floats: As many 32-bit floating-point numbers as there are elements, laid out as in
  ///   the file, at any address.
  package func overwrite(withStored floats: UnsafeRawBufferPointer) throws {
    rounded = nil
    if layout.keepsOrder(value.shape) { return try value.overwrite(withBytes: floats) }
    try layout.fromFile(floats, shape: value.shape).withUnsafeBytes {
      try value.overwrite(withBytes: $0)
    }
  }

  /// The gradient of the step under way, or nil when none has arrived.
  package var gradient: Tensor? { value.gradient }
}
