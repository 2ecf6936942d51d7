import KernelLibrary
import OpenCL

/// Searches parameters of matrix products on a device.
package struct MatrixTuning {
  private let context: Context
  /// The candidates' programs, shared by all classes and not written to the cache, as most lose.
  private let library: KernelLibrary
  /// Seconds that the first run of a candidate, with compiling, may take.
  private let limit: Double

  /// Prepares a search.
  ///
  /// - Parameters:
  ///   - context: The device.
  ///   - limit: Seconds that the first run of a candidate, with compiling, may take.
  package init(context: Context, limit: Double) {
    self.context = context
    library = KernelLibrary(context: context, storing: .later)
    self.limit = limit
  }

  /// Searches for one class of products.
  ///
  /// - Parameter use: The recorded products.
  /// - Returns: What was found; not accepted yet.
  package func search(_ use: MatrixRecorder.Use) throws -> TuningRecord.Entry {
    // With a stream of its own the memory of one class goes before that of the next one comes.
    let type = use.example.operandType
    let stream = try ComputeStream(
      context: context, name: "tuning", library: library, activationType: type)
    let cores = stream.matrix.tensorCores(for: type)
    return search(
      use.subject, by: try MatrixTrial(use.example, on: stream, with: cores),
      tolerance: (cores?.tolerance ?? Self.tolerance) + Self.rounding(use.example.targetType)
        + Self.rounding(of: use.example))
  }

  /// What rounding a float32 operand for one of another type may add to the error.
  private static func rounding(of example: MatrixExample) -> Double {
    let type = example.operandType
    return (example.rightType ?? type) == type ? 0 : rounding(type)
  }

  /// What rounding a result of a type may add to its error.
  static func rounding(_ type: ElementType) -> Double {
    switch type {
    case .bfloat16: 1 / 256
    case .float16: 1 / 2048
    case .float32, .int32: 0
    }
  }

  /// The same by a trial that is there.
  func search(
    _ subject: Tuner.Subject, by trial: MatrixTrial, tolerance: Double
  ) -> TuningRecord.Entry {
    Tuner(tolerance: tolerance).search(
      subject, shipped: trial.choices.shipped, stages: MatrixChoices.stages,
      candidates: { trial.choices.candidates(stage: $0, best: $1) },
      measure: { try trial.measure($0, limit: limit, isShipped: $1) })
  }

  /// The largest error of float32 products that is no fault.
  static let tolerance = TensorCores(precision: .float32).tolerance
}

extension MatrixRecorder.Use {
  /// What the tuner calls it.
  package var subject: Tuner.Subject {
    Tuner.Subject(name: shape.name, calls: calls, seconds: seconds)
  }
}
