import Foundation
import TestSupport
import Testing

/// What generates PTX and what assembles it for NVIDIA's GPUs.
enum PTXTools {
  private static let clang = Clang.knowing("nvptx64")
  /// The assembler: `$BARON_PTXAS`, else the one on the path.
  private static let assembler = Tool.find("ptxas", variable: "BARON_PTXAS")

  /// Why PTX cannot be assembled; nil when it can.
  static let missing: String? =
    clang != nil && assembler != nil
    ? nil : "there is no clang with an NVPTX back end, or no ptxas (BARON_PTXAS) on the path"

  /// From the oldest that has what the tensor-core kernels need; those that the assembler knows.
  private static let gpus: [String] = {
    guard let assembler, let help = try? Tool.run(assembler, ["--help"]).text else { return [] }
    return ["sm_80", "sm_90a", "sm_100", "sm_120"].filter { help.contains("'\($0)'") }
  }()

  /// Compiles a source and assembles it for every GPU.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Its parameters as `-D` options.
  /// - Returns: The kernels of every GPU; spills in bytes, with the stack that they are in.
  /// - Throws: `OfflineCompiler.Refusal`, or an error when a tool is missing.
  static func compile(_ source: String, _ options: [String]) throws -> [CompiledKernel] {
    let (clang, assembler) = (try #require(clang), try #require(assembler))
    let folder = try TemporaryFolder()
    let ptx = folder.path + "/kernel.ptx"
    let source = PTXBuiltins.text + "\n" + source
    let arguments =
      [
        "-target", "nvptx64-nvidia-nvcl", "-x", "cl", "-cl-std=CL1.2", "-O3", "-S",
        "-Xclang", "-target-cpu", "-Xclang", "sm_80", "-Xclang", "-target-feature",
        "-Xclang", "+ptx75",
      ] + options
    func generate() throws -> String {
      let file = try folder.write(source, "kernel.cl")
      let (messages, status) = try Tool.run(clang, arguments + ["-o", ptx, file])
      guard status == 0 else { throw OfflineCompiler.Refusal(text: messages) }
      return CompilationMemory.digest([try String(contentsOfFile: ptx, encoding: .utf8)])
    }
    // Sources that differ in comments alone, or in parameters without effect, give the same PTX.
    let (digest, _) = try CompilationMemory.words(of: arguments + [source], generate)
    return try gpus.flatMap { gpu in
      let arguments = ["-v", "-arch", gpu]
      let (report, kept) = try CompilationMemory.words(of: arguments + [digest]) {
        if !FileManager.default.fileExists(atPath: ptx) { _ = try generate() }
        let (report, status) = try Tool.run(
          assembler, arguments + ["-o", folder.path + "/kernel.cubin", ptx])
        guard status == 0 else { throw OfflineCompiler.Refusal(text: "\(gpu): \(report)") }
        return report
      }
      return kernels(report, gpu).map { $0.kept(kept) }
    }
  }

  /// What the assembler's report says of each kernel, which it names before anything else.
  private static func kernels(_ report: String, _ gpu: String) -> [CompiledKernel] {
    var kernels: [CompiledKernel] = []
    for line in report.split(separator: "\n") {
      if let name = line.firstMatch(of: /Compiling entry function '(\w+)'/)?.1 {
        kernels.append(CompiledKernel(gpu: gpu, name: String(name)))
      }
      guard let last = kernels.indices.last else { continue }
      if let count = line.firstMatch(of: /Used (\d+) registers/)?.1 {
        kernels[last].registers = Int(count)
      }
      if let bytes = line.firstMatch(of: /(\d+) bytes stack frame, (\d+) bytes spill stores/) {
        // What is spilled lies in the frame. What a kernel calls has figures of its own, which follow.
        kernels[last].spills = max(
          kernels[last].spills, max(Int(bytes.1) ?? 0, Int(bytes.2) ?? 0))
      }
    }
    return kernels
  }
}
