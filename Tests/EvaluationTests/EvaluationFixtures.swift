import Formats
import Foundation
import TestSupport
import Testing

@testable import Evaluation

/// Where the numbers of the reference programs lie.
enum EvaluationFixtures {
  static let folder = Fixture.folder + "/eval"
  static let data = SharedData.root
  static let sample = "\(data)/coco-eval"

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func path(_ name: String) -> String { "\(folder)/\(name).json" }

  /// Compares measures with an object of numbers, where -1 stands for no value.
  static func compare(
    _ expected: JSONValue?, _ value: (String) -> Double?
  ) throws {
    for (name, number) in try #require(expected?.object) {
      let wanted = try #require(number.number)
      let found = value(name) ?? -1
      #expect(abs(found - wanted) <= 1e-6, "\(name): \(found), expected \(wanted)")
    }
  }

  /// Compares the AP of each category.
  static func comparePerCategory(_ expected: JSONValue?, _ summary: EvaluationSummary) throws {
    let rows = try #require(expected?.object)
    #expect(rows.count == summary.classes.count)
    for (id, numbers) in rows {
      let result = try #require(summary.classes.first { "\($0.id)" == id })
      try compare(numbers) { $0 == "AP" ? result.averagePrecision : result.averagePrecision50 }
    }
  }
}

/// Whether a measure is a value but for the rounding that the metric's own epsilon brings.
func isNear(_ measure: Double?, _ value: Double) -> Bool {
  measure.map { abs($0 - value) < 1e-12 } ?? false
}
