import COpenCL
import Foundation

/// What programs are compiled for.
struct ProgramTarget: Sendable {
  let context: ContextHandle
  let device: Device
  let cache: ProgramCache?
}

/// A driver's compiled program, released with its last owner.
final class BuiltProgram: @unchecked Sendable {
  // Sendable: nothing in it changes, and OpenCL lets any thread use a program (OpenCL 1.2,
  // appendix A.2).
  let raw: cl_program
  let origin: Program.Origin
  private let cache: ProgramCache?
  private let key: String

  /// Loads a program from the cache, else compiles it; may be called on any thread.
  ///
  /// - Parameters:
  ///   - target: Context, device and cache.
  ///   - name: The program's name in messages.
  ///   - source: OpenCL C.
  ///   - options: Compiler options.
  /// - Throws: ``OpenCLError/build(program:options:log:sourcePath:)`` with the compiler's log.
  init(for target: ProgramTarget, name: String, source: String, options: String) throws {
    cache = target.cache
    key = target.cache?.key(target.device, source: source, options: options) ?? ""
    if let binary = target.cache?.load(key),
      let loaded = Self.load(binary, for: target, options: options)
    {
      raw = loaded
      origin = .cache
      return
    }
    raw = try Self.compile(for: target, name: name, source: source, options: options)
    origin = .source
  }

  deinit { clReleaseProgram(raw) }

  /// Writes the program to the cache unless it came from there.
  func store() {
    guard origin == .source, let cache, let binary = Self.binary(of: raw) else { return }
    cache.store(binary, key)
  }

  private static func compile(
    for target: ProgramTarget, name: String, source: String, options: String
  ) throws -> cl_program {
    var code: cl_int = 0
    let created = source.withCString { text in
      var pointer: UnsafePointer<CChar>? = text
      return clCreateProgramWithSource(target.context.raw, 1, &pointer, nil, &code)
    }
    guard let program = created else {
      throw OpenCLError.call("clCreateProgramWithSource", code: code, about: name)
    }
    var device: cl_device_id? = target.device.id
    code = clBuildProgram(program, 1, &device, options, nil, nil)
    guard code == CL_SUCCESS else {
      let log = buildLog(of: program, device: target.device)
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

  private static func load(_ binary: Data, for target: ProgramTarget, options: String)
    -> cl_program?
  {
    var device: cl_device_id? = target.device.id
    var size = binary.count
    var status: cl_int = 0
    var code: cl_int = 0
    let created = binary.withUnsafeBytes { bytes in
      var pointer = bytes.bindMemory(to: UInt8.self).baseAddress
      return clCreateProgramWithBinary(
        target.context.raw, 1, &device, &size, &pointer, &status, &code)
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
