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

    init(_ activation: Activation) { self = activation == .gelu ? .gelu : .quickGELU }

    /// Whether the kernel writes aside what it would have stored without the epilogue.
    var writesAside: Bool { self != .residual }
    /// Operations of one element.
    var operations: Double { self == .residual ? 1 : self == .gelu ? 45 : 20 }
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
