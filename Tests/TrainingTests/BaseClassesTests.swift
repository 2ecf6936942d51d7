import Annotations
import Detection
import Foundation
import TestSupport
import Testing

@testable import Training

/// Which head a class leans on when a detector has two.
@Suite("Base classes")
struct BaseClassesTests {
  private func run(_ ensemble: HeadEnsemble?, split: String) -> RunConfiguration {
    var run = RunConfiguration()
    run.model.head.ensemble = ensemble
    run.data.classSplit = split
    return run
  }

  @Test func namesOfTheSplitLeanOnTheMainHead() throws {
    let run = run(.split, split: RunConfiguration.Data.openVocabularyCOCO)
    #expect(
      try run.leansOnMainHead(["Person", "cat", "violin", "train"]) == [true, false, false, true])
  }

  @Test(arguments: [nil, HeadEnsemble.uniform])
  func withoutASplitNothingIsRead(_ ensemble: HeadEnsemble?) throws {
    let run = run(ensemble, split: "/nowhere.json")
    #expect(try run.leansOnMainHead(["cat", "person"]) == [true, true])
  }

  @Test func frequenciesOfLVISTell() throws {
    let scratch = try Scratch()
    var run = run(.split, split: RunConfiguration.Data.openVocabularyLVIS)
    run.data.validationAnnotations = try scratch.write(
      """
      {"images": [{"id": 1, "width": 4, "height": 4, "file_name": "a.jpg"}], "annotations": [],
       "categories": [{"id": 1, "name": "aerosol_can", "frequency": "c"},
                      {"id": 2, "name": "apricot", "frequency": "r"},
                      {"id": 3, "name": "person", "frequency": "f"}]}
      """, "lvis.json")
    #expect(
      try run.leansOnMainHead(["aerosol can", "apricot", "person", "red mug"])
        == [true, false, true, false])

    // Classes alone will do, as an object and as a list.
    let classes = """
      [{"id": 7, "name": "person", "frequency": "f", "image_count": 100},
       {"id": 2, "name": "apricot", "frequency": "r", "synonyms": ["apricot"]}]
      """
    for text in [classes, "{\"categories\": \(classes)}"] {
      run.data.validationAnnotations = try scratch.write(text, "classes.json")
      #expect(try run.leansOnMainHead(["apricot", "person"]) == [false, true])
      #expect(
        try COCOAnnotations.Category.list(ofFile: run.data.validationAnnotations).map(\.name)
          == ["apricot", "person"])
    }
    for (text, reason) in [
      ("[]", "is empty or missing"), ("{}", "is empty or missing"), ("[3]", "categories[0]"),
      (#"[{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]"#, "ids must be unique"),
      (#"[{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}]"#, "\"cat\" stands twice"),
    ] {
      let path = try scratch.write(text, "wrong.json")
      let error = #expect(throws: DatasetError.self) {
        try COCOAnnotations.Category.list(ofFile: path)
      }
      let line = error.map { "\($0)" } ?? ""
      #expect(line.contains(reason) && line.contains("wrong.json"), "\(line)")
    }

    run.data.validationAnnotations = "/nowhere.json"
    let error = #expect(throws: DatasetError.self) { try run.leansOnMainHead(["person"]) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("model.head.ensemble") && text.contains("/nowhere.json"))
    #expect(text.contains("data.validation_annotations") && !text.contains("\n"))

    // COCO has no frequencies.
    run.data.validationAnnotations = try scratch.write(
      """
      {"images": [{"id": 1, "width": 4, "height": 4, "file_name": "a.jpg"}], "annotations": [],
       "categories": [{"id": 1, "name": "cat"}]}
      """, "coco.json")
    #expect(throws: DatasetError.self) { try run.leansOnMainHead(["cat"]) }
  }
}
