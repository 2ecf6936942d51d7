import COpenCL

extension Device {
  /// Asks a driver about one of its devices.
  ///
  /// - Throws: ``OpenCLError`` when the driver refuses a question.
  init(id: cl_device_id, platformName: String, index: Int) throws {
    let queries = DeviceQueries(id: id)
    self.id = id
    self.platformName = platformName
    self.index = index
    name = try queries.text(CL_DEVICE_NAME)
    vendor = try queries.text(CL_DEVICE_VENDOR)
    version = try queries.text(CL_DEVICE_VERSION)
    driver = try queries.text(CL_DRIVER_VERSION)
    let extensions = try queries.text(CL_DEVICE_EXTENSIONS).split(separator: " ")
    kind = DeviceKind(bits: try queries.number(CL_DEVICE_TYPE, cl_ulong(0)))
    sharesHostMemory = try queries.number(CL_DEVICE_HOST_UNIFIED_MEMORY, cl_bool(0)) != 0
    // Work is divided among them.
    computeUnits = max(1, try queries.number(CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint(0)))
    clockInMegahertz = try queries.number(CL_DEVICE_MAX_CLOCK_FREQUENCY, cl_uint(0))
    memoryInBytes = try queries.number(CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong(0))
    largestBufferInBytes = try queries.number(CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong(0))
    localMemoryInBytes = try queries.number(CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong(0))
    bufferAlignment = try queries.number(CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint(0)) / 8
    largestWorkGroup = try queries.number(CL_DEVICE_MAX_WORK_GROUP_SIZE, UInt(0))
    supportsHalf = extensions.contains("cl_khr_fp16")
    family = DeviceFamily(isCPU: kind == .cpu, maker: vendor, platform: platformName)
    address = queries.address(extensions: extensions)
    computeCapability =
      if family == .nvidia, let major = try? queries.number(0x4000, cl_uint(0)),
        let minor = try? queries.number(0x4001, cl_uint(0))
      {
        // Of the extension cl_nv_device_attribute_query.
        10 * major + minor
      } else {
        nil
      }
    obstacle = Self.obstacle(
      version: version,
      isAvailable: try queries.number(CL_DEVICE_AVAILABLE, cl_bool(0)) != 0,
      hasCompiler: try queries.number(CL_DEVICE_COMPILER_AVAILABLE, cl_bool(0)) != 0)
  }

  /// Why the program cannot compute on a device.
  ///
  /// - Parameters:
  ///   - version: What it reports, `OpenCL MAJOR.MINOR …`.
  ///   - isAvailable: Whether its driver calls it available.
  ///   - hasCompiler: Whether its driver compiles programs.
  /// - Returns: The reason, or nil when nothing stands in the way.
  static func obstacle(version: String, isAvailable: Bool, hasCompiler: Bool) -> String? {
    let words = version.split(separator: " ")
    let numbers = (words.count > 1 ? words[1] : "").split(separator: ".").map { Int($0) ?? 0 }
    guard numbers.count >= 2, (numbers[0], numbers[1]) >= (1, 2) else {
      return "it reports \"\(version)\" and OpenCL 1.2 is needed"
    }
    guard isAvailable else { return "its driver calls it not available" }
    return hasCompiler ? nil : "its driver has no compiler"
  }
}

extension DeviceKind {
  /// The kind that a driver's type bits name; what is neither GPU nor CPU is an accelerator.
  init(bits: Int) {
    self =
      if bits & Int(CL_DEVICE_TYPE_GPU) != 0 {
        .gpu
      } else if bits & Int(CL_DEVICE_TYPE_CPU) != 0 {
        .cpu
      } else {
        .accelerator
      }
  }
}

/// Questions to a driver about one device.
private struct DeviceQueries {
  let id: cl_device_id

  /// A text with single spaces between words.
  func text(_ key: Int32) throws -> String {
    var size = 0
    try check(
      clGetDeviceInfo(id, cl_device_info(key), 0, nil, &size), "clGetDeviceInfo", "query \(key)")
    var bytes = [CChar](repeating: 0, count: size + 1)
    try check(
      clGetDeviceInfo(id, cl_device_info(key), size, &bytes, nil), "clGetDeviceInfo",
      "query \(key)")
    return String(cBytes: bytes).split(separator: " ").joined(separator: " ")
  }

  func number<Value: FixedWidthInteger>(_ key: Int32, _ initial: Value) throws -> Int {
    var value = initial
    try check(
      clGetDeviceInfo(id, cl_device_info(key), MemoryLayout<Value>.size, &value, nil),
      "clGetDeviceInfo", "query \(key)")
    return Int(clamping: value)
  }

  /// The PCI address by the extension that the driver has for it.
  func address(extensions: [Substring]) -> String? {
    var parts: (cl_uint, cl_uint, cl_uint, cl_uint) = (0, 0, 0, 0)
    if extensions.contains("cl_khr_pci_bus_info"),
      clGetDeviceInfo(id, 0x410F, MemoryLayout.size(ofValue: parts), &parts, nil) == CL_SUCCESS
    {
      return Self.address(Int(parts.0), Int(parts.1), Int(parts.2), Int(parts.3))
    }
    if extensions.contains("cl_nv_device_attribute_query"),
      let bus = try? number(0x4008, cl_uint(0)), let slot = try? number(0x4009, cl_uint(0))
    {
      let domain = (try? number(0x400A, cl_uint(0))) ?? 0
      return Self.address(domain, bus, slot >> 3, slot & 7)
    }
    // A type of 1 (PCIe), 17 unused bytes, then bus, device and function.
    var topology = [UInt8](repeating: 0, count: 24)
    if extensions.contains("cl_amd_device_attribute_query"),
      clGetDeviceInfo(id, 0x4037, topology.count, &topology, nil) == CL_SUCCESS, topology[0] == 1
    {
      return Self.address(0, Int(topology[21]), Int(topology[22]), Int(topology[23]))
    }
    return nil
  }

  private static func address(_ domain: Int, _ bus: Int, _ device: Int, _ function: Int) -> String {
    func hexadecimal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    return "\(hexadecimal(domain, 4)):\(hexadecimal(bus, 2)):\(hexadecimal(device, 2))."
      + hexadecimal(function, 1)
  }
}

extension String {
  /// The characters before the first 0.
  init(cBytes bytes: [CChar]) {
    self.init(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
