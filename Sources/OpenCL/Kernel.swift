import COpenCL
import Formats

/// One kernel function of a program.
package final class Kernel {
  /// The function's name, as the profiler prints it.
  package let name: String
  /// Local memory of a work-group that its code declares, beside that of its arguments, in bytes.
  package let declaredLocalBytes: Int
  /// Most work-items of a work-group that the driver runs it with.
  package let largestWorkGroup: Int
  let handle: cl_kernel
  private let program: Program
  /// The arguments that the driver has; nil where it refused one.
  private var known: [KernelArgument.Identity?] = []

  init(program: Program, name: String) throws {
    var code: cl_int = 0
    guard let handle = clCreateKernel(program.handle, name, &code) else {
      throw OpenCLError.call("clCreateKernel", code: code, about: "\(name) of \(program.name)")
    }
    self.handle = handle
    self.name = name
    self.program = program
    func number<Value: FixedWidthInteger>(_ key: Int32, _ initial: Value) -> Int? {
      var value = initial
      let code = clGetKernelWorkGroupInfo(
        handle, program.device.id, cl_kernel_work_group_info(key), MemoryLayout<Value>.size, &value,
        nil)
      return code == CL_SUCCESS ? Int(clamping: value) : nil
    }
    // A driver that does not say refuses the launch itself.
    declaredLocalBytes = number(CL_KERNEL_LOCAL_MEM_SIZE, cl_ulong(0)) ?? 0
    let most = number(CL_KERNEL_WORK_GROUP_SIZE, 0) ?? 0
    largestWorkGroup = most > 0 ? most : program.device.largestWorkGroup
  }

  /// Refuses a launch that asks for more than the device has, which not every driver notices.
  func checkLimits(_ arguments: [KernelArgument], local: [Int], on context: Context) throws {
    var bytes = declaredLocalBytes
    for argument in arguments {
      if case .local(let array) = argument { bytes += KernelArgument.localBytes([array]) }
    }
    guard bytes <= context.localMemoryInBytes else {
      throw OpenCLError.localMemory(kernel: name, bytes: bytes, limit: context.localMemoryInBytes)
    }
    let (items, limit) = (local.reduce(1, *), min(largestWorkGroup, context.largestWorkGroup))
    guard items <= limit else {
      throw OpenCLError.workGroup(kernel: name, items: items, limit: limit)
    }
  }

  deinit { clReleaseKernel(handle) }

  /// Hands the driver the arguments that are not those of the launch before.
  func set(_ arguments: [KernelArgument]) throws {
    for (index, argument) in arguments.enumerated() {
      let identity = argument.identity
      if index == known.count { known.append(nil) }
      guard known[index] != identity else { continue }
      known[index] = nil
      try set(argument, at: index)
      known[index] = identity
    }
  }

  private func set(_ argument: KernelArgument, at index: Int) throws {
    let code: cl_int
    switch argument {
    case .buffer(let buffer):
      var memory: cl_mem? = buffer.handle
      code = clSetKernelArg(handle, cl_uint(index), MemoryLayout<cl_mem?>.size, &memory)
    case .int(let value):
      var value = value
      code = clSetKernelArg(handle, cl_uint(index), MemoryLayout<Int32>.size, &value)
    case .number(let value):
      throw OpenCLError.argument(kernel: name, index: index, value: value)
    case .float(let value):
      var value = value
      code = clSetKernelArg(handle, cl_uint(index), MemoryLayout<Float>.size, &value)
    case .null:
      var memory: cl_mem?
      code = clSetKernelArg(handle, cl_uint(index), MemoryLayout<cl_mem?>.size, &memory)
    case .local(let bytes):
      code = clSetKernelArg(handle, cl_uint(index), bytes, nil)
    }
    try check(code, "clSetKernelArg", "argument \(index) of \(name)")
  }
}

/// One argument of a kernel launch, in the order of the kernel's parameters.
package enum KernelArgument {
  /// Device memory.
  case buffer(Buffer)
  /// A null pointer, for device memory that a variant of the kernel does not touch.
  case null
  /// An `int`.
  case int(Int32)
  /// An integer that no `int` holds, which a launch refuses.
  case number(Int)
  /// A `float`.
  case float(Float)
  /// Local memory of that many bytes.
  case local(Int)

  /// An `int` from a Swift integer.
  ///
  /// - Parameter value: The value.
  package static func int(_ value: Int) -> KernelArgument {
    Int32(exactly: value).map { .int($0) } ?? .number(value)
  }

  /// What tells an argument from others of its place in the kernel's list.
  ///
  /// Memory is told by its number: a driver may give a new object the handle of a released one, and
  /// still know the old one's place.
  enum Identity: Equatable {
    case memory(UInt64)
    case null
    case integer(Int)
    case float(UInt32)
    case local(Int)
  }

  /// What tells it from others.
  var identity: Identity {
    switch self {
    case .buffer(let buffer): .memory(buffer.memory.number)
    case .null: .null
    case .int(let value): .integer(Int(value))
    case .number(let value): .integer(value)
    case .float(let value): .float(value.bitPattern)
    case .local(let bytes): .local(bytes)
    }
  }

  /// The local memory that arrays take together: drivers align each one.
  ///
  /// - Parameter arrays: Bytes of each.
  /// - Returns: Bytes in all.
  package static func localBytes(_ arrays: [Int]) -> Int {
    arrays.reduce(0) { $0 + $1.roundedUp(toMultipleOf: alignment) }
  }

  /// The size of OpenCL's largest vector.
  private static let alignment = 128
}

/// Arithmetic and traffic of one launch, for the profiler.
package struct Work: Sendable {
  /// Floating-point operations; a multiply-add counts 2.
  package let operations: Double
  /// Least traffic in bytes: every operand read once, every result written once.
  package let bytes: Double

  package init(operations: Double = 0, bytes: Double = 0) {
    self.operations = operations
    self.bytes = bytes
  }
}
