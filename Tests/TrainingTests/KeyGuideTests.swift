import Foundation
import Testing

@testable import Training

@Suite("Keys explained") struct KeyGuideTests {
  @Test(arguments: [(Preset.Kind.train, 120), (.clip, 35), (.demo, 12)])
  func everyKeyHasADescription(kind: Preset.Kind, least: Int) {
    let entries = KeyGuide(kind).entries
    #expect(entries.count >= least, "\(entries.count)")
    for entry in entries {
      #expect(entry.document.count > 5, "\(entry.key) has no comment")
      #expect(!entry.document.contains("(spec") && !entry.document.contains("`"), "\(entry)")
      #expect(!entry.allowed.isEmpty && !entry.usual.isEmpty, "\(entry.key)")
    }
    #expect(Set(entries.map(\.key)).count == entries.count)
  }

  @Test func anEntryTellsAll() throws {
    let guide = KeyGuide(.train)
    let rate = try #require(guide.entries(for: "optimizer.rate").first).text
    for words in [
      "The learning rate after warm-up.", "a number above 0", "default   0.04",
      "0.02: coco-mini", "unit      for reference_batch images",
    ] { #expect(rate.contains(words), "\(words) is not in \(rate)") }
    let kind = try #require(guide.entries(for: "alignment.kind").first).text
    #expect(kind.contains("regions: Each occurrence alone") && kind.contains("demo-none"))
    // A part without a key of its own.
    let rois = try #require(guide.entries(for: "model.head.rois").first)
    #expect(rois.document == "Regions of an image that the losses look at." && rois.usual == "512")
    let proposals = try #require(guide.entries(for: "model.rpn.pre_nms_train").first)
    #expect(proposals.document.hasPrefix("Proposals of each level before suppression"))
  }

  @Test func sectionsAndLastPartsStandForTheirKeys() {
    let guide = KeyGuide(.train)
    #expect(guide.entries(for: "alignment.sampling").count == 6)
    #expect(guide.entries(for: "group_limit").map(\.key) == ["alignment.sampling.group_limit"])
    #expect(guide.entries(for: "nothing").isEmpty)
    #expect(guide.nearest(to: "optimiser.rate") == "optimizer.rate")
  }

  /// The table of the reference is the one that the program prints.
  @Test func theReferenceListsEveryKey() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "docs/reference.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let table = KeyGuide(.train).markdown
    #expect(
      text.contains("<!-- keys -->\n\(table)<!-- /keys -->"),
      "put the output of 'baron config explain --markdown' between the marks")
  }
}
