import Foundation
import TestSupport
import Testing

@testable import OpenCL

@Suite("Choosing a device")
struct DeviceTests {
  @Test("Devices are numbered from 0 and describe themselves")
  func all() throws {
    try exclusively { _ in
      let devices = DeviceSurvey().devices
      #expect(devices.map(\.index) == Array(devices.indices))
      for device in devices {
        #expect(!device.name.isEmpty && !device.platformName.isEmpty)
        #expect(device.computeUnits > 0 && device.largestWorkGroup > 0)
        #expect(device.memoryInBytes >= device.largestBufferInBytes)
        let family: DeviceFamily = device.compilesForItself ? .cpu : .generic
        #expect(device.kind != .cpu || device.family == family)
      }
    }
  }

  @Test(
    "Kernels for one thread a work-item go to compilers that make one of it",
    arguments: [
      (true, "AuthenticAMD", "Portable Computing Language", DeviceFamily.cpu),
      (true, "Intel(R) Corporation", "Intel(R) OpenCL", .cpu),
      (true, "Intel(R) Corporation", "Intel(R) CPU Runtime for OpenCL(TM) Applications", .cpu),
      (true, "Mesa/X.org", "rusticl", .generic), (true, "Oclgrind", "Oclgrind", .generic),
      (false, "NVIDIA Corporation", "NVIDIA CUDA", .nvidia),
      (false, "Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", .amd),
      (false, "Intel(R) Corporation", "Intel(R) OpenCL HD Graphics", .intel),
      (false, "ARM", "ARM Platform", .generic),
    ])
  func family(isCPU: Bool, maker: String, platform: String, family: DeviceFamily) {
    #expect(DeviceFamily(isCPU: isCPU, maker: maker, platform: platform) == family)
  }

  @Test("The family of kernels can be asked for by name, and a wrong name is answered with all")
  func wantedFamily() throws {
    #expect(try DeviceFamily.wanted(nil) == nil && DeviceFamily.wanted("") == nil)
    for family in DeviceFamily.allCases {
      #expect(try DeviceFamily.wanted(family.rawValue.uppercased()) == family)
    }
    #expect {
      try DeviceFamily.wanted("gpu")
    } throws: { error in
      "\(error)" == "BARON_KERNEL_FAMILY is 'gpu' and must be one of cpu, nvidia, amd, intel, "
        + "generic"
    }
  }

  @Test("A device is found by index, by type and by a part of its name in any case")
  func found() throws {
    try exclusively { _ in
      for device in DeviceSurvey().devices {
        let byIndex = try Device.choose("\(device.index)")
        let byKind = try Device.choose(device.kind.rawValue.uppercased())
        let part = String(device.name.dropFirst(2)).uppercased()
        let byName = try Device.choose(part)
        #expect(byIndex.index == device.index && byKind.kind == device.kind)
        #expect(byName.name.uppercased().contains(part))
      }
    }
  }

  @Test("Without a wish the first GPU is taken, else the first device")
  func unasked() throws {
    try exclusively { _ in
      let devices = DeviceSurvey().devices
      let usable = devices.filter { $0.obstacle == nil }
      let first = usable.first(where: \.isGPU) ?? usable.first { $0.kind == .cpu } ?? usable.first
      let (unasked, empty) = (try Device.choose(nil), try Device.choose(""))
      #expect(unasked.index == first?.index && empty.index == first?.index)
    }
  }

  @Test(
    "A wish that nothing matches is answered with the devices there are",
    arguments: [
      "no such device", "9999", "-1",
    ])
  func unknown(wanted: String) throws {
    try exclusively { _ in
      let present = DeviceSurvey().devices.map { "\($0.index) \($0.name)" }.joined(separator: "; ")
      #expect {
        _ = try Device.choose(wanted)
      } throws: { error in
        "\(error)" == "no OpenCL device matches '\(wanted)'; give an index, a type (gpu, cpu) or "
          + "a part of a name of: \(present)"
      }
    }
  }

  @Test("A machine without drivers is told what to install")
  func noDriver() async {
    // A process of its own: the loader reads its folder of drivers once.
    await #expect(processExitsWith: .exitCode(17)) {
      let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("baron-no-drivers-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      setenv("OCL_ICD_VENDORS", folder.path, 1)
      defer { try? FileManager.default.removeItem(at: folder) }
      guard DeviceSurvey().devices.isEmpty else { return }
      do {
        _ = try Device.choose(nil)
      } catch OpenCLError.noDevice(let causes) {
        let text = "\(OpenCLError.noDevice(causes: causes))"
        try? FileManager.default.removeItem(at: folder)
        if text.contains("apt-get install"), text.contains("pocl-opencl-icd") { exit(17) }
      }
    }
  }

  @Test("A build that fails because PoCL cannot keep its files says so, others do not")
  func failedBuilds() throws {
    let pocl = "Portable Computing Language"
    let log = "Device pthread failed to build the program"
    let line = DriverDiagnosis.failedBuild(platform: pocl, log: log, cache: "/proc/self/nothing")
    #expect(
      line
        == "its cache folder /proc/self/nothing cannot be written to; set POCL_CACHE_DIR to another "
        + "folder")
    let folder = NSTemporaryDirectory()
    #expect(DriverDiagnosis.failedBuild(platform: pocl, log: log, cache: folder) == nil)
    for (platform, log) in [(pocl, "x.cl:3:1: error: unknown type"), ("Other", log)] {
      #expect(
        DriverDiagnosis.failedBuild(platform: platform, log: log, cache: "/proc/self/nothing")
          == nil)
    }
  }

  @Test("A driver that does not load is named with its file and the linker's reason")
  func brokenDriver() async {
    await #expect(processExitsWith: .exitCode(17)) {
      let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("baron-broken-driver-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let file = folder.appendingPathComponent("vendor.icd")
      try Data("/nowhere/libvendor.so\n".utf8).write(to: file)
      setenv("OCL_ICD_VENDORS", folder.path, 1)
      defer { try? FileManager.default.removeItem(at: folder) }
      do {
        _ = try Device.choose(nil)
      } catch {
        let text = "\(error)"
        try? FileManager.default.removeItem(at: folder)
        let reason = "/nowhere/libvendor.so: cannot open"
        if text.contains(file.path), text.contains(reason) { exit(17) }
      }
    }
  }
}

@Suite("Choosing among many devices")
struct DeviceSurveyTests {
  private static func device(
    _ index: Int, _ kind: DeviceKind, _ name: String, shared: Bool = false,
    version: String = "OpenCL 1.2 test", address: String? = nil
  ) -> Device {
    Device(
      id: nil, index: index, name: name, vendor: "Test", platformName: "Test", version: version,
      driver: "1", kind: kind, sharesHostMemory: shared, address: address,
      obstacle: Device.obstacle(version: version, isAvailable: true, hasCompiler: true),
      family: .generic, computeUnits: 1, clockInMegahertz: 1, memoryInBytes: 1 << 30,
      largestBufferInBytes: 1 << 28, localMemoryInBytes: 1 << 15, bufferAlignment: 128,
      largestWorkGroup: 256, supportsHalf: false, computeCapability: nil)
  }

  private let survey = DeviceSurvey(
    devices: [
      device(0, .accelerator, "FPGA emulation"),
      device(1, .gpu, "Old GPU", version: "OpenCL 1.1 Mesa"),
      device(2, .cpu, "CPU"),
      device(3, .gpu, "Integrated GPU", shared: true),
      device(4, .gpu, "Big GPU", address: "0000:3b:00.0"),
      device(5, .gpu, "Big GPU", address: "0000:86:00.0"),
    ], notes: [])

  @Test(
    "Discrete before integrated, GPU before CPU before accelerator, and never what cannot compute",
    arguments: [
      (nil, 4), ("gpu", 4), ("cpu", 2), ("accelerator", 0), ("big", 4), ("0000:86:00.0", 5),
      ("integrated", 3), ("GPU", 4), ("5", 5), ("0", 0),
    ] as [(String?, Int)])
  func order(wanted: String?, index: Int) throws {
    let found = try survey.choose(wanted).index
    #expect(found == index)
  }

  @Test("Without a GPU the CPU comes before an accelerator that is listed first")
  func accelerator() throws {
    let two = DeviceSurvey(devices: Array(survey.devices.prefix(3)), notes: [])
    let found = try two.choose(nil).index
    #expect(found == 2)
  }

  @Test("A device that cannot compute is refused with the reason, also by its number")
  func unusable() {
    for wanted in ["1", "old gpu"] {
      #expect {
        _ = try survey.choose(wanted)
      } throws: { error in
        "\(error)"
          == "the OpenCL device Old GPU cannot be used: it reports \"OpenCL 1.1 Mesa\" and "
          + "OpenCL 1.2 is needed; 'baron devices' lists the others"
      }
    }
  }

  @Test(
    "What stands in the way of computing",
    arguments: [
      ("OpenCL 1.2 pocl", true, true, nil), ("OpenCL 3.0 ", true, true, nil),
      ("OpenCL 1.1 Mesa 22.3", true, true, "it reports \"OpenCL 1.1 Mesa 22.3\""),
      ("", true, true, "it reports \"\""), ("OpenCL", true, true, "it reports"),
      ("OpenCL 3.0", false, true, "not available"), ("OpenCL 3.0", true, false, "no compiler"),
    ] as [(String, Bool, Bool, String?)])
  func obstacle(version: String, isAvailable: Bool, hasCompiler: Bool, part: String?) {
    let found = Device.obstacle(
      version: version, isAvailable: isAvailable, hasCompiler: hasCompiler)
    if let part { #expect(found?.contains(part) == true) } else { #expect(found == nil) }
  }

  @Test("Notes of drivers that gave no device are the causes of there being none")
  func causes() {
    #expect {
      _ = try DeviceSurvey(devices: [], notes: ["Clover answers no device"]).choose(nil)
    } throws: { "\($0)".hasPrefix("no OpenCL device found: Clover answers no device") }
  }
}
