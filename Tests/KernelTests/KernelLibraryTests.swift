import Foundation
import KernelLibrary
import OpenCL
import TestSupport
import Testing

@Suite("Kernel library")
struct KernelLibraryTests {
  private func withCache(_ body: (Context, _ folder: String) throws -> Void) throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    try TestDevice.withContext { shared in
      try body(try Context(device: shared.device, cache: ProgramCache(folder: folder)), folder)
    }
  }

  private func entries(_ folder: String) -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: folder))?.count ?? 0
  }

  @Test("programs are counted by where they came from")
  func counts() throws {
    try withCache { context, folder in
      let library = KernelLibrary(context: context)
      _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
      _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
      #expect((library.compiledCount, library.cachedCount) == (1, 0))
      #expect(entries(folder) == 1)
      let second = KernelLibrary(context: context)
      _ = try second.kernel("pointwise_scale_forward", in: "Pointwise")
      _ = try second.kernel("optimizer_squares_forward", in: "Optimizer")
      #expect((second.compiledCount, second.cachedCount) == (1, 1))
    }
  }

  @Test("a library that stores later writes when told, and at once from then on")
  func later() throws {
    try withCache { context, folder in
      let library = KernelLibrary(context: context, storing: .later)
      _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
      #expect(entries(folder) == 0)
      #expect(library.waitingCount == 1)
      library.storePrograms()
      #expect(entries(folder) == 1 && library.waitingCount == 0)
      _ = try library.kernel("optimizer_squares_forward", in: "Optimizer")
      #expect(entries(folder) == 2)
      library.storePrograms()
      #expect(entries(folder) == 2)
      let second = KernelLibrary(context: context, storing: .later)
      _ = try second.kernel("pointwise_scale_forward", in: "Pointwise")
      #expect((second.compiledCount, second.cachedCount, second.waitingCount) == (0, 1, 0))
    }
  }

  /// What every program of a context is compiled with.
  private static func options(_ context: Context) -> String {
    context.family == .cpu ? "-D DEVICE_IS_CPU=1 -D HOST_BUILTINS=1" : "-D DEVICE_IS_CPU=0"
  }

  @Test("a key names file and options")
  func keys() throws {
    try withCache { context, folder in
      let library = KernelLibrary(context: context)
      let key = "Pointwise \(Self.options(context))"
      try KernelLibrary.store(key, context: context)
      #expect(entries(folder) == 1)
      _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
      #expect((library.compiledCount, library.cachedCount) == (0, 1))
      #expect(throws: KernelSource.Missing.self) {
        try KernelLibrary.store("Pointless -D SIDE=1", context: context)
      }
    }
  }

  @Test("a library remembers what it needed, in order, and asks helpers for what is missing")
  func list() throws {
    try withCache { context, folder in
      let cache = try #require(context.cache)
      let list = ProgramList(cache: cache, family: context.family, configuration: "any")
      func use() throws -> KernelLibrary {
        let library = KernelLibrary(context: context, storing: .later, list: list)
        _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
        _ = try library.kernel("optimizer_squares_forward", in: "Optimizer")
        library.storePrograms()
        return library
      }
      _ = try use()
      let options = Self.options(context)
      let lists = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/lists")
      let path = "\(folder)/lists/\(try #require(lists.first))"
      let text = "Pointwise \(options)\nOptimizer \(options)\n"
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      // Lines of another version and plain nonsense cost nothing.
      try Data("Gone -D A=1\n\u{0}\n../x\n\(text)".utf8).write(to: URL(filePath: path))
      context.helpers = ProgramHelpers(executable: "/bin/cat", arguments: [], limit: 2)
      let second = try use()
      #expect((second.compiledCount, second.cachedCount, second.aheadCount) == (0, 2, 0))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      for entry in try FileManager.default.contentsOfDirectory(atPath: folder)
      where entry != "lists" { try FileManager.default.removeItem(atPath: "\(folder)/\(entry)") }
      let third = try use()
      #expect((third.compiledCount, third.cachedCount, third.aheadCount) == (2, 0, 0))
    }
  }

  @Test(
    "helpers that fail or cannot be started cost nothing but time",
    arguments: [
      ["/bin/false"], ["/bin/sh", "-c", "kill -9 $$"], ["/nowhere/baron"],
    ])
  func failingHelpers(command: [String]) throws {
    try withCache { context, folder in
      context.helpers = ProgramHelpers(
        executable: command[0], arguments: Array(command.dropFirst()), limit: 2)
      let library = KernelLibrary(context: context, storing: .later)
      _ = try library.kernel("pointwise_scale_forward", in: "Pointwise")
      _ = try library.kernel("optimizer_squares_forward", in: "Optimizer")
      library.storePrograms()
      #expect(library.helpedCount == 0 && entries(folder) == 2)
    }
  }
}
