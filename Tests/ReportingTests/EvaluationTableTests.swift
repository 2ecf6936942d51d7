import Evaluation
import Formats
import Geometry
import TestSupport
import Testing

@testable import Reporting

@Suite struct EvaluationTableTests {
  private func summary(split: ClassSplit) throws -> EvaluationSummary {
    let box = FileBox(x: 10, y: 10, width: 40, height: 40)
    let other = FileBox(x: 200, y: 200, width: 40, height: 40)
    let truth = try GroundTruth(
      source: "truth.json", images: [.init(id: 1), .init(id: 2)],
      categories: [
        .init(id: 3, name: "cup", frequency: .rare), .init(id: 7, name: "fork", frequency: .common),
        .init(id: 9, name: "hair drier", frequency: .frequent),
      ],
      annotations: [
        .init(imageID: 1, categoryID: 3, box: box), .init(imageID: 1, categoryID: 7, box: box),
        .init(imageID: 2, categoryID: 7, box: other),
      ])
    let results = try DetectionResults(
      source: "results.json",
      boxes: [
        DetectionResult(imageID: 1, categoryID: 3, box: box, score: 0.75),
        DetectionResult(imageID: 1, categoryID: 7, box: box, score: 0.5),
      ])
    return try evaluate(truth, results, split: split)
  }

  @Test func openVocabularyTable() throws {
    let text = EvaluationTable.text(
      try summary(split: .names(base: ["fork"], novel: ["cup"])), style: .plain)
    #expect(
      text == """
        protocol    OV-COCO
        metric      box AP, IoU 0.5 to 0.95 in 10 steps, 101 recall points, at most 1/10/100 detections
        version     as pycocotools 2.0
        images      2
        vocabulary  3 classes, 2 with objects
        detections  2, at most 2 in an image, lowest score 0.5

        classes    count      AP    AP50    AP75  APs     APm  APl
        ---------  -----  ------  ------  ------  ---  ------  ---
        base           1   50.50   50.50   50.50    -   50.50    -
        novel          1  100.00  100.00  100.00    -  100.00    -
        all            2   75.25   75.25   75.25    -   75.25    -
        whole set      2   75.25   75.25   75.25    -   75.25    -

        classes    count     AR1    AR10   AR100  ARs     ARm  ARl
        ---------  -----  ------  ------  ------  ---  ------  ---
        base           1   50.00   50.00   50.00    -   50.00    -
        novel          1  100.00  100.00  100.00    -  100.00    -
        all            2   75.00   75.00   75.00    -   75.00    -
        whole set      2   75.00   75.00   75.00    -   75.00    -

        """)
  }

  @Test func thresholdTable() throws {
    let text = EvaluationTable.thresholds(
      try summary(split: .names(base: ["fork"], novel: ["cup"])), style: .plain)
    // The cup is surer than the fork at the same place, so that one fork is not shown.
    #expect(
      text == """
        shown  from score      F1  precision  recall  objects
        -----  ----------  ------  ---------  ------  -------
        novel       0.750  100.00     100.00  100.00        1

        """)
  }

  @Test func lvisTable() throws {
    let text = EvaluationTable.text(try summary(split: .frequency), style: .plain)
    let lines = text.split(separator: "\n")
    #expect(lines[0] == "protocol    OV-LVIS")
    #expect(
      lines[6...].joined(separator: "\n") == """
        classes    count      AP    AP50    AP75  APs     APm  APl
        ---------  -----  ------  ------  ------  ---  ------  ---
        rare           1  100.00  100.00  100.00    -  100.00    -
        common         1   50.50   50.50   50.50    -   50.50    -
        frequent       0       -       -       -    -       -    -
        whole set      2   75.25   75.25   75.25    -   75.25    -
        classes    count  AR@300  ARs@300  ARm@300  ARl@300
        ---------  -----  ------  -------  -------  -------
        whole set      2   75.00        -    75.00        -
        """)
  }

  @Test func classTable() throws {
    let text = EvaluationTable.classes(
      try summary(split: .names(base: ["fork"], novel: ["cup"])), style: .plain)
    #expect(
      text == """
        id  class       group  objects      AP    AP50    AP75
        --  ----------  -----  -------  ------  ------  ------
         3  cup         novel        1  100.00  100.00  100.00
         7  fork        base         2   50.50   50.50   50.50
         9  hair drier  -            0       -       -       -

        """)
  }

  @Test func jsonKeepsFullPrecision() throws {
    let summary = try summary(split: .names(base: ["fork"], novel: ["cup"]))
    let json = try JSONValue(parsing: summary.json.text(pretty: true), source: "summary")
    #expect(json["protocol"]?.string == "OV-COCO")
    let novel = try #require(summary.group("novel")?["AP50"])
    #expect(json["groups"]?["novel"]?["measures"]?["AP50"]?.number == novel)
    #expect(json["groups"]?["all"]?["classes_with_objects"]?.integer == 2)
    #expect(json["measures"]?["APl"] == .null)
    #expect(json["classes"]?.array?.count == 3)
    #expect(json["classes"]?.array?[1]["group"]?.string == "base")
  }
}
