import Foundation
import TestSupport
import Testing

@testable import OpenCL

@Suite("Choosing a device")
struct DeviceTests {
  @Test("Devices are numbered from 0 and describe themselves")
  func all() throws {
    try exclusively { _ in
      let devices = try Device.all()
      #expect(devices.map(\.index) == Array(devices.indices))
      for device in devices {
        #expect(!device.name.isEmpty && !device.platformName.isEmpty)
        #expect(device.computeUnits > 0 && device.largestWorkGroup > 0)
        #expect(device.memoryInBytes >= device.largestBufferInBytes)
        #expect(device.isGPU || device.family == (device.compilesForItself ? .cpu : .generic))
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
      for device in try Device.all() {
        #expect(try Device.choose("\(device.index)").index == device.index)
        #expect(try Device.choose(device.isGPU ? "gpu" : "CPU").isGPU == device.isGPU)
        let part = String(device.name.dropFirst(2)).uppercased()
        #expect(try Device.choose(part).name.uppercased().contains(part))
      }
    }
  }

  @Test("Without a wish the first GPU is taken, else the first device")
  func unasked() throws {
    try exclusively { _ in
      let devices = try Device.all()
      let first = devices.first(where: \.isGPU) ?? devices.first
      #expect(try Device.choose(nil).index == first?.index)
      #expect(try Device.choose("").index == first?.index)
    }
  }

  @Test(
    "A wish that nothing matches is answered with the devices there are",
    arguments: [
      "no such device", "9999", "-1",
    ])
  func unknown(wanted: String) throws {
    try exclusively { _ in
      let present = try Device.all().map { "\($0.index) \($0.name)" }.joined(separator: "; ")
      #expect {
        try Device.choose(wanted)
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
      guard try Device.all().isEmpty else { return }
      do {
        _ = try Device.choose(nil)
      } catch OpenCLError.noDevice {
        let text = "\(OpenCLError.noDevice)"
        try? FileManager.default.removeItem(at: folder)
        if text.contains("apt-get install"), text.contains("pocl-opencl-icd") { exit(17) }
      }
    }
  }
}
