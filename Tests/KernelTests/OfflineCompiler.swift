import Foundation
import KernelLibrary
import Synchronization
import Testing

/// What a GPU's compiler made of a kernel.
struct CompiledKernel {
  /// The GPU's name.
  let gpu: String
  let name: String
  /// Registers of an item; nil where the compiler does not say.
  var registers: Int?
  /// What an item keeps in memory for want of registers, in the compiler's unit: bytes or registers.
  var spills = 0
  /// Whether that is known from before.
  var isKept = false

  /// The same, known from before or not.
  func kept(_ isKept: Bool) -> CompiledKernel {
    var kernel = self
    kernel.isKept = isKept
    return kernel
  }
}

/// What compiles kernels for a vendor's GPUs on a machine without one.
enum OfflineCompiler: String, CaseIterable {
  case nvidia, amd, intel

  /// The message of a compiler that does not take a source.
  struct Refusal: Error {
    let text: String
  }

  /// Why it cannot be used; nil when it can.
  var missing: String? {
    switch self {
    case .nvidia: PTXTools.missing
    case .amd: AMDTools.missing
    case .intel: IntelTools.missing
    }
  }

  /// Compiles a source for each of the vendor's GPUs.
  ///
  /// - Parameters:
  ///   - source: OpenCL C.
  ///   - options: Its parameters as `-D` options.
  /// - Returns: The kernels of every GPU.
  /// - Throws: `Refusal`, or an error when a tool cannot be started.
  func compile(_ source: String, _ options: [String]) throws -> [CompiledKernel] {
    switch self {
    case .nvidia: try PTXTools.compile(source, options)
    case .amd: try AMDTools.compile(source, options)
    case .intel: try IntelTools.compile(source, options)
    }
  }

  /// Compiles a file and looks at what became of it.
  ///
  /// - Parameters:
  ///   - path: The kernel file.
  ///   - options: Its parameters as `-D` options.
  ///   - mostSpills: Most that an item may keep in memory, in the compiler's unit.
  ///   - mostRegisters: Most registers of an item.
  /// - Returns: What is wrong; nil when nothing is.
  /// - Throws: When a tool or the file is missing.
  func fault(
    _ path: String, _ options: [String], mostSpills: Int = 0, mostRegisters: Int = 255
  ) throws -> String? {
    let kernels: [CompiledKernel]
    do {
      kernels = try compile(try KernelSource.assembled(path), options + ["-DDEVICE_IS_CPU=0"])
    } catch let refusal as Refusal { return refusal.text }
    try Self.report(kernels, path, options)
    guard !kernels.isEmpty else { return "no kernel came out" }
    let bad = kernels.filter {
      $0.spills > mostSpills || ($0.registers ?? 0) > mostRegisters
    }
    return bad.isEmpty ? nil : bad.map { "\($0)" }.joined(separator: "\n")
  }

  private static let reporting = Mutex(())

  /// Appends a line for each kernel to the file that `BARON_COMPILED` names, for tables of figures.
  private static func report(
    _ kernels: [CompiledKernel], _ path: String, _ options: [String]
  ) throws {
    guard let file = ProcessInfo.processInfo.environment["BARON_COMPILED"] else { return }
    let lines = kernels.map {
      let registers = $0.registers.map(String.init) ?? "-"
      return [
        $0.gpu, path, options.joined(separator: " "), $0.name, registers, "\($0.spills)",
        $0.isKept ? "before" : "now",
      ].joined(separator: "\t") + "\n"
    }
    try reporting.withLock { _ in
      let descriptor = open(file, O_WRONLY | O_APPEND | O_CREAT, 0o644)
      try #require(descriptor >= 0, "cannot write \(file)")
      try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        .write(contentsOf: Data(lines.joined().utf8))
    }
  }
}

@Suite("Compilers of GPUs")
struct OfflineCompilerTests {
  /// An item that indexes more numbers than any GPU has registers for it.
  static let greedy = """
    __kernel void greedy(__global float *x, int step) {
      float kept[1024];
      for (int i = 0; i < 1024; i++)
        kept[i] = x[i * step];
      for (int i = 0; i < 1024; i++)
        x[i] = kept[(i * step) & 1023];
    }

    """

  @Test(
    "A kernel that spills is found, and so is a mistake",
    arguments: OfflineCompiler.allCases.filter { $0.missing == nil })
  func findsFaults(compiler: OfflineCompiler) throws {
    let kernels = try compiler.compile(Self.greedy, [])
    #expect(!kernels.isEmpty)
    for kernel in kernels {
      #expect(kernel.name == "greedy")
      #expect(kernel.spills > 0, "\(kernel)")
    }
    #expect(throws: OfflineCompiler.Refusal.self) {
      try compiler.compile(Self.greedy + "__kernel void broken() { missing; }\n", [])
    }
  }
}
