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

/// An OpenCL device of this machine and what it can do.
public struct Device: Sendable {
  // Sendable: device handles are plain identifiers that live as long as the process.
  nonisolated(unsafe) let id: cl_device_id
  nonisolated(unsafe) let platform: cl_platform_id?

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
  /// True for a GPU or another accelerator, false for a CPU.
  public let isGPU: Bool
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

  /// Whether the driver compiles a program's kernels once more when it is asked for a binary.
  public var compilesForBinaries: Bool { platformName == "Portable Computing Language" }

  init(id: cl_device_id, platform: cl_platform_id?, platformName: String, index: Int) throws {
    func text(_ key: Int32) throws -> String {
      var size = 0
      try check(
        clGetDeviceInfo(id, cl_device_info(key), 0, nil, &size), "clGetDeviceInfo", "size")
      var bytes = [CChar](repeating: 0, count: size + 1)
      try check(
        clGetDeviceInfo(id, cl_device_info(key), size, &bytes, nil), "clGetDeviceInfo", "text")
      let content = bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      return String(decoding: content, as: UTF8.self).split(separator: " ").joined(separator: " ")
    }
    func number<Value: FixedWidthInteger>(_ key: Int32, _ initial: Value) throws -> Int {
      var value = initial
      try check(
        clGetDeviceInfo(id, cl_device_info(key), MemoryLayout<Value>.size, &value, nil),
        "clGetDeviceInfo", "number")
      return Int(clamping: value)
    }
    self.id = id
    self.platform = platform
    self.platformName = platformName
    self.index = index
    name = try text(CL_DEVICE_NAME)
    vendor = try text(CL_DEVICE_VENDOR)
    version = try text(CL_DEVICE_VERSION)
    driver = try text(CL_DRIVER_VERSION)
    let type = try number(CL_DEVICE_TYPE, cl_ulong(0))
    isGPU = type & Int(CL_DEVICE_TYPE_CPU) == 0
    computeUnits = try number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint(0))
    clockInMegahertz = try number(CL_DEVICE_MAX_CLOCK_FREQUENCY, cl_uint(0))
    memoryInBytes = try number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong(0))
    largestBufferInBytes = try number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong(0))
    localMemoryInBytes = try number(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong(0))
    bufferAlignment = Int(try number(CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint(0))) / 8
    largestWorkGroup = try number(CL_DEVICE_MAX_WORK_GROUP_SIZE, 0)
    supportsHalf = try text(CL_DEVICE_EXTENSIONS).contains("cl_khr_fp16")
    family = DeviceFamily(isCPU: !isGPU, maker: vendor, platform: platformName)
    computeCapability =
      if family == .nvidia, let major = try? number(Self.capabilityMajor, cl_uint(0)),
        let minor = try? number(Self.capabilityMinor, cl_uint(0))
      {
        10 * major + minor
      } else {
        nil
      }
  }

  // Of the extension cl_nv_device_attribute_query.
  private static let capabilityMajor: Int32 = 0x4000
  private static let capabilityMinor: Int32 = 0x4001

  /// All devices of all platforms, in the order in which the loader lists them.
  ///
  /// - Returns: The devices; empty when no driver is installed.
  /// - Throws: ``OpenCLError`` when a driver refuses to describe a device.
  public static func all() throws -> [Device] {
    var count: cl_uint = 0
    // The loader answers CL_PLATFORM_NOT_FOUND_KHR when no driver is installed.
    guard clGetPlatformIDs(0, nil, &count) == CL_SUCCESS, count > 0 else { return [] }
    var platforms = [cl_platform_id?](repeating: nil, count: Int(count))
    try check(clGetPlatformIDs(count, &platforms, nil), "clGetPlatformIDs", "\(count) platforms")
    var devices: [Device] = []
    for platform in platforms {
      var size = 0
      guard clGetPlatformInfo(platform, cl_platform_info(CL_PLATFORM_NAME), 0, nil, &size) == 0
      else { continue }
      var bytes = [CChar](repeating: 0, count: size + 1)
      _ = clGetPlatformInfo(platform, cl_platform_info(CL_PLATFORM_NAME), size, &bytes, nil)
      let platformName = String(
        decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      var deviceCount: cl_uint = 0
      let type = cl_device_type(CL_DEVICE_TYPE_ALL)
      guard clGetDeviceIDs(platform, type, 0, nil, &deviceCount) == CL_SUCCESS else { continue }
      var ids = [cl_device_id?](repeating: nil, count: Int(deviceCount))
      try check(
        clGetDeviceIDs(platform, type, deviceCount, &ids, nil), "clGetDeviceIDs", platformName)
      for id in ids.compactMap({ $0 }) {
        devices.append(
          try Device(id: id, platform: platform, platformName: platformName, index: devices.count))
      }
    }
    return devices
  }

  /// Chooses a device.
  ///
  /// - Parameter wanted: An index, a type (`gpu`, `cpu`) or a part of a name; nil takes the first
  ///   GPU, else the first CPU.
  /// - Returns: The device.
  /// - Throws: ``OpenCLError/noDevice`` or ``OpenCLError/deviceNotFound(wanted:present:)``.
  public static func choose(_ wanted: String?) throws -> Device {
    let devices = try all()
    guard !devices.isEmpty else { throw OpenCLError.noDevice }
    guard let wanted, !wanted.isEmpty else {
      return devices.first { $0.isGPU } ?? devices[0]
    }
    let found: Device? =
      if let index = Int(wanted) {
        devices.first { $0.index == index }
      } else if wanted.lowercased() == "gpu" {
        devices.first { $0.isGPU }
      } else if wanted.lowercased() == "cpu" {
        devices.first { !$0.isGPU }
      } else {
        devices.first { $0.name.lowercased().contains(wanted.lowercased()) }
      }
    guard let found else {
      throw OpenCLError.deviceNotFound(
        wanted: wanted, present: devices.map { "\($0.index) \($0.name)" })
    }
    return found
  }
}
