import COpenCL

/// One kernel function of a program.
public final class Kernel {
  /// The function's name, as the profiler prints it.
  public let name: String
  let handle: cl_kernel
  private let program: Program

  init(program: Program, name: String) throws {
    var code: cl_int = 0
    guard let handle = clCreateKernel(program.handle, name, &code) else {
      throw OpenCLError.call("clCreateKernel", code: code, about: "\(name) of \(program.name)")
    }
    self.handle = handle
    self.name = name
    self.program = program
  }

  deinit { clReleaseKernel(handle) }

  func set(_ arguments: [KernelArgument]) throws {
    for (index, argument) in arguments.enumerated() {
      let code: cl_int
      switch argument {
      case .buffer(let buffer):
        var memory: cl_mem? = buffer.handle
        code = clSetKernelArg(self.handle, cl_uint(index), MemoryLayout<cl_mem?>.size, &memory)
      case .int(let value):
        var value = value
        code = clSetKernelArg(self.handle, cl_uint(index), MemoryLayout<Int32>.size, &value)
      case .float(let value):
        var value = value
        code = clSetKernelArg(self.handle, cl_uint(index), MemoryLayout<Float>.size, &value)
      case .null:
        var memory: cl_mem?
        code = clSetKernelArg(self.handle, cl_uint(index), MemoryLayout<cl_mem?>.size, &memory)
      case .local(let bytes):
        code = clSetKernelArg(self.handle, cl_uint(index), bytes, nil)
      }
      try check(code, "clSetKernelArg", "argument \(index) of \(name)")
    }
  }
}

/// One argument of a kernel launch, in the order of the kernel's parameters.
public enum KernelArgument {
  /// Device memory.
  case buffer(Buffer)
  /// A null pointer, for device memory that a variant of the kernel does not touch.
  case null
  /// An `int`.
  case int(Int32)
  /// A `float`.
  case float(Float)
  /// Local memory of that many bytes.
  case local(Int)

  /// An `int` from a Swift integer.
  ///
  /// - Parameter value: The value; sizes and counts stay below 2^31.
  /// - Returns: The argument.
  public static func int(_ value: Int) -> KernelArgument { .int(Int32(value)) }
}

/// Arithmetic and traffic of one launch, for the profiler.
public struct Work: Sendable {
  /// Floating-point operations; a multiply-add counts 2.
  public let operations: Double
  /// Least traffic in bytes: every operand read once, every result written once.
  public let bytes: Double

  /// Creates a record.
  ///
  /// - Parameters:
  ///   - operations: Floating-point operations; a multiply-add counts 2.
  ///   - bytes: Least traffic in bytes.
  public init(operations: Double = 0, bytes: Double = 0) {
    self.operations = operations
    self.bytes = bytes
  }
}
