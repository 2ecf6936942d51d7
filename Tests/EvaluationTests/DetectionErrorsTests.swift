import Formats
import Foundation
import Geometry
import TestSupport
import Testing

@testable import Evaluation

@Suite("Errors by kind") struct DetectionErrorsTests {
  private func box(_ x: Double, _ y: Double = 0, _ width: Double = 50) -> FileBox {
    FileBox(x: x, y: y, width: width, height: 50)
  }

  private func truth(_ objects: [(image: Int, category: Int, box: FileBox)]) throws -> GroundTruth {
    try GroundTruth(
      source: "truth.json", images: (1...40).map { .init(id: $0, width: 400, height: 400) },
      categories: (1...4).map { .init(id: $0, name: "class \($0)") },
      annotations: objects.map { .init(imageID: $0.image, categoryID: $0.category, box: $0.box) })
  }

  private func results(
    _ found: [(image: Int, category: Int, box: FileBox, score: Double)]
  ) throws -> DetectionResults {
    try DetectionResults(
      source: "found.json",
      boxes: found.map {
        DetectionResult(imageID: $0.image, categoryID: $0.category, box: $0.box, score: $0.score)
      })
  }

  private func analysis(_ truth: GroundTruth, _ results: DetectionResults) throws
    -> DetectionAnalysis
  {
    try DetectionAnalysis(
      truth, results, split: .names(base: ["class 1", "class 2"], novel: ["class 3"]))
  }

  @Test func everyKindIsTold() throws {
    let truth = try truth([
      (1, 1, box(0)), (1, 2, box(100)), (1, 3, box(200)), (2, 1, box(0)), (3, 2, box(0)),
    ])
    let results = try results([
      (1, 1, box(0), 0.9),  // right
      (1, 1, box(2), 0.8),  // duplicate
      (1, 1, box(101), 0.7),  // wrong class, on the object of class 2
      (1, 3, box(225), 0.6),  // misplaced: IoU 1/3
      (1, 2, box(25), 0.55),  // class and place: IoU 1/3 with class 1
      (1, 2, box(0, 300), 0.5),  // background
    ])
    let found = try analysis(truth, results)
    let counts = Dictionary(
      uniqueKeysWithValues: found.errors.costs.map { ($0.kind, $0.count) })
    #expect(
      counts == [
        .wrongClass: 1, .misplaced: 1, .both: 1, .duplicate: 1, .background: 1, .missed: 2,
      ])
    #expect(found.errors.groups == ["base", "novel", "all"])
    // The novel class: nothing right; well placed, it would be perfect.
    #expect(found.errors.averagePrecisions[1] == 0)
    let misplaced = try #require(found.errors.costs.first { $0.kind == .misplaced })
    #expect(isNear(misplaced.costs[1], 1))
    // Other kinds cost it nothing.
    for cost in found.errors.costs where cost.kind != .misplaced { #expect(cost.costs[1] == 0) }
  }

  @Test func picturesAndConfusionsAreOfWhatIsShown() throws {
    let truth = try truth([(1, 1, box(0)), (1, 2, box(100)), (2, 3, box(0)), (4, 1, box(0))])
    let results = try results([
      (1, 1, box(0), 0.9), (1, 2, box(0), 0.8),  // covered by the surer one
      (1, 1, box(100), 0.95), (2, 3, box(1), 0.4), (3, 2, box(0), 0.92), (4, 1, box(0), 0.91),
      (4, 2, box(300), 0.1),  // under the threshold
    ])
    let found = try analysis(truth, results)
    #expect(found.groups.map(\.name) == ["base", "novel"])
    #expect(found.groups[0].best?.score == 0.9 && found.groups[1].best?.score == 0.4)
    let names = found.confusion.names
    #expect(names.count == 4)
    // [object][detection], background last.
    #expect(found.confusion.counts[0] == [2, 0, 0, 0, 0])
    #expect(found.confusion.counts[1] == [1, 0, 0, 0, 0])
    #expect(found.confusion.counts[2] == [0, 0, 1, 0, 0])
    #expect(found.confusion.counts[4] == [0, 1, 0, 0, 0])
    #expect(found.confusion.mostConfused(10) == [0, 1, 2])
    #expect(found.confusion.mostConfused(2) == [0, 1])
    let first = try #require(found.pictures.first { $0.image == 0 })
    #expect(first.marks.map(\.error) == [.wrongClass, nil])
    #expect(first.marks[0].truth == "class 2" && first.badness == 0.95)
    let third = try #require(found.pictures.first { $0.image == 2 })
    #expect(third.marks.map(\.error) == [.background])
    #expect(!found.pictures.contains { $0.image == 9 })
  }

  @Test func missedObjectsAreMarked() throws {
    let found = try analysis(
      try truth([(1, 1, box(0)), (1, 1, box(100))]), try results([(1, 1, box(0), 0.5)]))
    #expect(found.pictures[0].marks.map(\.error) == [nil, .missed])
    #expect(found.pictures[0].badness == 1)
    #expect(found.confusion.counts[0] == [1, 0, 0, 0, 1])
  }

  private static let modules = ["tidecv"]

  /// Drawn objects and detections of all kinds, against TIDE's own program.
  @Test(
    .enabled(
      if: PeerPython.python(importing: modules) != nil,
      Comment(rawValue: PeerPython.missing(modules))))
  func costsAreThoseOfTIDE() throws {
    var random = CounterRandom(seed: 11, CounterRandom.key("tide"))
    var objects: [(image: Int, category: Int, box: FileBox)] = []
    var found: [(image: Int, category: Int, box: FileBox, score: Double)] = []
    for image in 1...40 {
      for _ in 0..<1 + random.integer(below: 5) {
        let place = FileBox(
          x: random.uniform(0, 300), y: random.uniform(0, 300), width: random.uniform(20, 90),
          height: random.uniform(20, 90))
        let category = 1 + random.integer(below: 4)
        objects.append((image, category, place))
        for _ in 0..<random.integer(below: 4) {
          let shift = random.uniform(0, 0.6)
          found.append(
            (
              image, random.integer(below: 3) == 0 ? 1 + random.integer(below: 4) : category,
              FileBox(
                x: place.x1 + shift * place.width, y: place.y1, width: place.width,
                height: place.height), random.uniform()
            ))
        }
      }
      for _ in 0..<random.integer(below: 3) {
        found.append(
          (image, 1 + random.integer(below: 4), box(random.uniform(0, 340), 340), random.uniform()))
      }
    }
    // A prime number of objects each: no recall lies on one of the 101 points, which TIDE rounds in
    // another way than COCO.
    objects = (1...4).flatMap { category in
      objects.filter { $0.category == category }.prefix(23)
    }
    #expect(objects.count == 4 * 23)
    let truth = try truth(objects)
    let results = try results(found)
    let errors = try DetectionAnalysis(truth, results, split: .none).errors
    let scratch = try Scratch()
    let files = try files(objects, results, in: scratch)
    let output = try PeerPython.run(script: "error_kinds.py", arguments: files)
    let json = try JSONValue(
      parsing: output.split(separator: "\n").last.map(String.init) ?? "",
      source: "error_kinds.py")
    let names: [DetectionErrorKind: String] = [
      .wrongClass: "Cls", .misplaced: "Loc", .both: "Both", .duplicate: "Dupe",
      .background: "Bkg", .missed: "Miss",
    ]
    #expect(errors.groups == ["all"])
    let precision = try #require(errors.averagePrecisions[0])
    let wanted = try #require(json["ap"]?.number)
    #expect(abs(100 * precision - wanted) < 1e-6)
    for cost in errors.costs {
      let name = try #require(names[cost.kind])
      #expect(cost.count == json["counts"]?[name]?.integer, "\(name)")
      let wanted = try #require(json["costs"]?[name]?.number)
      let value = try #require(cost.costs[0])
      #expect(abs(100 * value - wanted) < 1e-6, "\(name): \(100 * value), TIDE \(wanted)")
    }
  }

  private func files(
    _ objects: [(image: Int, category: Int, box: FileBox)], _ results: DetectionResults,
    in scratch: Scratch
  ) throws -> [String] {
    let truth: JSONValue = [
      "images": .array(
        (1...40).map {
          [
            "id": .number(Double($0)), "file_name": .string("\($0).png"), "width": 400,
            "height": 400,
          ]
        }),
      "categories": .array(
        (1...4).map { ["id": .number(Double($0)), "name": .string("class \($0)")] }),
      "annotations": .array(
        objects.enumerated().map { index, object in
          [
            "id": .number(Double(index + 1)), "image_id": .number(Double(object.image)),
            "category_id": .number(Double(object.category)), "iscrowd": 0,
            "bbox": .array(object.box.numbers.map { .number($0) }),
            "area": .number(object.box.area),
            // Not looked at, but the program wants one.
            "segmentation": [[0, 0, 9, 0, 9, 9]],
          ]
        }),
    ]
    let found = "\(scratch.folder)/found.json"
    try DetectionResultsWriter.write(to: found) { writer in
      for box in results.boxes { try writer.append(box) }
    }
    return [try scratch.write(truth.text(), "truth.json"), found]
  }
}
