import Foundation
import KernelLibrary
import TestSupport
import Testing

/// A program that a check runs when it is there.
enum Tool {
  /// Where a program is: where a variable says, else the first on the path.
  static func find(_ name: String, variable: String? = nil) -> String? {
    let environment = ProcessInfo.processInfo.environment
    if let chosen = variable.flatMap({ environment[$0] }), !chosen.isEmpty { return chosen }
    let folders = (environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// What a program writes to both outputs, and its exit status.
  ///
  /// - Parameters:
  ///   - path: The program.
  ///   - arguments: Its arguments.
  /// - Returns: The text and the status.
  /// - Throws: When it cannot be started.
  static func run(_ path: String, _ arguments: [String]) throws -> (text: String, status: Int32) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (text, process.terminationStatus)
  }
}

/// The clang that checks OpenCL C: `$BARON_CLANG`, else the first on the path.
enum Clang {
  static let path = Tool.find("clang", variable: "BARON_CLANG")

  /// The first clang that compiles for a machine: `$BARON_CLANG`, else one on the path, the newest
  /// first; nil without one.
  ///
  /// - Parameter target: The machine's name among the compiler's targets.
  /// - Returns: Its path.
  static func knowing(_ target: String) -> String? {
    let versions = (14...22).reversed().compactMap { Tool.find("clang-\($0)") }
    return ([path].compactMap { $0 } + versions).first {
      (try? Tool.run($0, ["--print-targets"]))?.text.contains(target) ?? false
    }
  }

  /// Options for a file with inline PTX: a machine whose registers have the same letters, as the
  /// toolchain's clang knows no NVIDIA GPU.
  static func target(of path: String) -> [String] {
    path.hasSuffix("NVIDIA.cl") ? ["-target", "powerpc64le-linux-gnu"] : []
  }

  /// What the compiler says about a source; empty when it has no objection.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Further options.
  /// - Returns: The messages and the exit status.
  /// - Throws: When the compiler cannot be started.
  static func check(_ source: String, _ options: [String]) throws -> (text: String, status: Int32) {
    let folder = try TemporaryFolder()
    let file = try folder.write(source, "kernel.cl")
    return try Tool.run(
      path ?? "clang",
      ["-x", "cl", "-cl-std=CL1.2", "-fsyntax-only", "-Xclang", "-finclude-default-header"]
        + options + [file])
  }
}

@Suite("Kernel syntax", .enabled(if: Clang.path != nil, "there is no clang on the path"))
struct KernelSyntaxTests {
  static let files = (try? KernelFiles.paths().filter { $0.hasSuffix(".cl") }) ?? []

  @Test(
    "Every file is OpenCL C 1.2 for CPUs and for GPUs", arguments: KernelSyntaxTests.files, [0, 1])
  func compiles(path: String, isCPU: Int) throws {
    let (text, status) = try Clang.check(
      try KernelSource.assembled(path),
      ["-DDEVICE_IS_CPU=\(isCPU)", "-DHOST_BUILTINS=\(isCPU)"] + Clang.target(of: path))
    #expect(status == 0, "\(path), DEVICE_IS_CPU=\(isCPU):\n\(text)")
  }

  @Test("The check finds mistakes and names our file and line")
  func findsMistakes() throws {
    let source =
      try KernelSource.assembled("Pointwise.cl") + "__kernel void broken() { missing; }\n"
    let (text, status) = try Clang.check(source, ["-DDEVICE_IS_CPU=1"])
    #expect(status != 0)
    #expect(text.contains("Kernels/Pointwise.cl:"), "\(text)")
  }
}
