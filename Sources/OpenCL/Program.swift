import COpenCL
import Foundation

/// A compiled OpenCL program.
public final class Program {
  /// The program's name in messages.
  public let name: String
  let handle: cl_program
  private var kernels: [String: Kernel] = [:]

  /// Compiles a program, or loads it from the context's cache.
  ///
  /// - Parameters:
  ///   - context: The context.
  ///   - name: The program's name in messages.
  ///   - source: OpenCL C.
  ///   - options: Compiler options, for example `-D TILE=8`.
  /// - Throws: ``OpenCLError/build(program:options:log:sourcePath:)`` with the compiler's log.
  public init(context: Context, name: String, source: String, options: String) throws {
    self.name = name
    let key = context.cache.map { $0.key(context.device, source: source, options: options) }
    if let cache = context.cache, let key, let binary = cache.load(key),
      let loaded = Self.load(binary, context: context, options: options)
    {
      handle = loaded
      return
    }
    handle = try Self.compile(context: context, name: name, source: source, options: options)
    if let cache = context.cache, let key, let binary = Self.binary(of: handle) {
      cache.store(binary, key)
    }
  }

  deinit { clReleaseProgram(handle) }

  /// A kernel of the program; the same object each time.
  ///
  /// - Parameter name: The function's name.
  /// - Returns: The kernel.
  /// - Throws: ``OpenCLError`` when the program has no such function.
  public func kernel(_ name: String) throws -> Kernel {
    if let kernel = kernels[name] { return kernel }
    let kernel = try Kernel(program: self, name: name)
    kernels[name] = kernel
    return kernel
  }

  private static func compile(
    context: Context, name: String, source: String, options: String
  ) throws -> cl_program {
    var code: cl_int = 0
    let created = source.withCString { text in
      var pointer: UnsafePointer<CChar>? = text
      return clCreateProgramWithSource(context.handle, 1, &pointer, nil, &code)
    }
    guard let program = created else {
      throw OpenCLError.call("clCreateProgramWithSource", code: code, about: name)
    }
    var device: cl_device_id? = context.device.id
    code = clBuildProgram(program, 1, &device, options, nil, nil)
    guard code == CL_SUCCESS else {
      let log = buildLog(of: program, device: context.device)
      clReleaseProgram(program)
      let path = FileManager.default.temporaryDirectory.path + "/baron-\(name).cl"
      try? source.write(toFile: path, atomically: true, encoding: .utf8)
      throw OpenCLError.build(
        program: name, options: options,
        log: log.isEmpty ? OpenCLError.name(of: code) : log, sourcePath: path)
    }
    return program
  }

  private static func buildLog(of program: cl_program, device: Device) -> String {
    var size = 0
    let key = cl_program_build_info(CL_PROGRAM_BUILD_LOG)
    guard clGetProgramBuildInfo(program, device.id, key, 0, nil, &size) == CL_SUCCESS, size > 0
    else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard clGetProgramBuildInfo(program, device.id, key, size, &bytes, nil) == CL_SUCCESS
    else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func load(_ binary: Data, context: Context, options: String) -> cl_program? {
    var device: cl_device_id? = context.device.id
    var size = binary.count
    var status: cl_int = 0
    var code: cl_int = 0
    let created = binary.withUnsafeBytes { bytes in
      var pointer = bytes.bindMemory(to: UInt8.self).baseAddress
      return clCreateProgramWithBinary(context.handle, 1, &device, &size, &pointer, &status, &code)
    }
    guard let program = created else { return nil }
    guard status == CL_SUCCESS, clBuildProgram(program, 1, &device, options, nil, nil) == CL_SUCCESS
    else {
      // A binary that the driver refuses is rebuilt from source.
      clReleaseProgram(program)
      return nil
    }
    return program
  }

  private static func binary(of program: cl_program) -> Data? {
    var size = 0
    let sizes = cl_program_info(CL_PROGRAM_BINARY_SIZES)
    guard clGetProgramInfo(program, sizes, MemoryLayout<Int>.size, &size, nil) == CL_SUCCESS,
      size > 0
    else { return nil }
    var data = Data(count: size)
    let code = data.withUnsafeMutableBytes { bytes in
      var pointer = bytes.bindMemory(to: UInt8.self).baseAddress
      return clGetProgramInfo(
        program, cl_program_info(CL_PROGRAM_BINARIES),
        MemoryLayout<UnsafeMutablePointer<UInt8>?>.size, &pointer, nil)
    }
    return code == CL_SUCCESS ? data : nil
  }
}
