import Foundation
import KernelLibrary
import Testing

/// The clang that checks OpenCL C: `$BARON_CLANG`, else the first on the path.
enum Clang {
  static let path: String? = {
    let environment = ProcessInfo.processInfo.environment
    if let chosen = environment["BARON_CLANG"], !chosen.isEmpty { return chosen }
    let folders = (environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/clang" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// What the compiler says about a source; empty when it has no objection.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Further options.
  /// - Returns: The messages and the exit status.
  /// - Throws: When the compiler cannot be started.
  static func check(_ source: String, _ options: [String]) throws -> (text: String, status: Int32) {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("kernel-\(UUID().uuidString).cl")
    try source.write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path ?? "clang")
    process.arguments =
      ["-x", "cl", "-cl-std=CL1.2", "-fsyntax-only", "-Xclang", "-finclude-default-header"]
      + options + [file.path]
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (text, process.terminationStatus)
  }
}

@Suite("Kernel syntax", .enabled(if: Clang.path != nil, "there is no clang on the path"))
struct KernelSyntaxTests {
  static let files = (try? KernelFiles.paths().filter { $0.hasSuffix(".cl") }) ?? []

  @Test(
    "Every file is OpenCL C 1.2 for CPUs and for GPUs", arguments: KernelSyntaxTests.files, [0, 1])
  func compiles(path: String, isCPU: Int) throws {
    let (text, status) = try Clang.check(
      try KernelSource.assembled(path), ["-DDEVICE_IS_CPU=\(isCPU)"])
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
