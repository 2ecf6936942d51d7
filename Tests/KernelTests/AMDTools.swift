import Foundation
import TestSupport
import Testing

/// A clang that compiles for AMD's GPUs, with the library of OpenCL's functions that ROCm's driver links.
enum AMDTools {
  private static let clang = Clang.knowing("amdgcn")
  private static let folders = [
    ProcessInfo.processInfo.environment["BARON_ROCM_BITCODE"],
    "/usr/lib/x86_64-linux-gnu/amdgcn/bitcode", "/opt/rocm/amdgcn/bitcode",
  ]
  /// Where the library is: `$BARON_ROCM_BITCODE`, else Debian's or ROCm's folder.
  private static let library = folders.compactMap { $0 }.first {
    FileManager.default.fileExists(atPath: $0 + "/opencl.bc")
  }

  /// Why nothing can be compiled; nil when it can.
  static let missing: String? =
    clang != nil && library != nil
    ? nil
    : "there is no clang with an AMDGPU back end (BARON_CLANG), or no rocm-device-libs "
      + "(BARON_ROCM_BITCODE)"

  /// A GPU, the names of what its instructions are called in the library, the newest first, and
  /// whether 64 items go together.
  private static let gpus: [(name: String, versions: [String], wide: Bool)] = [
    ("gfx90a", ["90a"], true), ("gfx1100", ["1100", "1036"], false),
  ]

  /// Compiles and links a source for every GPU.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Its parameters as `-D` options.
  /// - Returns: The kernels of every GPU; spills in registers, scratch in bytes with them.
  /// - Throws: `OfflineCompiler.Refusal`, or an error when a tool is missing.
  static func compile(_ source: String, _ options: [String]) throws -> [CompiledKernel] {
    let (clang, library) = (try #require(clang), try #require(library))
    return try gpus.flatMap { gpu in
      let parts = parts(gpu.versions, gpu.wide, in: library)
      let arguments =
        [
          "-target", "amdgcn-amd-amdhsa", "-mcpu=\(gpu.name)", "-mcode-object-version=5",
          "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-O3",
          "-nogpulib", "-Rpass-analysis=kernel-resource-usage",
        ] + parts.flatMap { ["-Xclang", "-mlink-builtin-bitcode", "-Xclang", $0] } + options
      let (report, kept) = try CompilationMemory.words(of: arguments + [source]) {
        let folder = try TemporaryFolder()
        let file = try folder.write(source, "kernel.cl")
        let (report, status) = try Tool.run(
          clang, arguments + ["-o", folder.path + "/kernel.co", file])
        guard status == 0 else { throw OfflineCompiler.Refusal(text: "\(gpu.name): \(report)") }
        return report
      }
      return kernels(report, gpu.name).map { $0.kept(kept) }
    }
  }

  /// The files of the library, with what the driver sets: exact roots, denormals, infinities.
  private static func parts(_ versions: [String], _ wide: Bool, in library: String) -> [String] {
    let version =
      versions.first {
        FileManager.default.fileExists(atPath: "\(library)/oclc_isa_version_\($0).bc")
      } ?? versions[0]
    return [
      "opencl", "ocml", "ockl", "oclc_isa_version_\(version)",
      "oclc_wavefrontsize64_\(wide ? "on" : "off")", "oclc_abi_version_500",
      "oclc_daz_opt_off", "oclc_finite_only_off", "oclc_unsafe_math_off",
      "oclc_correctly_rounded_sqrt_on",
    ].map { "\(library)/\($0).bc" }
      // Later versions of the library have no switch for denormals.
      .filter { !$0.hasSuffix("daz_opt_off.bc") || FileManager.default.fileExists(atPath: $0) }
  }

  /// What the compiler's remarks say of each kernel, but for the bodies that newer versions of clang
  /// keep beside them.
  private static func kernels(_ report: String, _ gpu: String) -> [CompiledKernel] {
    var kernels: [CompiledKernel] = []
    for line in report.split(separator: "\n") {
      if let name = line.firstMatch(of: /remark: +Function Name: (\w+)/)?.1 {
        kernels.append(CompiledKernel(gpu: gpu, name: String(name)))
      }
      guard let last = kernels.indices.last else { continue }
      if let count = line.firstMatch(of: /\bVGPRs: (\d+)/)?.1 {
        kernels[last].registers = Int(count)
      }
      if let count = line.firstMatch(of: /(?:GPRs Spill|ScratchSize \[bytes\/lane\]): (\d+)/)?.1 {
        kernels[last].spills += Int(count) ?? 0
      }
      if line.contains("Dynamic Stack: True") { kernels[last].spills += 1 }
    }
    return kernels.filter { !$0.name.hasPrefix("__clang_ocl_kern_imp_") }
  }
}
