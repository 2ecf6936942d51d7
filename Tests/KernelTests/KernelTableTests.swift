import Foundation
import KernelLibrary
import Testing

@Suite("Embedded kernel files")
struct KernelTableTests {
  @Test("The embedded table holds every file of the folder, byte for byte")
  func tableEqualsFolder() throws {
    let paths = try KernelFiles.paths()
    try #require(!paths.isEmpty)
    #expect(KernelSource.embedded.keys.sorted() == paths)
    let differing = try paths.filter { try KernelSource.embedded[$0] != KernelFiles.text($0) }
    #expect(differing == [])
  }

  @Test("Every file opens with a comment block that tells the launch and the numbers")
  func headerBlock() throws {
    var incomplete: [String] = []
    for path in try KernelFiles.paths() where path.hasSuffix(".cl") {
      let lines = try KernelFiles.text(path).split(
        separator: "\n", omittingEmptySubsequences: false)
      let block = lines.prefix { $0.hasPrefix("//") }
      let parts = ["// Launch:", "// Numbers:"]
      if !parts.allSatisfy({ part in block.contains { $0.hasPrefix(part) } }) {
        incomplete.append(path)
      }
    }
    #expect(incomplete == [], "these lack a block at the top with Launch: and Numbers:")
  }

  @Test("Kernel names are lower snake case and no two files share one")
  func names() throws {
    // A kernel of two variants under #if stands twice in its file; only files are compared.
    let pattern = try Regex(#"KERNEL\b|__kernel\b"#)
    let name = try Regex(#"\bvoid\s+(\w+)\s*\("#, as: (Substring, Substring).self)
    var owners: [String: String] = [:]
    var found = 0
    for path in try KernelFiles.paths() {
      let code = try KernelFiles.text(path).split(separator: "\n")
        .filter { !$0.hasPrefix("//") && !$0.hasPrefix("#") }.joined(separator: "\n")
      for mark in code.ranges(of: pattern) {
        guard let match = try name.firstMatch(in: code[mark.upperBound...]) else { continue }
        let kernel = String(match.output.1)
        found += 1
        #expect(
          kernel.wholeMatch(of: /[a-z][a-z0-9]*(_[a-z0-9]+)*/) != nil,
          "\(path): \(kernel) is not lower snake case")
        let owner = owners.updateValue(path, forKey: kernel) ?? path
        #expect(owner == path, "\(kernel) stands in \(owner) and in \(path)")
      }
    }
    #expect(found > 0)
  }

  @Test("Compiler builtins stand behind HOST_BUILTINS, functions have no external name")
  func portability() throws {
    var wrong: [String] = []
    for path in try KernelFiles.paths() {
      let lines = try KernelFiles.text(path).split(
        separator: "\n", omittingEmptySubsequences: false)
      for (index, line) in lines.enumerated() {
        let isGuarded = index > 0 && lines[index - 1] == "#if HOST_BUILTINS"
        if line.contains("__builtin_") && !isGuarded
          || line.drop(while: { $0 == " " }).hasPrefix("inline ")
        {
          wrong.append("\(path):\(index + 1)")
        }
      }
    }
    #expect(wrong == [])
  }

  @Test("A file's includes are put in place once, with line directives that name our files")
  func assembled() throws {
    let text = try KernelSource.assembled("Pointwise.cl")
    #expect(text.hasPrefix("#line 1 \"Kernels/Pointwise.cl\"\n"))
    #expect(!text.contains("#include"))
    #expect(text.ranges(of: "#line 1 \"Kernels/Common/Types.clh\"").count == 1)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let original = try KernelFiles.text("Pointwise.cl")
      .split(separator: "\n", omittingEmptySubsequences: false)
    // The line after an include comes back under its own number.
    let include = try #require(original.firstIndex { $0.hasPrefix("#include \"") })
    let directive = try #require(
      lines.firstIndex(of: "#line \(include + 2) \"Kernels/Pointwise.cl\""))
    #expect(lines[directive + 1] == original[include + 1])
  }

  @Test("A missing file is named")
  func missing() {
    #expect {
      try KernelSource.assembled("Nothing.cl")
    } throws: { error in
      "\(error)"
        == "Kernels/Nothing.cl: no such kernel file in this binary or in $BARON_KERNELS"
    }
  }
}
