import Foundation
import KernelLibrary
import TestSupport
import Testing

/// What generates PTX and what assembles it.
enum PTXTools {
  /// The first clang that knows NVIDIA GPUs: `$BARON_CLANG`, else one on the path.
  static let clang: String? = {
    let names = ["clang"] + (14...22).reversed().map { "clang-\($0)" }
    let found = names.compactMap { Tool.find($0, variable: $0 == "clang" ? "BARON_CLANG" : nil) }
    return found.first {
      (try? Tool.run($0, ["--print-targets"]))?.text.contains("nvptx64") ?? false
    }
  }()

  /// The assembler: `$BARON_PTXAS`, else the one on the path.
  static let assembler = Tool.find("ptxas", variable: "BARON_PTXAS")

  static let areThere = clang != nil && assembler != nil

  static let missing: Comment =
    "there is no clang with an NVPTX back end, or no ptxas (BARON_PTXAS) on the path"

  /// Compiles a file for GPUs and assembles it for sm_80 and sm_90.
  ///
  /// - Parameters:
  ///   - path: The kernel file.
  ///   - options: Its parameters as `-D` options.
  ///   - spills: Whether registers may be kept in memory.
  ///   - mostRegisters: Most registers of an item.
  /// - Returns: What is wrong; nil when nothing is.
  /// - Throws: When a tool or the file is missing.
  static func fault(
    _ path: String, _ options: [String], spills: Bool = false, mostRegisters: Int = 255
  ) throws -> String? {
    let (clang, assembler) = (try #require(clang), try #require(assembler))
    let folder = try TemporaryFolder()
    let (source, ptx) = (folder.path + "/kernel.cl", folder.path + "/kernel.ptx")
    try (PTXBuiltins.text + "\n" + KernelSource.assembled(path))
      .write(toFile: source, atomically: true, encoding: .utf8)
    let (messages, status) = try Tool.run(
      clang,
      [
        "-target", "nvptx64-nvidia-nvcl", "-x", "cl", "-cl-std=CL1.2", "-O3", "-S",
        "-Xclang", "-target-cpu", "-Xclang", "sm_80", "-Xclang", "-target-feature",
        "-Xclang", "+ptx75", "-DDEVICE_IS_CPU=0", "-o", ptx,
      ] + options + [source])
    guard status == 0 else { return messages }
    for architecture in ["sm_80", "sm_90"] {
      let (report, status) = try Tool.run(
        assembler, ["-v", "-arch", architecture, "-o", folder.path + "/kernel.cubin", ptx])
      let stacks = report.split(separator: "\n").filter { $0.contains("bytes spill stores") }
      let isClean = stacks.allSatisfy {
        $0.contains(" 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads")
      }
      let registers = report.matches(of: /Used (\d+) registers/).compactMap { Int($0.1) }
      let isSlim = registers.allSatisfy { $0 <= mostRegisters }
      if status != 0 || stacks.isEmpty || !(isClean || spills) || !isSlim {
        return "\(architecture): \(report)"
      }
    }
    return nil
  }
}
