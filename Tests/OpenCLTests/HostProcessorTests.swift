import Foundation
import Testing

@testable import OpenCL

@Suite("The host's processor")
struct HostProcessorTests {
  @Test("it has the instructions that the system lists")
  func flags() throws {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return }
    let isListed = text.split(separator: "\n").contains {
      $0.hasPrefix("flags") && $0.split(separator: " ").contains("avx512_bf16")
    }
    #expect(HostProcessor.multipliesBFloat16 == isListed)
  }

  @Test("PoCL's own devices run on it, those of other machines and drivers do not")
  func devices() {
    let pocl = "Portable Computing Language"
    func runs(
      _ name: String, _ platform: String, _ kind: DeviceKind = .cpu, drivers: String = ""
    ) -> Bool {
      Device.runsOnHost(name: name, platform: platform, kind: kind, drivers: drivers)
    }
    #expect(runs("pthread-skylake-avx512-AMD EPYC", pocl))
    #expect(runs("cpu-znver4-AMD EPYC", pocl) && runs("basic-haswell", pocl, drivers: "basic"))
    #expect(!runs("cpu-znver4-AMD EPYC", pocl, drivers: "remote cpu"))
    #expect(!runs("Tesla T4", pocl, .gpu) && !runs("AMD EPYC", pocl))
    #expect(!runs("cpu-znver4-AMD EPYC", "Intel(R) OpenCL"))
  }
}
