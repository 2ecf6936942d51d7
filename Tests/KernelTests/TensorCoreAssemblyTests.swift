import Foundation
import KernelLibrary
import Testing

@testable import Tensors

/// One set of parameters of `MatrixProductNVIDIA.cl`.
struct TensorCoreVariant: CustomStringConvertible, Sendable {
  let tile: WarpTile
  let precision: MatrixPrecision
  let left, right: MatrixLoader
  let scatters: Bool
  /// Floats of one copy of both operands.
  let width: Int
  var epilogue: MatrixEpilogue.Kind?

  var description: String {
    "\(tile.rows)x\(tile.columns) \(precision.rawValue), \(left) \(right)"
      + "\(scatters ? " scattered" : ""), copies of \(width)"
      + (epilogue.map { " then \($0)" } ?? "")
  }

  var options: [String] {
    var parameters = tile.parameters.merging(TensorCores(precision: precision).parameters) { $1 }
    parameters["LEFT_LOADER"] = left.rawValue
    parameters["RIGHT_LOADER"] = right.rawValue
    parameters["SCATTERS"] = scatters ? 1 : 0
    (parameters["LEFT_WIDTH"], parameters["RIGHT_WIDTH"]) = (width, width)
    parameters["DEVICE_IS_CPU"] = 0
    if let epilogue { parameters["EPILOGUE"] = epilogue.rawValue }
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
          + MatrixEpilogue.Kind.allCases.map {
            TensorCoreVariant(
              tile: tile, precision: precision, left: .rows, right: .transposed, scatters: false,
              width: 4, epilogue: $0)
          }
      }
    }
  }()
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
    "Every parameter set is assembled for sm_80, sm_90a, sm_100 and sm_120 without a spill",
    .enabled(if: PTXTools.missing == nil, "\(PTXTools.missing ?? "")"),
    arguments: TensorCoreVariant.all)
  func assembles(variant: TensorCoreVariant) throws {
    let fault = try OfflineCompiler.nvidia.fault("MatrixProductNVIDIA.cl", variant.options)
    #expect(fault == nil, "\(variant)")
  }
}
