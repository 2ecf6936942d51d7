import Foundation
import KernelLibrary
import OpenCL
import TestSupport
import Testing

@Suite("Kernel library")
struct KernelLibraryTests {
  private func withCache(_ body: (Context, _ folder: String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.path + "/baron-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
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
}
