import Formats
import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// Products' variants that are tried in another process, with a driver that fails in each way.
@Suite(
  "Trials in another process",
  .enabled(if: BaronProcess.path != nil, "the program is missing: build it first"))
struct VariantTrialTests {
  /// Multiplies by emulated tensor cores of two tiles.
  ///
  /// - Returns: What was found of each tile's variant, by its rows, and the name of the rung.
  private func multiply(
    cache: String, environment: [String: String], seconds: Double
  ) throws -> (faults: [Int: String], rung: String) {
    var found: [Int: String] = [:]
    var rung = ""
    try TestDevice.withContext { shared in
      let cache = ProgramCache(folder: cache)
      let context = try Context(
        device: shared.device, family: .generic, poisonsBuffers: true, cache: cache)
      context.trials = TrialHelper(
        executable: try #require(BaronProcess.path),
        arguments: [
          "try-variants", "--device", "\(context.device.index)", "--family", "generic",
          "--cache", cache.folder,
        ], environment: environment, seconds: seconds)
      let stream = try ComputeStream(context: context, activationType: .bfloat16)
      let matrix = stream.matrix
      matrix.activationCores = TensorCores(
        precision: .bf16, operands: .bfloat16, tiles: Array(WarpTile.all.suffix(2)),
        isEmulated: true)
      matrix.variantTrial = { [unowned stream] in VariantTrial($0, with: $1).fault(on: stream) }
      let x = try Tensor(repeating: 1, shape: [40, 24], on: stream).converted(to: .bfloat16)
      let product = try x.matrixProduct(x, transposeRight: true)
      #expect(try product.floats() == [Float](repeating: 24, count: 1600))
      found = [Int: String](
        matrix.faults.map { ($0.key.tile.rows, $0.value) }, uniquingKeysWith: { $1 })
      rung = matrix.rung
    }
    return (found, rung)
  }

  @Test("what works is known at the next start, without the other process")
  func works() throws {
    let scratch = try Scratch()
    let cache = scratch.folder + "/cache"
    let first = try multiply(cache: cache, environment: [:], seconds: 300)
    #expect(first.faults == [64: ""] && first.rung.hasSuffix("; 1 variants tried"))
    let again = try multiply(cache: cache, environment: ["LD_PRELOAD": "/no.so"], seconds: 0)
    #expect(again.faults == [64: ""])
  }

  @Test(
    "a driver that fails at a variant costs that variant, with the reason",
    .enabled(if: BadDriver.available, BadDriver.missing),
    arguments: [
      ("abort();", "with signal 6"), ("exit(3);", "with status 3"),
      ("pause();", "no answer within 8 s"),
      ("return -11;", "it does not compile: CL_BUILD_PROGRAM_FAILURE"),
      ("return -6;", "CL_OUT_OF_HOST_MEMORY"), ("wrong = 1;", "wrong by nan"),
    ])
  func fails(fault: String, reason: String) throws {
    let scratch = try Scratch()
    let driver = try BadDriver.make(
      """
      static int wrong;
      int clBuildProgram(void *p, unsigned n, void *d, const char *options, void *f, void *u) {
        int (*real)() = dlsym(RTLD_NEXT, "clBuildProgram");
        if (strstr(options, "TILE_M=64") || strstr(options, "TILE_M=128")) { \(fault) }
        return real(p, n, d, options, f, u);
      }
      int clEnqueueNDRangeKernel(void *q, void *k, unsigned n, void *o, void *g, void *l,
                                 unsigned c, void *w, void *e) {
        int (*real)() = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
        char name[256] = "";
        int (*ask)() = dlsym(RTLD_NEXT, "clGetKernelInfo");
        ask(k, 0x1190, sizeof name, name, 0);
        if (wrong && strstr(name, "matrix_product")) return 0;
        return real(q, k, n, o, g, l, c, w, e);
      }
      """, in: scratch)
    let cache = scratch.folder + "/cache"
    let (faults, rung) = try multiply(
      cache: cache, environment: driver.merging(["POCL_CACHE_DIR": scratch.folder]) { $1 },
      seconds: reason.contains("no answer") ? 8 : 300)
    #expect(Set(faults.keys) == [64, 128])
    for text in faults.values {
      #expect(text.contains(reason) && !text.contains("\n"), "\(text)")
    }
    #expect(rung.hasSuffix("; 2 variants tried, 2 left to other kernels"), "\(rung)")
  }
}
