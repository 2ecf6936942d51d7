import Foundation
import KernelLibrary
import Testing

@testable import Tensors

/// One set of parameters of `MatrixProductNVIDIA.cl`.
struct TensorCoreVariant: CustomStringConvertible {
  let tile: WarpTile
  let precision: MatrixPrecision
  let left, right: MatrixLoader
  let scatters: Bool
  /// Floats of one copy of both operands.
  let width: Int

  var description: String {
    "\(tile.rows)x\(tile.columns) \(precision.rawValue), \(left) \(right)"
      + "\(scatters ? " scattered" : ""), copies of \(width)"
  }

  var options: [String] {
    var parameters = tile.parameters.merging(TensorCores(precision: precision).parameters) { $1 }
    parameters["LEFT_LOADER"] = left.rawValue
    parameters["RIGHT_LOADER"] = right.rawValue
    parameters["SCATTERS"] = scatters ? 1 : 0
    (parameters["LEFT_WIDTH"], parameters["RIGHT_WIDTH"]) = (width, width)
    parameters["DEVICE_IS_CPU"] = 0
    return parameters.sorted { $0.key < $1.key }.map { "-D\($0.key)=\($0.value)" }
  }

  /// Every tile and precision for the layouts that products and convolutions use.
  static let all: [TensorCoreVariant] = {
    let layouts: [(left: MatrixLoader, right: MatrixLoader, scatters: Bool)] = [
      (.rows, .rows, false), (.rows, .transposed, false), (.transposed, .rows, false),
      (.transposed, .transposed, false), (.image, .transposed, false), (.image, .taps, false),
      (.image, .taps, true), (.transposed, .image, false),
    ]
    return [MatrixPrecision.tf32x3, .tf32, .bf16].flatMap { precision in
      WarpTile.all.flatMap { tile in
        layouts.flatMap { layout in
          [4, 1].map { width in
            TensorCoreVariant(
              tile: tile, precision: precision, left: layout.left, right: layout.right,
              scatters: layout.scatters, width: width)
          }
        }
      }
    }
  }()
}

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

  static let missing: Comment =
    "there is no clang with an NVPTX back end, or no ptxas (BARON_PTXAS) on the path"

  /// What a driver's compiler brings along, as far as the kernel needs it.
  static let builtins = """
    #define FUNCTION static inline __attribute__((overloadable, always_inline))
    #define ID(name, place) \\
      FUNCTION size_t name(uint d) { \\
        return d == 0   ? __nvvm_read_ptx_sreg_##place##_x() \\
               : d == 1 ? __nvvm_read_ptx_sreg_##place##_y() \\
                        : __nvvm_read_ptx_sreg_##place##_z(); \\
      }
    ID(get_local_id, tid)
    ID(get_group_id, ctaid)
    FUNCTION int min(int a, int b) { return a < b ? a : b; }
    FUNCTION int max(int a, int b) { return a > b ? a : b; }
    FUNCTION int clamp(int a, int low, int high) { return min(max(a, low), high); }
    FUNCTION void vstore2(float2 a, size_t i, __global float *p) {
      p[2 * i] = a.x;
      p[2 * i + 1] = a.y;
    }
    #define barrier(flags) __syncthreads()
    // For helpers that the kernel does not call.
    size_t __attribute__((overloadable)) get_global_id(uint);
    size_t __attribute__((overloadable)) get_global_size(uint);
    float __attribute__((overloadable)) fmax(float, float);
    float4 __attribute__((overloadable)) fmax(float4, float4);
    float8 __attribute__((overloadable)) fmax(float8, float8);

    """
}

@Suite("Tensor core kernels")
struct TensorCoreAssemblyTests {
  @Test(
    "Every parameter set is OpenCL C 1.2, emulated or not",
    .enabled(if: Clang.path != nil, "there is no clang on the path"))
  func syntax() throws {
    let source = try KernelSource.assembled("MatrixProductNVIDIA.cl")
    for variant in TensorCoreVariant.all where variant.tile == WarpTile.all[0] {
      for emulates in [0, 1] {
        let (text, status) = try Clang.check(
          source,
          variant.options + ["-DEMULATE_WARP=\(emulates)"]
            + Clang.target(of: "MatrixProductNVIDIA.cl"))
        #expect(status == 0, "\(variant), EMULATE_WARP=\(emulates):\n\(text)")
      }
    }
  }

  @Test(
    "Every parameter set is assembled for sm_80 and sm_90 without a spill",
    .enabled(if: PTXTools.clang != nil && PTXTools.assembler != nil, PTXTools.missing))
  func assembles() throws {
    let (clang, assembler) = (try #require(PTXTools.clang), try #require(PTXTools.assembler))
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("ptx-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (source, ptx) = (folder.path + "/kernel.cl", folder.path + "/kernel.ptx")
    try (PTXTools.builtins + KernelSource.assembled("MatrixProductNVIDIA.cl"))
      .write(toFile: source, atomically: true, encoding: .utf8)
    for variant in TensorCoreVariant.all {
      let (messages, status) = try Tool.run(
        clang,
        [
          "-target", "nvptx64-nvidia-nvcl", "-x", "cl", "-cl-std=CL1.2", "-O3", "-S",
          "-Xclang", "-target-cpu", "-Xclang", "sm_80", "-Xclang", "-target-feature",
          "-Xclang", "+ptx75", "-o", ptx,
        ] + variant.options + [source])
      #expect(status == 0, "\(variant):\n\(messages)")
      guard status == 0 else { continue }
      for architecture in ["sm_80", "sm_90"] {
        let (report, status) = try Tool.run(
          assembler, ["-v", "-arch", architecture, "-o", folder.path + "/kernel.cubin", ptx])
        #expect(status == 0, "\(variant), \(architecture):\n\(report)")
        #expect(
          report.contains(" 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"),
          "\(variant), \(architecture):\n\(report)")
      }
    }
  }
}
