import COpenCL

/// Which kernels a device gets.
package enum DeviceFamily: String, Sendable, CaseIterable {
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
package enum DeviceKind: String, Sendable, CaseIterable {
  /// A graphics processor.
  case gpu
  /// The machine's own processors.
  case cpu
  /// An FPGA, a signal processor, or a driver that emulates one.
  case accelerator
}

/// An OpenCL device of this machine and what it can do.
package struct Device: Sendable {
  // Sendable: device handles are plain identifiers that live as long as the process.
  nonisolated(unsafe) let id: cl_device_id?

  /// Position in the list of all devices, over all platforms.
  package let index: Int
  /// The device's name.
  package let name: String
  /// Its maker.
  package let vendor: String
  /// The platform's name.
  package let platformName: String
  /// The OpenCL version that the device reports.
  package let version: String
  /// The driver's version.
  package let driver: String
  /// What kind of hardware it is.
  package let kind: DeviceKind
  /// Whether it shares its memory with the processor, as integrated GPUs do.
  package let sharesHostMemory: Bool
  /// Where it sits in the machine, as `domain:bus:device.function`; nil when the driver does not say.
  package let address: String?
  /// Why the program cannot compute on it; nil when it can.
  package let obstacle: String?
  /// Which kernels it gets.
  package let family: DeviceFamily
  /// Compute units (threads on a CPU).
  package let computeUnits: Int
  /// Clock in MHz as reported.
  package let clockInMegahertz: Int
  /// Device memory in bytes.
  package let memoryInBytes: Int
  /// Largest single buffer in bytes.
  package let largestBufferInBytes: Int
  /// Local memory of a work-group in bytes.
  package let localMemoryInBytes: Int
  /// What the first byte of a part of a buffer is a multiple of.
  package let bufferAlignment: Int
  /// Largest work-group.
  package let largestWorkGroup: Int
  /// Whether half-precision arithmetic is supported (`cl_khr_fp16`).
  package let supportsHalf: Bool
  /// Ten times the major plus the minor compute capability, 90 for 9.0; nil when it is no NVIDIA
  /// GPU or its driver does not say.
  package let computeCapability: Int?

  /// True for a graphics processor.
  package var isGPU: Bool { kind == .gpu }

  /// Whether the driver compiles a program's kernels once more when it is asked for a binary.
  package var compilesForBinaries: Bool { platformName == "Portable Computing Language" }
}
