import Formats
import Foundation
import OpenCL
import Synchronization

/// Matrix products by the tensor cores of an NVIDIA GPU: of float32 operands
/// (`MatrixProductNVIDIA.cl`) or of 16-bit ones (`MatrixProduct16BitNVIDIA.cl`).
struct TensorCores {
  /// How float32 factors are rounded; 16-bit ones are taken as they are.
  let precision: MatrixPrecision
  /// What the operands are.
  var operands = ElementType.float32
  /// The tiles to choose from.
  var tiles = WarpTile.all
  /// Whether any device does the same in plain OpenCL C, to test the kernel's index arithmetic.
  var isEmulated = false

  /// The least compute capability with all instructions that the kernel needs.
  static let leastCapability = 80

  /// The kernel and its file.
  var kernel: (name: String, file: String) {
    operands == .float32
      ? ("matrix_product_forward_nvidia", "MatrixProductNVIDIA")
      : ("matrix_product_forward_nvidia_16bit", "MatrixProduct16BitNVIDIA")
  }

  /// What profiles call the kernel.
  var label: String {
    "\(kernel.name) \(operands == .float32 ? precision.rawValue : operands.rawValue)"
  }

  /// Compile-time parameters that depend on the precision.
  var parameters: [String: Int] {
    var parameters: [String: Int] = [:]
    if operands == .float32 {
      let code: [MatrixPrecision: Int] = [.tf32x3: 0, .tf32: 1, .bf16: 2]
      parameters = [
        "PRECISION": code[precision] ?? 0, "PROMOTED_STEPS": precision == .tf32x3 ? 4 : 0,
      ]
    }
    if isEmulated { parameters["EMULATE_WARP"] = 1 }
    return parameters
  }

  /// The tensor cores of a stream's device, if it has them, they are wanted and they compute
  /// rightly; a device that fails gets one line on standard error.
  ///
  /// - Parameters:
  ///   - wanted: What the user asked for; nil takes the one that agrees with float32.
  ///   - operands: What is multiplied.
  ///   - stream: The stream.
  /// - Returns: The tensor cores, or nil for the generic kernel.
  static func usable(
    _ wanted: MatrixPrecision?, for operands: ElementType, on stream: ComputeStream
  ) -> TensorCores? {
    guard stream.family == .nvidia, wanted != .float32 else { return nil }
    let cores = TensorCores(
      precision: wanted ?? .tf32x3, operands: operands, tiles: WarpTile.all(for: operands))
    let device = stream.device
    if let fault = faults.withLock({ $0["\(device.index) \(cores.label)"] }) {
      return fault.isEmpty ? cores : nil
    }
    let capability = device.computeCapability ?? 0
    let fault =
      capability < leastCapability
      ? "its compute capability is below 8.0" : cores.fault(on: stream) ?? ""
    faults.withLock { $0["\(device.index) \(cores.label)"] = fault }
    guard !fault.isEmpty else { return cores }
    // An old device without a wish is no news.
    if capability >= leastCapability || wanted != nil {
      Console.warn(
        "\(device.name): matrix products run in float32 without tensor cores, not by "
          + "\(cores.label): \(fault)")
    }
    return nil
  }

  /// What is wrong by device and precision; empty when nothing is.
  private static let faults = Mutex<[String: String]>([:])
}

extension TensorCores {
  /// A small product with edges in every dimension.
  private struct Trial {
    let rows, columns, depth: Int
    let left, right: MatrixLoader
    let tile: WarpTile
  }

  /// Both ways to copy and to store operands, the largest and the smallest tile.
  private var trials: [Trial] {
    guard let large = tiles.first, let small = tiles.last else { return [] }
    return [
      Trial(rows: 77, columns: 140, depth: 88, left: .rows, right: .transposed, tile: large),
      Trial(rows: 75, columns: 77, depth: 85, left: .transposed, right: .rows, tile: small),
    ]
  }

  /// The largest error that is no fault, beside the sum of the products' absolute values.
  var tolerance: Double {
    guard operands == .float32 else { return 1e-4 }
    return switch precision {
    case .float32, .tf32x3: 4e-6
    case .tf32: 1e-3
    case .bf16: 8e-3
    }
  }

  /// Compiles and runs small products and compares them with the host.
  ///
  /// - Parameters:
  ///   - stream: Where to run.
  ///   - limit: The largest error that is no fault; nil takes ``tolerance``.
  /// - Returns: What is wrong, in one line; nil when nothing is.
  func fault(on stream: ComputeStream, within limit: Double? = nil) -> String? {
    let limit = limit ?? tolerance
    do {
      for trial in trials {
        let error = try stream.withoutGradients { try worstError(trial, on: stream) }
        // Written so that NaN is a fault.
        guard error <= limit else {
          return "the device computes them wrong, by \(error) of the factors; update its driver"
        }
      }
      return nil
    } catch {
      return TrialFault.line(error)
    }
  }

  private func worstError(_ trial: Trial, on stream: ComputeStream) throws -> Double {
    let (m, n, k) = (trial.rows, trial.columns, trial.depth)
    var random = CounterRandom(seed: 1)
    let (leftPitch, rightPitch) = (trial.left == .rows ? k : m, trial.right == .rows ? n : k)
    let leftTensor = try Tensor(
      random.floats(m * k), shape: [m * k], on: stream, label: "tensor core trial"
    ).converted(to: operands)
    let rightTensor = try Tensor(
      random.floats(k * n), shape: [k * n], on: stream, label: "tensor core trial"
    ).converted(to: operands)
    let (left, right) = (try leftTensor.floats(), try rightTensor.floats())
    let result = try Tensor(uninitialized: [m, n], on: stream, label: "tensor core trial")
    var cores = self
    cores.tiles = [trial.tile]
    try MatrixLaunch(
      rows: m, columns: n, depth: k,
      left: MatrixOperand(buffer: leftTensor.buffer, loader: trial.left, pitch: leftPitch),
      right: MatrixOperand(buffer: rightTensor.buffer, loader: trial.right, pitch: rightPitch),
      operandType: operands
    ).run(on: stream, into: result.buffer, with: cores)
    var worst = 0.0
    for (index, got) in try result.floats().enumerated() {
      let (row, column) = (index / n, index % n)
      var (sum, size) = (0.0, 0.0)
      for step in 0..<k {
        let x = left[trial.left == .rows ? row * k + step : step * m + row]
        let y = right[trial.right == .rows ? step * n + column : column * k + step]
        sum += Double(x) * Double(y)
        size += abs(Double(x) * Double(y))
      }
      let error = abs(Double(got) - sum) / size
      if !(error <= worst) { worst = error }
    }
    return worst
  }
}
