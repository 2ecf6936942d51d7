import Foundation
import Testing

@Suite("Comments cite what the repository holds")
struct CitationTests {
  /// Section numbers of a chapter, `2.4` and so on.
  private static func sections(_ chapter: String) throws -> Set<String> {
    let text = try Repository.text("docs/spec/\(chapter).md")
    return Set(text.matches(of: /(?m)^##? ([0-9]+(?:\.[0-9]+)?)/).map { String($0.output.1) })
  }

  @Test func everyCitedSectionExists() throws {
    let chapters = [
      "method", "detector", "clip", "training", "evaluation", "results", "vectors",
      "distributed",
    ]
    let sections = try Dictionary(
      uniqueKeysWithValues: chapters.map { ($0, try Self.sections($0)) })
    var count = 0
    let files = Repository.files(
      below: ["Sources", "Kernels", "Tests"], endings: [".swift", ".cl", ".clh", ".yaml", ".py"])
    for file in files where !file.hasSuffix("CitationTests.swift") {
      // A citation may go on in the next line of a comment.
      let text = try Repository.text(file)
        .replacing(/\n *(?:\/\/\/?|#| \*)? */, with: " ")
      for match in text.matches(of: /\bspec ([a-z]+) ([0-9]+(?:\.[0-9]+)?)/) {
        let (chapter, section) = (String(match.output.1), String(match.output.2))
        count += 1
        #expect(
          sections[chapter]?.contains(section) == true,
          "\(file) cites spec \(chapter) \(section)")
      }
      let bare = text.matches(of: /\bspec (?:[0-9]|"|section)/).count
      #expect(bare == 0, "\(file) cites the specification without a chapter's name")
      #expect(!text.contains(/\bdesign [0-9]/), "\(file) cites a document that is not here")
    }
    #expect(count > 150)
  }
}
