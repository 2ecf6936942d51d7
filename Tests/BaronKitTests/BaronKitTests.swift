import BaronKit
import Foundation
import TestSupport
import Testing

/// The library as another package sees it: nothing here is a part of it but what is public.
@Suite(
  .serialized,
  .enabled(
    if: Fixture.available && Fixture.dataAvailable, "the fixtures or the test data are missing"))
struct BaronKitTests {
  private static let photographs = "\(SharedData.root)/coco-mini/images/val2017"

  @Test func trainsAndDetects() throws {
    // Presets name the data by this variable.
    setenv("BARON_SHARED", Fixture.sharedFolder, 1)
    let scratch = try Scratch()
    var (steps, checkpoints) = (0, 0)
    let run = try TrainingRun.train(
      "coco-mini", in: "\(scratch.folder)/run",
      settings: [
        "training.iterations=2", "training.evaluate_every=0", "optimizer.milestones=[]",
      ], device: "cpu"
    ) { event in
      switch event {
      case .step: steps += 1
      case .checkpoint: checkpoints += 1
      case .note, .warning: break
      }
    }
    #expect(steps == 2 && checkpoints == 1 && run.iterations == 2)
    #expect(try run.steps().map(\.iteration) == [0, 1])
    #expect(try run.steps().allSatisfy { $0.loss > 0 && $0.seconds > 0 })
    #expect(try run.classNames().contains("person") && run.best("AP50") == nil)
    try detects(run, in: scratch)
    #expect(throws: BaronError.self) {
      try TrainingRun.train("coco-mini", in: run.path, device: "cpu")
    }
  }

  private func detects(_ run: TrainingRun, in scratch: Scratch) throws {
    var options = Detector.Options()
    options.device = "cpu"
    // As much as there is.
    (options.onlyNames, options.keepsOverlapping) = (true, true)
    let detector = try Detector(
      run.path, vocabulary: ["person", .init("bus", synonyms: ["coach"])], options: options)
    #expect(detector.names == ["person", "bus"])
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.photographs).sorted()
    let pictures = try names.prefix(2).map { try Picture(contentsOf: "\(Self.photographs)/\($0)") }
    let found = try detector.detect(pictures, from: 0, limit: 4)
    #expect(found.map(\.count) == [4, 4])
    // Alone a picture gives what it gives in company.
    #expect(try detector.detect(pictures[1], from: 0, limit: 4) == found[1])
    for (picture, objects) in zip(pictures, found) {
      #expect(objects.map(\.score) == objects.map(\.score).sorted(by: >))
      for object in objects {
        #expect(detector.names.contains(object.name) && object.mask == nil)
        #expect(object.box.x2 <= Float(picture.width) && object.box.y1 >= 0)
      }
    }
    try tellsWhatIsSure(run, pictures, options)
    let path = "\(scratch.folder)/drawn.png"
    try pictures[0].annotated(with: found[0]).writePNG(path)
    let drawn = try Picture(contentsOf: path)
    #expect(drawn.width == pictures[0].width && drawn != pictures[0])
    #expect(throws: BaronError.self) {
      try Detector(run.path, vocabulary: ["cat", "Cat."], options: options)
    }
  }

  /// By default one object a place, and none where a class of training is surer.
  private func tellsWhatIsSure(
    _ run: TrainingRun, _ pictures: [Picture], _ options: Detector.Options
  ) throws {
    let names: Vocabulary = ["person", "traffic cone", "chair"]
    let all = try Detector(run.path, vocabulary: names, options: options)
    var usual = options
    (usual.onlyNames, usual.keepsOverlapping) = (false, false)
    let detector = try Detector(run.path, vocabulary: names, options: usual)
    #expect(detector.thresholds.trained == 0.3 && detector.thresholds.others == 0.3)
    let (some, every) = (
      try detector.detect(pictures[0], from: 0), try all.detect(pictures[0], from: 0)
    )
    #expect(some.count < every.count && some.allSatisfy { detector.names.contains($0.name) })
    #expect(try detector.detect(pictures[0]) == some.filter { $0.score >= 0.3 })
  }

  @Test func faultsAreOneLine() throws {
    func reason(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    for text in [
      reason { _ = try Detector("no/such/run", vocabulary: ["cat"]) },
      reason { _ = try TrainingRun("no/such/run") },
      reason { _ = try Picture(contentsOf: "no-such.jpg") },
      reason { _ = try Picture(width: 2, height: 2, pixels: [1, 2, 3]) },
      reason { _ = try Picture(width: .max, height: 2, pixels: []) },
      reason { _ = try Vocabulary(contentsOf: "no-such.txt") },
      reason { _ = try TrainingRun.train("no-such-preset", in: "no/such/run") },
    ] {
      #expect(text != "no error" && !text.contains("\n"), "\(text)")
    }
  }
}
