import OpenCL

/// What becomes of a product's sums, with their bias, before they are stored; for kernels of devices
/// with work-groups (`MatrixEpilogue.clh`).
struct MatrixEpilogue {
  /// The values of `EPILOGUE`.
  enum Kind: Int, Codable, CaseIterable {
    /// What ``MatrixEpilogue/aside`` holds at the same place is added.
    case residual = 1
    /// The activation is applied, and what it is applied to is kept aside.
    case quickGELU
    case gelu
    case relu
    /// From the gradient of an activation's result that of what it is applied to, which
    /// ``MatrixEpilogue/aside`` holds; of ReLU it holds the result.
    case quickGELUGradient
    case geluGradient
    case reluGradient

    /// An activation of the product.
    init(_ activation: Activation) {
      switch activation {
      case .quickGELU: self = .quickGELU
      case .gelu: self = .gelu
      case .relu: self = .relu
      }
    }

    /// The gradient through an activation, where the product is the gradient of its result.
    init(gradientOf activation: Activation) {
      switch activation {
      case .quickGELU: self = .quickGELUGradient
      case .gelu: self = .geluGradient
      case .relu: self = .reluGradient
      }
    }

    /// Whether the kernel writes aside what it would have stored without the epilogue.
    var writesAside: Bool { self == .quickGELU || self == .gelu }
    /// Operations of one element.
    var operations: Double {
      switch self {
      case .residual, .relu, .reluGradient: 1
      case .quickGELU: 20
      case .quickGELUGradient: 25
      case .gelu: 45
      case .geluGradient: 65
      }
    }
  }

  let kind: Kind
  /// Memory of the target's type and layout; nil where nobody needs what an activation is applied to.
  let aside: Buffer?

  var parameters: [String: Int] { ["EPILOGUE": kind.rawValue] }
  var arguments: [KernelArgument] { [aside.map { .buffer($0) } ?? .null] }

  /// Arithmetic and traffic of so many elements of a type.
  func work(elements: Int, of type: ElementType) -> Work {
    Work(
      operations: kind.operations * Double(elements),
      bytes: aside == nil ? 0 : Double(elements * type.bytes))
  }
}
