import Foundation
import PackagePlugin

/// `swift package check-imports`: compares the imports of every file with `Package.swift`.
///
/// The compiler lets a file import whatever the dependencies of its dependencies bring along; here
/// a target has to name what its files import, and nothing else. Nothing is handed on by
/// `@_exported`, and only tests look into a target by `@testable`. Terminal output has one home.
@main
struct CheckImports: CommandPlugin {
  /// Modules that come with the compiler.
  private static let toolchain: Set = [
    "Dispatch", "Foundation", "FoundationXML", "Synchronization", "Testing",
  ]
  /// The only file that writes to the terminal.
  private static let terminal = "Console.swift"

  func performCommand(context: PluginContext, arguments: [String]) throws {
    let root = context.package.directoryURL.path + "/"
    for target in context.package.targets.compactMap({ $0 as? SwiftSourceModuleTarget }) {
      let named = Set(target.dependencies.flatMap(Self.modules))
      // Tests may run a program without looking into it.
      var unused = named.subtracting(target.dependencies.compactMap(Self.program))
      for file in target.sourceFiles(withSuffix: "swift").map(\.url.path) {
        // What plugins generate lies elsewhere.
        guard file.hasPrefix(root), !file.hasPrefix(root + ".") else { continue }
        let name = String(file.dropFirst(root.count))
        let code = Self.code(try String(contentsOfFile: file, encoding: .utf8))
        for item in code.compactMap({ Self.importItem($0) }) {
          unused.remove(item.module)
          if !named.contains(item.module), !Self.toolchain.contains(item.module) {
            Diagnostics.error(
              "\(name): imports \(item.module), which Package.swift does not name for "
                + target.name)
          }
          if item.attributes.contains("@_exported")
            || item.attributes.contains("@testable") && target.kind != .test
          {
            Diagnostics.error("\(name): imports \(item.module) with \(item.attributes)")
          }
        }
        guard target.kind != .test, !name.hasSuffix(Self.terminal) else { continue }
        for line in code where Self.writesToTerminal(line) {
          Diagnostics.error("\(name): writes to the terminal; let Console do it: \(line)")
        }
      }
      for module in unused.sorted() {
        Diagnostics.error(
          "Package.swift: \(target.name) names \(module), which none of its files imports")
      }
    }
  }

  /// The program that a dependency is, if it is one.
  private static func program(_ dependency: TargetDependency) -> String? {
    guard case .target(let target as SourceModuleTarget) = dependency,
      target.kind == .executable
    else { return nil }
    return target.moduleName
  }

  /// The modules that a dependency lets a target import.
  private static func modules(_ dependency: TargetDependency) -> [String] {
    switch dependency {
    case .target(let target):
      [(target as? SourceModuleTarget)?.moduleName ?? target.name]
    case .product(let product): [product.name]
    @unknown default: []
    }
  }

  /// A file's lines without comments and without strings of several lines.
  private static func code(_ text: String) -> [Substring] {
    var isString = false
    return text.split(separator: "\n").filter { line in
      let isCode = !isString && !line.drop { $0 == " " }.hasPrefix("//")
      if line.utf8.contains(UInt8(ascii: "\"")), line.ranges(of: "\"\"\"").count % 2 == 1 {
        isString.toggle()
      }
      return isCode
    }
  }

  /// The module that a line imports, and the words before.
  private static func importItem(_ line: Substring) -> (attributes: Substring, module: String)? {
    guard line.range(of: "import ") != nil else { return nil }
    let pattern =
      #/
      \s*((?:@?\w+\s+)*?)import\s+
      (?:(?:typealias|struct|class|enum|protocol|let|var|func)\s+)?(\w+)
      /#
    return line.prefixMatch(of: pattern).map { ($0.output.1, String($0.output.2)) }
  }

  private static func writesToTerminal(_ line: Substring) -> Bool {
    // A pattern alone would take seconds over all lines.
    guard ["print(", "puts(", "FileHandle."].contains(where: { line.range(of: $0) != nil }) else {
      return false
    }
    return line.contains(/(?:^|[^.\w])(?:print|debugPrint|puts|fputs)\(|FileHandle\.standard/)
  }
}
