import Foundation

/// How exactly the tensor cores of an NVIDIA GPU compute matrix products of float32 operands.
///
/// Sums are float32 in every case. Other devices always compute in float32.
package enum MatrixPrecision: String, CaseIterable, Codable, Sendable {
  /// Ordinary float32 arithmetic, without tensor cores.
  case float32
  /// Three products of tf32 parts for one: about the accuracy of float32.
  case tf32x3
  /// Factors of 10 bits after the point.
  case tf32
  /// Factors of 7 bits after the point.
  case bf16

  /// What `$BARON_MATRIX_PRECISION` asks for; nil when it is not set.
  ///
  /// - Parameter environment: The variables.
  /// - Returns: The precision, or nil.
  /// - Throws: ``Unknown`` when there is no precision of that name.
  package static func wanted(
    in environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> MatrixPrecision? {
    guard let name = environment["BARON_MATRIX_PRECISION"], !name.isEmpty else { return nil }
    guard let precision = MatrixPrecision(rawValue: name) else { throw Unknown(name: name) }
    return precision
  }

  /// A precision that does not exist.
  package struct Unknown: Error, CustomStringConvertible {
    /// What was asked for.
    package let name: String

    /// One line with the names that exist.
    package var description: String {
      let names = MatrixPrecision.allCases.map(\.rawValue)
      return "BARON_MATRIX_PRECISION=\(name): no such precision; take one of "
        + names.joined(separator: ", ")
    }
  }
}
