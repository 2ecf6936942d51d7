import Formats
import Foundation
import OpenCL
import Synchronization

/// Products of bfloat16 operands on a CPU that has an instruction for them,
/// `MatrixProduct16BitCPU.cl`.
struct BFloat16Products {
  /// Whether pairs are multiplied by the instruction or, with the same results, in plain OpenCL C.
  var usesInstruction = true

  static let (kernel, file) = ("matrix_product_forward_cpu_16bit", "MatrixProduct16BitCPU")

  /// What profiles call the kernel.
  var label: String { "\(Self.kernel) bfloat16" }

  /// Compile-time parameters; being options of the compiler they are part of a program's key in the
  /// cache.
  var parameters: [String: Int] { ["DOT_INSTRUCTION": usesInstruction ? 1 : 0] }

  /// The products for a stream's device, if its processor has the instruction and the driver computes
  /// rightly with it; a device that fails gets one line on standard error.
  ///
  /// The processor is asked before anything is built: PoCL assembles what the processor lacks, which
  /// ends the process when it runs.
  ///
  /// - Parameter stream: The stream.
  /// - Returns: The products, or nil for those of float32.
  static func usable(on stream: ComputeStream) -> BFloat16Products? {
    guard stream.family == .cpu else { return nil }
    let products = BFloat16Products()
    let device = stream.device
    if let fault = faults.withLock({ $0[device.index] }) { return fault.isEmpty ? products : nil }
    let fault = obstacle(on: device) ?? products.fault(on: stream) ?? ""
    faults.withLock { $0[device.index] = fault }
    guard !fault.isEmpty else { return products }
    Console.warn("\(device.name): bfloat16 is multiplied as float32, without a gain: \(fault)")
    return nil
  }

  /// What is wrong by device; empty when nothing is.
  private static let faults = Mutex<[Int: String]>([:])

  /// Why the instruction is out of the question; nil when it may be tried.
  static func obstacle(
    on device: Device, hasInstruction: Bool = HostProcessor.multipliesBFloat16
  ) -> String? {
    guard device.runsOnHost else { return "only PoCL on this machine's processor has it" }
    return hasInstruction ? nil : "the processor has no AVX512_BF16"
  }
}

extension BFloat16Products {
  /// A small product with edges in every dimension.
  private struct Trial {
    let rows, columns, depth: Int
    let left, right: MatrixLoader
    let rightType, targetType: ElementType
  }

  /// Both ways to store operands, every instruction: rounding while packing, the product, rounding of
  /// the result.
  private static let trials = [
    Trial(
      rows: 31, columns: 45, depth: 93, left: .rows, right: .transposed, rightType: .float32,
      targetType: .bfloat16),
    Trial(
      rows: 33, columns: 45, depth: 70, left: .transposed, right: .rows, rightType: .bfloat16,
      targetType: .float32),
  ]

  /// Compiles and runs small products, compares them with the host and, bit by bit, with the plain
  /// kernel: a driver may take an unknown instruction without an error and give zeros.
  ///
  /// - Parameters:
  ///   - stream: Where to run.
  ///   - tamper: Changes a result, to test that a wrong one is found out.
  /// - Returns: What is wrong, in one line; nil when nothing is.
  func fault(on stream: ComputeStream, tamper: ((Tensor) throws -> Void)? = nil) -> String? {
    do {
      for trial in Self.trials {
        let wrong = try stream.withoutGradients {
          try compare(trial, on: stream, tamper: tamper)
        }
        if let wrong { return "the driver computes it wrong, \(wrong); update the driver" }
      }
      return nil
    } catch {
      return TrialFault.line(error)
    }
  }

  private func compare(
    _ trial: Trial, on stream: ComputeStream, tamper: ((Tensor) throws -> Void)?
  ) throws -> String? {
    let (m, n, k) = (trial.rows, trial.columns, trial.depth)
    var random = CounterRandom(seed: 1)
    func operand(_ count: Int, _ type: ElementType) throws -> Tensor {
      try Tensor(random.floats(count), shape: [count], on: stream, label: "bfloat16 trial")
        .converted(to: type)
    }
    let left = try operand(m * k, .bfloat16)
    let right = try operand(k * n, trial.rightType)
    func product(_ products: BFloat16Products) throws -> Tensor {
      let result = try Tensor(
        uninitialized: [m, n], on: stream, elementType: trial.targetType, label: "bfloat16 trial")
      try MatrixLaunch(
        rows: m, columns: n, depth: k,
        left: MatrixOperand(
          buffer: left.buffer, loader: trial.left, pitch: trial.left == .rows ? k : m),
        right: MatrixOperand(
          buffer: right.buffer, loader: trial.right, pitch: trial.right == .rows ? n : k),
        operandType: .bfloat16, rightType: trial.rightType, targetType: trial.targetType,
        bfloat16: products
      ).run(on: stream, into: result.buffer, with: nil, tuned: [:])
      return result
    }
    let result = try product(self)
    try tamper?(result)
    let (got, plain) = (
      try result.floats(), try product(BFloat16Products(usesInstruction: false)).floats()
    )
    guard zip(got, plain).allSatisfy({ $0.bitPattern == $1.bitPattern }) else {
      return "otherwise than in plain OpenCL C"
    }
    let (x, y) = (
      try left.floats(), try right.converted(to: .bfloat16).converted(to: .float32).floats()
    )
    let limit = trial.targetType == .float32 ? 1e-6 : 4.1e-3
    for (index, value) in got.enumerated() {
      let (row, column) = (index / n, index % n)
      var (sum, size) = (0.0, 0.0)
      for step in 0..<k {
        let a = Double(x[trial.left == .rows ? row * k + step : step * m + row])
        let b = Double(y[trial.right == .rows ? step * n + column : column * k + step])
        sum += a * b
        size += abs(a * b)
      }
      // Written so that NaN is a fault.
      guard abs(Double(value) - sum) <= limit * size else { return "by more than its rounding" }
    }
    return nil
  }
}
