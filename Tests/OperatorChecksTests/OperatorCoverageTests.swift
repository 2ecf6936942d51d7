import Foundation
import OperatorChecks
import Testing

/// The self-test knows every operator.
@Suite("Operators that are checked")
struct OperatorCoverageTests {
  private static let sources = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")

  /// The functions of tensors and optimizers in the folders `Operators`, by file.
  private static func operators() throws -> [String: Set<String>] {
    var found: [String: Set<String>] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: sources.path)
    where path.contains("/Operators/") && path.hasSuffix(".swift") {
      let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
      var isOperators = false
      for line in text.split(separator: "\n") {
        if line.contains(/^(?:\w+ )*(?:extension|enum|struct|class|protocol)\b/) {
          isOperators = line.contains(/\b(?:extension Tensor|enum Optimizers)\b/)
        }
        guard isOperators,
          let function = line.firstMatch(of: /^\s\s(?:public|package) (?:static )?func (\w+)/)
        else { continue }
        found[path, default: []].insert(String(function.output.1))
      }
    }
    return found
  }

  @Test("each operator has a check, and each check its operator")
  func complete() throws {
    let operators = try Self.operators()
    let checked = Set(OperatorCheck.all.flatMap(\.operators))
    #expect(operators.values.reduce(0) { $0 + $1.count } > 50)
    for (path, names) in operators.sorted(by: { $0.key < $1.key }) {
      let missing = names.subtracting(checked).sorted()
      #expect(missing.isEmpty, "\(path): add checks of \(missing) to Sources/OperatorChecks")
    }
    let unknown = checked.subtracting(operators.values.reduce(into: Set()) { $0.formUnion($1) })
    #expect(unknown.isEmpty, "no such operators: \(unknown.sorted())")
  }

  @Test("names of checks and of benchmark cases stand once")
  func names() {
    for names in [
      OperatorCheck.all.map(\.name), OperatorFamily.all.flatMap(\.cases).map(\.name),
    ] {
      let twice = Dictionary(grouping: names) { $0 }.filter { $1.count > 1 }.keys.sorted()
      #expect(!names.isEmpty && twice.isEmpty, "\(twice)")
    }
  }
}
