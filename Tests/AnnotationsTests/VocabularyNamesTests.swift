import Foundation
import TestSupport
import Testing

@testable import Annotations

@Suite struct VocabularyNamesTests {
  @Test func wordsOfOtherLanguagesAreTold() {
    #expect(
      VocabularyNames.warning(of: ["cat", "T-shirt 2", "caf\u{e9}"])?.hasPrefix("\"café\":") == true
    )
    #expect(
      VocabularyNames.warning(of: ["猫", "cat", "Ärmel"])?.contains("\"猫\" and 1 more: a CLIP")
        == true)
    #expect(VocabularyNames.warning(of: ["cat", "traffic cone", "\u{2019}"]) == nil)
  }

  private func names(_ bytes: [UInt8], _ file: String = "words.txt") throws -> [String] {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(file)"
    try Data(bytes).write(to: URL(filePath: path))
    return try VocabularyNames(path, option: "--vocabulary").classes.map(\.name)
  }

  private func message(_ text: String, _ file: String = "words.txt") throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.file(file, text)
    let error = #expect(throws: DatasetError.self) { try VocabularyNames(file: path) }
    return try #require(error).description.replacing(path, with: file)
  }

  @Test func marksAndLineEndsAreNoPartOfNames() throws {
    #expect(try names([0xEF, 0xBB, 0xBF] + Array("cat\r\ndog\r\n".utf8)) == ["cat", "dog"])
    let text = "cat\r\n\u{4EBA}"
    let units = text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
    #expect(try names([0xFF, 0xFE] + units) == ["cat", "人"])
    #expect(try names(Array("# list\n\u{FEFF}cat \n\n  dog".utf8)) == ["cat", "dog"])
    let list = "[\"cat\", {\"name\": \" dog\", \"synonyms\": null}]"
    let json = [0xEF, 0xBB, 0xBF] + Array(list.utf8)
    #expect(try names(json) == ["cat", "dog"])
    #expect(try names(json, "words.json") == ["cat", "dog"])
  }

  @Test func aFileOfZerosHoldsNoNames() throws {
    #expect(
      try message("cat\ndo\0g\n")
        == "words.txt: line 2: the name holds a zero byte; restore the file, this is no text")
    #expect(try message(String(repeating: "\0", count: 99)).contains("line 1: the name holds"))
  }

  @Test func optionsHoldNames() throws {
    let words = try VocabularyNames("traffic cone, dog", option: "--names")
    #expect(words.classes.map(\.name) == ["traffic cone", "dog"])
    #expect(words.fault(of: "dog", reason: "x")?.description == "--names: name 2: x")
    #expect(words.fault(of: "cow", reason: "x") == nil)
  }

  /// A link that leads nowhere and a folder are no names.
  @Test func optionsHoldFilesThatCannotBeRead() throws {
    let folder = try TemporaryFolder()
    for (name, target, reason) in [
      ("nowhere", "missing", "no such file"), ("loop", "loop", "symbolic links"),
      ("a.txt", folder.path, "is a folder; give a text file"),
      ("b.json", "missing", "no such file"),
    ] {
      let path = "\(folder.path)/\(name)"
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
      let error = #expect(throws: DatasetError.self) {
        try VocabularyNames(path, option: "--vocabulary")
      }
      #expect(error?.description.contains("\(path): \(reason)") == true || name == "loop")
      #expect(error?.description.contains(reason) == true)
    }
  }

  @Test func annotationsGiveTheirCategories() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(
      "a.json",
      """
      {"images": [1], "categories": [{"id": "9", "name": "couch", "synonyms": ["Couch", "sofa"]},
       {"id": 2, "name": "cat", "synonyms": null}]}
      """)
    #expect(
      try VocabularyNames(file: path).classes == [
        ClassName("cat"), ClassName("couch", synonyms: ["sofa"]),
      ])
    #expect(
      try VocabularyNames(categoriesOf: path).classes == [ClassName("cat"), ClassName("couch")])
    #expect(try ClassMentions(path: path).occur(in: "A SOFA."))
    let words = try folder.file("b.json", #"{"categories": ["kinds"], "dog": []}"#)
    #expect(try VocabularyNames(file: words).classes.map(\.name) == ["categories", "dog"])
  }

  @Test(arguments: [
    (
      "cat\nCat.\n", "words.txt",
      "words.txt: line 2: \"cat\" and \"Cat.\" mean the same to the text"
    ),
    ("cat\ncat", "words.txt", "words.txt: line 2: \"cat\" is given twice"),
    ("\n# nothing\n", "words.txt", "words.txt: holds no names; write one or more"),
    ("[\"cat\", 3]", "w.json", "line 1, column 9: a class must be a name or an object"),
    ("[{\"id\": 1}]", "w.json", "classes[0] (id 1): \"name\": is missing"),
    ("{\"cat\": 1}", "w.json", "\"cat\" must have a list of synonyms"),
    ("[\"cat\", \"\"]", "w.json", "line 1, column 9: the name is empty"),
    (
      "{\"categories\": [{\"id\": 1, \"name\": \"cat\"}, {\"id\": 2, \"name\": \"cat\"}]}",
      "w.json",
      "\"cat\" is given twice"
    ),
    ("{\"categories\": [{\"name\": \"cat\"}]}", "w.json", "categories[0]: \"id\": is missing"),
  ])
  func wrongListsAreRefused(text: String, file: String, part: String) throws {
    let line = try message(text, file)
    #expect(line.contains(part) && !line.contains("\n"), "\(line)")
  }
}
