import KernelLibrary
import Testing

@testable import Tensors

/// One set of parameters of a kernel file on a GPU.
struct GPUVariant: CustomStringConvertible {
  let path: String
  let parameters: [String: Int]

  var options: [String] { parameters.sorted { $0.key < $1.key }.map { "-D\($0.key)=\($0.value)" } }
  var description: String { ([path] + options).joined(separator: " ") }

  /// The files that GPUs use, but for the one that has a test of its own.
  static let files =
    ((try? KernelFiles.paths()) ?? []).filter {
      $0.hasSuffix(".cl") && !$0.hasSuffix("CPU.cl") && $0 != "MatrixProductNVIDIA.cl"
    }

  /// Every storage and every width of vectors that a file knows, and what else the operators set.
  ///
  /// - Parameter path: The file.
  /// - Returns: The sets of parameters.
  /// - Throws: When there is no such file.
  static func all(of path: String) throws -> [GPUVariant] {
    if path == "AttentionNVIDIA.cl" { return attention }
    if path == "MatrixProduct16BitNVIDIA.cl" { return products }
    let source = try KernelSource.assembled(path)
    func values(_ name: String, _ values: [Int]) -> [[String: Int]] {
      source.contains("#ifndef \(name)\n") ? values.map { [name: $0] } : [[:]]
    }
    var sets = values("STORAGE", [0, 1, 2])
    for choices in [values("VECTOR", [1, 4]), others(path)] {
      sets = sets.flatMap { set in choices.map { set.merging($0) { $1 } } }
    }
    return sets.map { GPUVariant(path: path, parameters: $0) }
  }

  private static func others(_ path: String) -> [[String: Int]] {
    switch path {
    case "Convolution.cl": [["FLIPPED": 0], ["FLIPPED": 1]]
    case "RoIAlign.cl": [["ACROSS": 8], ["ACROSS": 32]]
    case "MatrixProduct.cl":
      // Smaller tiles than the first one have the same work-items.
      epilogues
        + layouts.flatMap { layout in
          GroupTile.all.filter { $0.items == 256 }.map { layout.merging($0.parameters) { $1 } }
        }
    case "Attention.cl": [["HEAD_WIDTH": 16], ["HEAD_WIDTH": 64]]
    default: [[:]]
    }
  }

  /// How products and convolutions read their operands and write their results.
  private static let layouts =
    [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 3, 0), (2, 3, 1), (1, 2, 0)]
    .map { ["LEFT_LOADER": $0.0, "RIGHT_LOADER": $0.1, "SCATTERS": $0.2] }

  /// What comes after the products of linear layers.
  private static let epilogues = MatrixEpilogue.Kind.allCases.map {
    ["LEFT_LOADER": 0, "RIGHT_LOADER": 1, "TARGET_STORED": 1, "EPILOGUE": $0.rawValue]
  }

  /// Statistics of the columns of a product of a tile, joined by another launch and by the last group.
  private static func statistics(_ tile: WarpTile) -> [[String: Int]] {
    [1, 2].map {
      [
        "LEFT_LOADER": 2, "RIGHT_LOADER": 1, "TARGET_STORED": 1, "STATISTICS": $0, "VECTOR": 4,
        "LANES": tile.items,
      ]
    }
  }

  /// Products of 16-bit operands by every tile with wide copies, and by the smallest with narrow ones;
  /// patches with channels that fill a tile's depth and others.
  private static let products: [GPUVariant] = {
    let kinds =
      WarpTile.all(for: .bfloat16).map { ($0, 8, 1) } + [
        (WarpTile.all[2], 8, 2), (WarpTile.all[2], 1, 2),
      ]
    return kinds.flatMap { tile, width, storage in
      (layouts + epilogues + (storage == 1 ? statistics(tile) : [])).flatMap { layout in
        let isForward = layout["LEFT_LOADER"] == 2 && layout["RIGHT_LOADER"] == 1
        return (isForward ? [0, 1] : [layout["LEFT_LOADER"] == 2 ? 1 : 0]).map { whole in
          var parameters = layout.merging(tile.parameters) { $1 }
          parameters["STAGES"] = tile.stages
          (parameters["LEFT_WIDTH"], parameters["RIGHT_WIDTH"]) = (width, width)
          (parameters["STORAGE"], parameters["WHOLE_TAPS"]) = (storage, whole)
          return GPUVariant(path: "MatrixProduct16BitNVIDIA.cl", parameters: parameters)
        }
      }
    }
  }()

  /// Every format with the tiles of images and texts, and with the narrowest and widest heads.
  private static let attention: [GPUVariant] = {
    var variants: [String: GPUVariant] = [:]
    let formats: [(MatrixPrecision, ElementType)] = [
      (.tf32x3, .float32), (.tf32, .float32), (.tf32x3, .bfloat16), (.tf32x3, .float16),
    ]
    for (precision, type) in formats {
      for (length, headWidth) in [(16, 64), (18, 64), (50, 64), (77, 64), (50, 16), (50, 128)] {
        for backward in [false, true] {
          let sizes = AttentionSizes(
            batch: 1, length: length, heads: 1, headWidth: headWidth, causal: false,
            maskIsShared: true, elementType: type)
          guard let tile = AttentionTile.best(for: sizes, backward: backward) else { continue }
          var parameters = AttentionCores(precision: precision, elementType: type)
            .parameters(tile, headWidth: headWidth, backward: backward)
          parameters["STORAGE"] = type.storage
          let variant = GPUVariant(path: "AttentionNVIDIA.cl", parameters: parameters)
          variants["\(variant)"] = variant
        }
      }
    }
    return variants.sorted { $0.key < $1.key }.map(\.value)
  }()
}

@Suite("GPU kernels")
struct GPUAssemblyTests {
  /// What files keep in memory for want of registers: Winograd's transforms, which on NVIDIA's GPUs
  /// run where there are no tensor cores and on Intel's spill 144 bytes of a thread of 4 KiB.
  static let mostSpills: [OfflineCompiler: [String: Int]] = [
    .nvidia: ["Convolution.cl": 128], .intel: ["Convolution.cl": 160],
  ]
  /// Most registers of an item where more would leave a multiprocessor half empty.
  static let mostRegisters = ["RoIAlign.cl": 96]
  /// The files without instructions of NVIDIA's.
  static let portable = GPUVariant.files.filter { !$0.hasSuffix("NVIDIA.cl") }

  @Test(
    "Every parameter set is OpenCL C 1.2",
    .enabled(if: Clang.path != nil, "there is no clang on the path"), arguments: GPUVariant.files)
  func syntax(path: String) throws {
    let source = try KernelSource.assembled(path)
    for variant in try GPUVariant.all(of: path) {
      let (text, status) = try Clang.check(
        source, variant.options + ["-DDEVICE_IS_CPU=0"] + Clang.target(of: path))
      #expect(status == 0, "\(variant):\n\(text)")
    }
  }

  @Test(
    "Every parameter set is assembled for sm_80, sm_90a, sm_100 and sm_120 without a spill",
    .enabled(if: PTXTools.missing == nil, "\(PTXTools.missing ?? "")"), arguments: GPUVariant.files)
  func nvidia(path: String) throws { try check(.nvidia, path) }

  @Test(
    "Every parameter set is compiled and linked for gfx90a and gfx1100 without a spill",
    .enabled(if: AMDTools.missing == nil, "\(AMDTools.missing ?? "")"), arguments: portable)
  func amd(path: String) throws { try check(.amd, path) }

  @Test(
    "Every parameter set is compiled for dg2 without a spill",
    .enabled(if: IntelTools.missing == nil, "\(IntelTools.missing ?? "")"), arguments: portable)
  func intel(path: String) throws { try check(.intel, path) }

  private func check(_ compiler: OfflineCompiler, _ path: String) throws {
    for variant in try GPUVariant.all(of: path) where compiler != .intel || runsOnIntel(variant) {
      let fault = try compiler.fault(
        path, variant.options, mostSpills: Self.mostSpills[compiler]?[path] ?? 0,
        mostRegisters: Self.mostRegisters[path] ?? 255)
      #expect(fault == nil, "\(variant)")
    }
  }

  /// Whether Intel's GPUs get it: tiles with more sums than they have registers for do not go there.
  private func runsOnIntel(_ variant: GPUVariant) -> Bool {
    guard let tile = GroupTile(variant.parameters) else { return true }
    let device = GroupDevice(
      family: .intel, units: 512, largestWorkGroup: 1024, localMemoryInBytes: 64 << 10)
    let loader = variant.parameters["LEFT_LOADER"]
    return tile.fits(device, patches: loader == MatrixLoader.image.rawValue)
  }
}
