import Foundation
import OperatorChecks

extension BenchCase {
  /// All cases, in the order in which they run: operators, then whole models.
  package static var all: [BenchCase] {
    OperatorFamily.all.flatMap(\.cases) + encoderCases + detectorCases
  }

  /// The cases whose names match one of some shell patterns.
  ///
  /// - Parameters:
  ///   - patterns: Names or shell patterns.
  ///   - isGPU: Whether large cases match patterns too, and not only their names.
  /// - Returns: The cases in their order.
  package static func matching(_ patterns: [String], isGPU: Bool) -> [BenchCase] {
    all.filter { item in
      patterns.contains {
        item.isLarge && !isGPU ? $0 == item.name : fnmatch($0, item.name, 0) == 0
      }
    }
  }
}
