import COpenCL

/// Which kernels a device gets.
public enum DeviceFamily: String, Sendable, CaseIterable {
  /// A CPU driver such as PoCL: one work-item a work-group, explicit wide vectors.
  case cpu
  /// NVIDIA GPUs.
  case nvidia
  /// AMD GPUs.
  case amd
  /// Intel GPUs.
  case intel
  /// Any other device: plain OpenCL C 1.2 with work-groups and local memory.
  case generic
}

/// What kind of hardware a device is, in the order in which the program prefers them.
public enum DeviceKind: String, Sendable, CaseIterable {
  /// A graphics processor.
  case gpu
  /// The machine's own processors.
  case cpu
  /// An FPGA, a signal processor, or a driver that emulates one.
  case accelerator
}

/// An OpenCL device of this machine and what it can do.
public struct Device: Sendable {
  // Sendable: device handles are plain identifiers that live as long as the process.
  nonisolated(unsafe) let id: cl_device_id?

  /// Position in the list of all devices, over all platforms.
  public let index: Int
  /// The device's name.
  public let name: String
  /// Its maker.
  public let vendor: String
  /// The platform's name.
  public let platformName: String
  /// The OpenCL version that the device reports.
  public let version: String
  /// The driver's version.
  public let driver: String
  /// What kind of hardware it is.
  public let kind: DeviceKind
  /// Whether it shares its memory with the processor, as integrated GPUs do.
  public let sharesHostMemory: Bool
  /// Where it sits in the machine, as `domain:bus:device.function`; nil when the driver does not say.
  public let address: String?
  /// Why the program cannot compute on it; nil when it can.
  public let obstacle: String?
  /// Which kernels it gets.
  public let family: DeviceFamily
  /// Compute units (threads on a CPU).
  public let computeUnits: Int
  /// Clock in MHz as reported.
  public let clockInMegahertz: Int
  /// Device memory in bytes.
  public let memoryInBytes: Int
  /// Largest single buffer in bytes.
  public let largestBufferInBytes: Int
  /// Local memory of a work-group in bytes.
  public let localMemoryInBytes: Int
  /// What the first byte of a part of a buffer is a multiple of.
  public let bufferAlignment: Int
  /// Largest work-group.
  public let largestWorkGroup: Int
  /// Whether half-precision arithmetic is supported (`cl_khr_fp16`).
  public let supportsHalf: Bool
  /// Ten times the major plus the minor compute capability, 90 for 9.0; nil when it is no NVIDIA
  /// GPU or its driver does not say.
  public let computeCapability: Int?

  /// True for a graphics processor.
  public var isGPU: Bool { kind == .gpu }

  /// Whether the driver compiles a program's kernels once more when it is asked for a binary.
  public var compilesForBinaries: Bool { platformName == "Portable Computing Language" }
}
