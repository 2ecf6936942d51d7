import Tensors

/// How a parameter stands in a weight file, compared with how it stands on the device.
///
/// Files keep the layout of PyTorch, so that names and shapes are those of other tools.
public enum ParameterLayout: Sendable, Equatable {
  /// The same in both.
  case plain
  /// `[O, I, H, W]` in the file, `[O, H, W, I]` on the device.
  case convolution
  /// A linear layer over a flattened map: `[O, C·H·W]` in the file, `[O, H·W·C]` on the device.
  case flattened(channels: Int, height: Int, width: Int)

  /// Shape in the file.
  ///
  /// - Parameter shape: Shape on the device.
  /// - Returns: The shape in a weight file.
  public func fileShape(_ shape: [Int]) -> [Int] {
    if case .convolution = self { [shape[0], shape[3], shape[1], shape[2]] } else { shape }
  }

  /// Reorders elements from the file's layout to the device's.
  ///
  /// - Parameters:
  ///   - values: Elements as in the file.
  ///   - shape: Shape on the device.
  /// - Returns: Elements as on the device.
  public func fromFile(_ values: [Float], shape: [Int]) -> [Float] {
    reorder(values, shape: shape) { $0[$1] = $2[$3] }
  }

  /// Reorders elements from the device's layout to the file's.
  ///
  /// - Parameters:
  ///   - values: Elements as on the device.
  ///   - shape: Shape on the device.
  /// - Returns: Elements as in the file.
  public func toFile(_ values: [Float], shape: [Int]) -> [Float] {
    reorder(values, shape: shape) { $0[$3] = $2[$1] }
  }

  /// Visits every element as (device index, file index).
  private func reorder(
    _ values: [Float], shape: [Int],
    _ move: (inout [Float], _ device: Int, _ values: [Float], _ file: Int) -> Void
  ) -> [Float] {
    let outputs: Int
    let (channels, plane): (Int, Int)
    switch self {
    case .plain: return values
    case .convolution: (outputs, channels, plane) = (shape[0], shape[3], shape[1] * shape[2])
    case .flattened(let count, let height, let width):
      (outputs, channels, plane) = (shape[0], count, height * width)
    }
    var result = [Float](repeating: 0, count: values.count)
    for output in 0..<outputs {
      let base = output * channels * plane
      for position in 0..<plane {
        for channel in 0..<channels {
          move(
            &result, base + position * channels + channel, values,
            base + channel * plane + position)
        }
      }
    }
    return result
  }
}

/// A named tensor of a model.
public final class Parameter {
  /// What happens to it.
  public enum Role: Sendable {
    /// Learned by the optimizer.
    case trained
    /// Never changes.
    case frozen
    /// Changed by the forward pass (running statistics), not by the optimizer.
    case buffer
  }

  /// The dotted path, equal to the name in a weight file.
  public let name: String
  /// What happens to it.
  public let role: Role
  /// How it stands in a weight file.
  public let layout: ParameterLayout
  /// The values; a leaf of the recorded computation when trained.
  public private(set) var value: Tensor
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
  /// - Throws: `OpenCLError` when memory runs out.
  public func value(as type: ElementType) throws -> Tensor {
    let type = value.stream.productType(of: type)
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
  /// - Throws: `OpenCLError` when the device fails.
  public func overwrite(with values: [Float]) throws {
    rounded = nil
    try value.overwrite(with: values)
  }

  /// The gradient of the step under way, or nil when none has arrived.
  public var gradient: Tensor? { value.gradient }
}
