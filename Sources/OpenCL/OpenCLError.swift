import COpenCL
import Formats

/// What went wrong between the program and an OpenCL driver, in one line that says what to do.
package enum OpenCLError: Error, CustomStringConvertible {
  /// No OpenCL device exists on this machine; what drivers that are installed say about it.
  case noDevice(causes: [String])
  /// The wanted device is not among those present.
  case deviceNotFound(wanted: String, present: [String])
  /// The only device that matches cannot be computed on.
  case unusable(device: String, reason: String)
  /// A driver call failed: the call, its code, and what it was about.
  case call(String, code: Int32, about: String)
  /// A program did not compile: its name, the options, the driver's whole log, the saved source.
  case build(program: String, options: String, log: String, sourcePath: String)
  /// A buffer could not be had.
  case allocation(label: String, bytes: Int, limit: Int, live: Int)
  /// No family of kernels has that name.
  case kernelFamily(wanted: String)
  /// A kernel needs more local memory than a work-group has, in bytes.
  case localMemory(kernel: String, bytes: Int, limit: Int)
  /// A size passes what kernels count in.
  case argument(kernel: String, index: Int, value: Int)
  /// A launch has more elements than kernels can count.
  case elements(kernel: String, count: Int, limit: Int)
  /// A kernel needs larger work-groups than the driver runs it with.
  case workGroup(kernel: String, items: Int, limit: Int)

  /// One line (a build error adds the compiler's log below it).
  package var description: String {
    switch self {
    case .noDevice(let causes) where causes.isEmpty:
      "no OpenCL device found; install a driver, for the CPU: "
        + "apt-get install ocl-icd-libopencl1 pocl-opencl-icd"
    case .noDevice(let causes):
      "no OpenCL device found: \(causes.joined(separator: "; "))"
    case .deviceNotFound(let wanted, let present):
      "no OpenCL device matches '\(wanted)'; give an index, a type (gpu, cpu) or a part of a name "
        + "of: \(present.joined(separator: "; "))"
    case .unusable(let device, let reason):
      "the OpenCL device \(device) cannot be used: \(reason); 'baron devices' lists the others"
    case .call(let call, let code, let about):
      "\(call) failed with \(Self.name(of: code)) (\(about))" + Self.advice(call, code)
    case .build(let program, let options, let log, let sourcePath):
      "the OpenCL program \(program) does not compile with '\(options)'; its source is in "
        + "\(sourcePath); the compiler says:\n\(log)"
    case .allocation(let label, let bytes, let limit, let live):
      "cannot allocate \(Self.size(bytes)) for \(label): the device allows \(Self.size(limit)) for one "
        + "buffer and \(Self.size(live)) are in use; lower the image size or the batch size"
    case .kernelFamily(let wanted):
      "BARON_KERNEL_FAMILY is '\(wanted)' and must be one of "
        + DeviceFamily.allCases.map(\.rawValue).joined(separator: ", ")
    case .localMemory(let kernel, let bytes, let limit):
      "\(kernel) needs \(bytes, "byte") of local memory and a work-group of the device has "
        + "\(limit): use shorter sequences or smaller images, or another device"
    case .argument(let kernel, let index, let value):
      "argument \(index) of \(kernel) is \(value) and kernels count to \(Int32.max): lower the image "
        + "size or the batch size"
    case .elements(let kernel, let count, let limit):
      "\(kernel) cannot visit \(count, "element"), \(limit) at most: lower the image size or the "
        + "batch size"
    case .workGroup(let kernel, let items, let limit):
      "\(kernel) needs work-groups of \(items) work-items and the driver runs it with \(limit) at "
        + "most: update the driver or use another device"
    }
  }

  /// Whether the device has stopped to answer, so that a new start may help.
  package var isDeviceLost: Bool {
    guard case .call(let call, let code, _) = self else { return false }
    let memory = [CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_HOST_MEMORY]
    let waits = ["clFinish", "clWaitForEvents", "clEnqueueReadBuffer", "clFlush"].contains(call)
    return code == CL_DEVICE_NOT_AVAILABLE || waits && !memory.contains(code)
  }

  /// Bytes in whole MiB, or in KiB where there is less than one.
  private static func size(_ bytes: Int) -> String {
    bytes < 1 << 20 ? "\((bytes + 1023) / 1024) KiB" : "\(bytes >> 20) MiB"
  }

  /// What to do about a call that failed; empty where nothing helps but reading the code.
  private static func advice(_ call: String, _ code: Int32) -> String {
    switch (call, code) {
    case ("clEnqueueNDRangeKernel", CL_OUT_OF_RESOURCES),
      ("clEnqueueNDRangeKernel", CL_INVALID_WORK_GROUP_SIZE):
      "; the kernel asks for more local memory, registers or work-items than the device gives it: "
        + "BARON_KERNEL_FAMILY=generic takes smaller kernels, and 'baron selftest' names those that fail"
    case (_, CL_MEM_OBJECT_ALLOCATION_FAILURE):
      "; the device is out of memory: lower the image size or the batch size"
    case (_, CL_OUT_OF_HOST_MEMORY):
      "; this machine is out of memory: end other programs, or lower the image size or the batch size"
    case ("clFinish", _), ("clWaitForEvents", _), ("clEnqueueReadBuffer", _), ("clFlush", _):
      "; a kernel that was enqueued before ended badly: out of device memory, stopped by the time limit "
        + "of a display's driver, or the device was lost; 'baron selftest' tells which"
    case ("clGetDeviceInfo", _), ("clCreateContext", _), ("clCreateCommandQueue", _):
      "; the driver does not serve this device: 'baron devices' lists the others, a new start of the "
        + "machine or of the driver may help"
    default: ""
    }
  }

  /// The symbolic name of an OpenCL status code.
  ///
  /// - Parameter code: The code, 0 or negative.
  /// - Returns: The name as in `cl.h`, or the number for one that OpenCL 1.2 does not know.
  package static func name(of code: Int32) -> String {
    names[code] ?? "OpenCL error \(code)"
  }

  private static let names: [Int32: String] = [
    0: "CL_SUCCESS", -1: "CL_DEVICE_NOT_FOUND", -2: "CL_DEVICE_NOT_AVAILABLE",
    -3: "CL_COMPILER_NOT_AVAILABLE", -4: "CL_MEM_OBJECT_ALLOCATION_FAILURE",
    -5: "CL_OUT_OF_RESOURCES", -6: "CL_OUT_OF_HOST_MEMORY",
    -7: "CL_PROFILING_INFO_NOT_AVAILABLE", -8: "CL_MEM_COPY_OVERLAP",
    -9: "CL_IMAGE_FORMAT_MISMATCH", -10: "CL_IMAGE_FORMAT_NOT_SUPPORTED",
    -11: "CL_BUILD_PROGRAM_FAILURE", -12: "CL_MAP_FAILURE",
    -13: "CL_MISALIGNED_SUB_BUFFER_OFFSET",
    -14: "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", -15: "CL_COMPILE_PROGRAM_FAILURE",
    -16: "CL_LINKER_NOT_AVAILABLE", -17: "CL_LINK_PROGRAM_FAILURE",
    -18: "CL_DEVICE_PARTITION_FAILED", -19: "CL_KERNEL_ARG_INFO_NOT_AVAILABLE",
    -30: "CL_INVALID_VALUE", -31: "CL_INVALID_DEVICE_TYPE", -32: "CL_INVALID_PLATFORM",
    -33: "CL_INVALID_DEVICE", -34: "CL_INVALID_CONTEXT", -35: "CL_INVALID_QUEUE_PROPERTIES",
    -36: "CL_INVALID_COMMAND_QUEUE", -37: "CL_INVALID_HOST_PTR", -38: "CL_INVALID_MEM_OBJECT",
    -39: "CL_INVALID_IMAGE_FORMAT_DESCRIPTOR", -40: "CL_INVALID_IMAGE_SIZE",
    -41: "CL_INVALID_SAMPLER", -42: "CL_INVALID_BINARY", -43: "CL_INVALID_BUILD_OPTIONS",
    -44: "CL_INVALID_PROGRAM", -45: "CL_INVALID_PROGRAM_EXECUTABLE",
    -46: "CL_INVALID_KERNEL_NAME", -47: "CL_INVALID_KERNEL_DEFINITION",
    -48: "CL_INVALID_KERNEL", -49: "CL_INVALID_ARG_INDEX", -50: "CL_INVALID_ARG_VALUE",
    -51: "CL_INVALID_ARG_SIZE", -52: "CL_INVALID_KERNEL_ARGS", -53: "CL_INVALID_WORK_DIMENSION",
    -54: "CL_INVALID_WORK_GROUP_SIZE", -55: "CL_INVALID_WORK_ITEM_SIZE",
    -56: "CL_INVALID_GLOBAL_OFFSET", -57: "CL_INVALID_EVENT_WAIT_LIST", -58: "CL_INVALID_EVENT",
    -59: "CL_INVALID_OPERATION", -60: "CL_INVALID_GL_OBJECT", -61: "CL_INVALID_BUFFER_SIZE",
    -62: "CL_INVALID_MIP_LEVEL", -63: "CL_INVALID_GLOBAL_WORK_SIZE", -64: "CL_INVALID_PROPERTY",
    -65: "CL_INVALID_IMAGE_DESCRIPTOR", -66: "CL_INVALID_COMPILER_OPTIONS",
    -67: "CL_INVALID_LINKER_OPTIONS", -68: "CL_INVALID_DEVICE_PARTITION_COUNT",
    -1001: "CL_PLATFORM_NOT_FOUND_KHR",
  ]
}

/// Throws unless a status code is success.
///
/// - Parameters:
///   - code: What the call returned.
///   - call: The call's name.
///   - about: What it was about, for the message.
/// - Throws: ``OpenCLError/call(_:code:about:)``.
func check(_ code: cl_int, _ call: String, _ about: @autoclosure () -> String) throws {
  guard code == CL_SUCCESS else { throw OpenCLError.call(call, code: code, about: about()) }
}
