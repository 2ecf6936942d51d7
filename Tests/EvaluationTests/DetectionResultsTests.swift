import Foundation
import Geometry
import Masks
import TestSupport
import Testing

@testable import Evaluation

@Suite struct DetectionResultsTests {
  private func box(_ index: Int, score: Double = 0.5) -> DetectionResult {
    DetectionResult(
      imageID: index, categoryID: index % 7,
      box: FileBox(x: Double(index) / 3, y: 1e-7, width: 12.25, height: 1e6), score: score)
  }

  @Test func writtenDetectionsReadBackEqual() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/results.json"
    let boxes = (0..<2000).map { box($0, score: 1 / Double($0 + 1)) }
    let count = try DetectionResultsWriter.write(to: path) { writer in
      for box in boxes { try writer.append(box) }
    }
    #expect(count == boxes.count)
    let read = try DetectionResults(contentsOf: path).boxes
    #expect(read.map(\.score) == boxes.map(\.score))
    #expect(read.map(\.imageID) == boxes.map(\.imageID))
    for (read, box) in zip(read, boxes) {
      for (read, written) in zip(read.box.numbers, box.box.numbers) {
        #expect(abs(read - written) <= written * 1.2e-7)
      }
    }
  }

  @Test func numbersHaveTheDigitsOfSinglePrecision() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/results.json"
    // Scores as a device gives them, and one that another program computed in double precision.
    let scores: [Double] = [Double(Float(0.1)), Double(Float(0.98123455).nextDown), 1, 1.0 / 3]
    let box = FileBox(x: Double(Float(0.1)), y: 1e300, width: 100.1 - 0.2, height: 1e-300)
    try DetectionResultsWriter.write(to: path) { writer in
      for (image, score) in scores.enumerated() {
        try writer.append(DetectionResult(imageID: image, categoryID: 1, box: box, score: score))
      }
    }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains("\"bbox\":[0.1,1e+300,99.9,1e-300],\"score\":0.1}"))
    #expect(text.contains("\"score\":0.9812345}") && text.contains("\"score\":1.0}"))
    #expect(text.contains("\"score\":0.3333333333333333}"))
    // In single precision each is the same score again.
    let read = try DetectionResults(contentsOf: path).boxes.map { Float($0.score) }
    #expect(read == scores.map { Float($0) })
  }

  @Test func writtenMasksReadBackEqual() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/results.json"
    // Runs whose text has a backslash, which JSON escapes.
    let masks = try [[5, 44, 3], [52], [0, 52]].map {
      try RunLengthMask(width: 13, height: 4, runs: $0)
    }
    #expect(masks[0].text.contains("\\"))
    try DetectionResultsWriter.write(to: path) { writer in
      for (index, mask) in masks.enumerated() { try writer.append(box(index), mask: mask) }
      try writer.append(box(3))
    }
    let results = try DetectionResults(contentsOf: path)
    #expect(results.boxes.count == 4)
    let image = GroundTruth.Frame(id: 1, width: 13, height: 4)
    for (index, mask) in masks.enumerated() {
      #expect(try results.masks.mask(at: index, in: image, of: "truth.json") == mask)
    }
    #expect(throws: EvaluationError.self) {
      try results.masks.mask(at: 3, in: image, of: "truth.json")
    }
  }

  @Test func anEmptyFileOfDetectionsReadsBack() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/results.json"
    try DetectionResultsWriter.write(to: path) { _ in }
    #expect(try DetectionResults(contentsOf: path).boxes.isEmpty)
  }

  @Test func aNumberThatIsNotFiniteLeavesTheOldFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("results.json", "[]")
    let error = #expect(throws: EvaluationError.self) {
      try DetectionResultsWriter.write(to: path) { writer in
        try writer.append(box(0))
        try writer.append(box(1, score: .nan))
      }
    }
    #expect(
      try #require(error).description
        == "\(path): results[1].score is nan; only finite numbers can be scored, "
        + "check the model's weights")
    #expect(try DetectionResults(contentsOf: path).boxes.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["results.json"])
  }

  @Test func missingAreasComeFromTheBox() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(
      "truth.json",
      """
      {"annotations": [
        {"id": 0, "image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": true,
         "segmentation": {"counts": "52203", "size": [4, 5]}},
        {"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 7.5, "ignore": 1}],
       "images": [{"id": 3, "width": 4}, {"id": 1, "neg_category_ids": [2],
         "not_exhaustive_category_ids": [5]}], "info": null,
       "categories": [{"id": 2, "name": "cup", "frequency": "r"}]}
      """)
    let truth = try GroundTruth(contentsOf: path)
    #expect(truth.images.map(\.id) == [3, 1])
    #expect(truth.images[1].absentCategories == [2])
    #expect(truth.images[1].partialCategories == [])
    #expect(truth.categories == [.init(id: 2, name: "cup", frequency: .rare)])
    #expect(truth.annotations.map(\.area) == [12, 7.5])
    #expect(truth.annotations.map(\.isCrowd) == [true, false])
    #expect(truth.annotations.map(\.isIgnored) == [false, true])
    #expect(
      truth.warnings == [
        "1 box without \"area\": computed from width and height (first: annotations[0] (id 0))",
        "1 id in \"neg_category_ids\" and \"not_exhaustive_category_ids\" is not in "
          + "\"categories\": left out; check that both are of the same version of the data set",
      ])
  }
}
