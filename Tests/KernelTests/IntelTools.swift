import Foundation
import TestSupport
import Testing

/// Intel's offline compiler.
enum IntelTools {
  /// The compiler: `$BARON_OCLOC`, else the one on the path.
  private static let compiler = Tool.find("ocloc", variable: "BARON_OCLOC")

  /// Why nothing can be compiled; nil when it can.
  static let missing: String? =
    compiler == nil ? "there is no ocloc (BARON_OCLOC) on the path" : nil

  private static let gpus = ["dg2"]

  /// Compiles a source for every GPU.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Its parameters as `-D` options.
  /// - Returns: The kernels of every GPU without their registers; spills in bytes of a thread.
  /// - Throws: `OfflineCompiler.Refusal`, or an error when a tool is missing.
  static func compile(_ source: String, _ options: [String]) throws -> [CompiledKernel] {
    let compiler = try #require(compiler)
    return try gpus.flatMap { gpu in
      let arguments = [
        "-device", gpu, "-options", options.joined(separator: " "), "-internal_options",
        "-cl-intel-allow-zebin -cl-intel-enable-zebin",
      ]
      let (text, kept) = try CompilationMemory.words(of: arguments + [source]) {
        let folder = try TemporaryFolder()
        let file = try folder.write(source, "kernel.cl")
        let (report, status) = try Tool.run(
          compiler, ["compile", "-file", file, "-out_dir", folder.path] + arguments)
        guard status == 0, let binary = try folder.files.first(where: { $0.hasSuffix(".bin") })
        else { throw OfflineCompiler.Refusal(text: "\(gpu): \(report)") }
        return description(in: try Data(contentsOf: URL(filePath: "\(folder.path)/\(binary)")))
      }
      return kernels(text, gpu).map { $0.kept(kept) }
    }
  }

  /// The YAML text inside a program that describes its kernels; empty when there is none.
  private static func description(in program: Data) -> String {
    guard let start = program.firstRange(of: Data("\nkernels:".utf8)) else { return "" }
    return String(decoding: program[start.lowerBound...].prefix { $0 != 0 }, as: UTF8.self)
  }

  /// What the text says of each kernel: memory of a thread, if it has any.
  private static func kernels(_ text: String, _ gpu: String) -> [CompiledKernel] {
    text.components(separatedBy: "\n  - name:").dropFirst().compactMap { entry in
      // A second list of the same names describes their arguments.
      guard entry.contains("execution_env:") else { return nil }
      let name = entry.prefix { $0 != "\n" }.trimmingCharacters(in: .whitespaces)
      guard !name.hasPrefix("Intel_Symbol") else { return nil }
      let memory = entry.matches(of: /- type: +\w+\n +usage: +\w+\n +size: +(\d+)/)
      return CompiledKernel(
        gpu: gpu, name: name, spills: memory.compactMap { Int($0.1) }.reduce(0, +))
    }
  }
}
