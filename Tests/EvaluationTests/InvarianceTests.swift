import Formats
import TestSupport
import Testing

@testable import Evaluation

/// What must hold for any data, tried on real annotations.
@Suite(
  .enabled(if: EvaluationFixtures.exists(EvaluationFixtures.data), "the real data is missing"))
struct InvarianceTests {
  private static let coco = EvaluationFixtures.data + "/coco-mini/annotations/instances_val.json"
  private static let lvis =
    EvaluationFixtures.data + "/lvis-mini/annotations/lvis_v1style_val_mini.json"
  private static let sets: [(String, ClassSplit)] = [
    (coco, .none), (lvis, .frequency), (coco, .voc),
  ]

  @Test(arguments: sets) func theObjectsThemselvesScoreOne(path: String, split: ClassSplit) throws {
    let truth = try GroundTruth(contentsOf: path)
    let objects = truth.annotations.enumerated().filter { !$0.element.isCrowd }
    let results = try DetectionResults(
      source: "objects",
      boxes: objects.map { index, object in
        DetectionResult(
          imageID: object.imageID, categoryID: object.categoryID, box: object.box,
          score: Double(index % 17) / 17)
      },
      masks: objects.map { index, object in
        try truth.masks.mask(at: index, in: truth.frame(ofImage: object.imageID), of: path)
      })
    let summary = try evaluate(truth, results, split: split)
    for scores in [summary.boxes, summary.masks].compactMap({ $0 }) {
      for measure in scores.measures
      where measure.name.hasPrefix("AP") && measure.value != nil {
        #expect(isNear(measure.value, 1), "\(measure.name)")
      }
    }
    #expect((summary.masks != nil) == (split != .voc))
  }

  @Test(arguments: sets) func theOrderInTheFileDoesNotMatter(path: String, split: ClassSplit) throws
  {
    let truth = try GroundTruth(contentsOf: path)
    let moved = try MovedMasks(truth)
    var random = CounterRandom(seed: 3)
    // Equal scores keep the order of the file, so that they must differ here.
    let boxes = moved.boxes.enumerated().map { index, box in
      var box = box
      box.score += Double(index) * 1e-6
      return box
    }
    let order = boxes.indices.shuffled(using: &random)
    let images = truth.images.shuffled(using: &random)
    let first = try evaluate(
      truth, DetectionResults(source: "a", boxes: boxes, masks: moved.masks), split: split)
    let masks = try truth.annotations.indices.map { number in
      try truth.masks.mask(at: number, in: truth.frame(ofAnnotation: number), of: path)
    }
    let shuffled = try GroundTruth(
      source: truth.source, images: images, categories: truth.categories.reversed(),
      annotations: truth.annotations, masks: masks)
    let second = try evaluate(
      shuffled,
      DetectionResults(
        source: "b", boxes: order.map { boxes[$0] }, masks: order.map { moved.masks[$0] }),
      split: split)
    #expect(first == second)
  }

  @Test(arguments: sets) func theNumberOfThreadsDoesNotMatter(path: String, split: ClassSplit)
    throws
  {
    let truth = try GroundTruth(contentsOf: path)
    let results = try MovedMasks(truth).results()
    var settings = EvaluationSettings()
    settings.threads = 1
    let alone = try evaluate(truth, results, split: split, settings: settings)
    for threads in [2, 7] {
      settings.threads = threads
      #expect(try evaluate(truth, results, split: split, settings: settings) == alone)
    }
  }
}
