import Foundation
import Testing

@Suite("Documents name files that exist")
struct DocumentTests {
  private static let documents =
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "BENCHMARKS.md"]
    + Repository.files(below: ["docs"], endings: [".md"])

  @Test(arguments: documents)
  func linksLeadSomewhere(document: String) throws {
    let text = try Repository.text(document)
    let place = Repository.folder.appendingPathComponent(document).deletingLastPathComponent()
    for match in text.matches(of: /\]\(([^)\s]+)\)/) {
      let target = String(match.output.1.prefix { $0 != "#" })
      guard !target.isEmpty, !target.contains("://") else { continue }
      let path = place.appendingPathComponent(target).path
      #expect(FileManager.default.fileExists(atPath: path), "\(document) links to \(target)")
    }
  }

  /// The first page is short, and every other page is one link away from it.
  @Test func theFirstPageLeadsToAllOthers() throws {
    let readme = try Repository.text("README.md")
    #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count < 150)
    for page in Repository.files(below: ["docs"], endings: [".md"]) where !page.contains("/spec/") {
      #expect(readme.contains("](\(page)"), "README does not link to \(page)")
    }
  }

  /// The rooms of the architecture are the manifest's targets.
  @Test func everyTargetHasItsRow() throws {
    let architecture = try Repository.text("docs/architecture.md")
    let rows = architecture.split(separator: "\n").filter { $0.hasPrefix("| `") }
    let named = Set(
      rows.flatMap { row in
        row.split(separator: "|").first.map { cell in
          cell.matches(of: /`([A-Za-z]+)`/).map { String($0.output.1) }
        } ?? []
      })
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: Repository.folder.appendingPathComponent("Sources").path)
    #expect(named == Set(folders))
  }

  /// What CONTRIBUTING says of adding something holds for one that exists.
  @Test(
    arguments: [
      (
        "operator",
        [
          "Kernels/Softmax.cl", "Sources/Tensors/Operators/Softmax.swift",
          "Tests/TensorsTests/SoftmaxTests.swift", "Sources/OperatorChecks/Rows.swift",
        ]
      ),
      ("preset", ["Sources/Training/Presets/ov-coco-fpn-kd.yaml"]),
      (
        "command",
        ["Sources/BaronCLI/Commands/DetectCommand.swift", "Sources/BaronCLI/BaronProgram.swift"]
      ),
    ])
  func theTableOfContributingIsTrue(what: String, files: [String]) throws {
    #expect(try Repository.text("CONTRIBUTING.md").contains("\(what) |"))
    for file in files {
      let path = Repository.folder.appendingPathComponent(file).path
      #expect(FileManager.default.fileExists(atPath: path), "\(file)")
    }
  }
}
