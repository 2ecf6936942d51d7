import CProcessor
import Foundation

/// The processor of this machine.
package enum HostProcessor {
  /// Whether it multiplies pairs of bfloat16 by one instruction, AVX512_BF16.
  package static let multipliesBFloat16 = processor_has_avx512_bf16()
}

extension Device {
  /// Whether kernels run on ``HostProcessor`` and may name its instructions: a device of PoCL that is
  /// no other machine's.
  ///
  /// A compiler that assembles an instruction does not ask whether the processor has it; one that
  /// lacks it ends the process.
  package var runsOnHost: Bool {
    Self.runsOnHost(
      name: name, platform: platformName, kind: kind,
      drivers: ProcessInfo.processInfo.environment["POCL_DEVICES"] ?? "")
  }

  /// The same by what a driver says; `drivers` is what `$POCL_DEVICES` asks PoCL for.
  static func runsOnHost(
    name: String, platform: String, kind: DeviceKind, drivers: String
  ) -> Bool {
    // The names of PoCL's drivers for the machine's own processor.
    let isOwn = ["pthread", "cpu", "basic"].contains { name.hasPrefix($0) }
    return kind == .cpu && platform == "Portable Computing Language" && isOwn
      && !drivers.lowercased().contains("remote")
  }
}
