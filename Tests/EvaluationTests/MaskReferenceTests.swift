import TestSupport
import Testing

@testable import Evaluation

/// Box and mask AP on real annotations, with what pycocotools 2.0.11, lvis 0.5.3 and the Python
/// translation of the VOC devkit give for the detections of ``MovedMasks``.
@Suite(
  .enabled(if: EvaluationFixtures.exists(EvaluationFixtures.data), "the real data is missing"))
struct MaskReferenceTests {
  private static let names = [
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
  ]
  private static let frequencyNames = [
    "AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf",
  ]
  private static let miniCOCO = "coco-mini/annotations/instances_val.json"
  private static let evalCOCO = "coco-eval/instances_val2014_gt.json"
  private static let miniLVIS = "lvis-mini/annotations/lvis_v0.5_val_mini.json"

  private func truth(_ file: String) throws -> GroundTruth {
    try GroundTruth(contentsOf: "\(EvaluationFixtures.data)/\(file)")
  }

  private func compare(
    _ scores: EvaluationSummary.Scores?, _ names: [String], _ expected: [Double]
  ) throws {
    let scores = try #require(scores)
    for (name, value) in zip(names, expected) {
      let found = scores[name] ?? -1
      #expect(abs(found - value) <= 1e-6, "\(name): \(found), expected \(value)")
    }
  }

  private func compare(
    _ scores: EvaluationSummary.Scores?, perCategory expected: [Int: (Double, Double)]
  ) throws {
    for (id, values) in expected {
      let result = try #require(scores?.classes.first { $0.id == id })
      #expect(abs((result.averagePrecision ?? -1) - values.0) <= 1e-6)
      #expect(abs((result.averagePrecision50 ?? -1) - values.1) <= 1e-6)
    }
  }

  @Test func cocoWithCrowds() throws {
    let truth = try truth(Self.miniCOCO)
    let moved = try MovedMasks(truth)
    // Through a file, whose masks are read again when they are needed.
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/results.json"
    try DetectionResultsWriter.write(to: path) { writer in
      for (box, mask) in zip(moved.boxes, moved.masks) { try writer.append(box, mask: mask) }
    }
    let summary = try evaluate(truth, DetectionResults(contentsOf: path))
    #expect(moved.boxes.count == 991)
    try compare(
      summary.boxes, Self.names,
      [
        0.437531590599, 0.607601233886, 0.421310049563, 0.240664164984, 0.664408277154,
        0.816179104609, 0.447095293946, 0.610316550342, 0.626091396478, 0.342268562227,
        0.784507722008, 0.955724637681,
      ])
    try compare(
      summary.masks, Self.names,
      [
        0.343034322216, 0.500849471508, 0.357610219444, 0.107758275139, 0.565449736789,
        0.778325993316, 0.356410529991, 0.502155376817, 0.514755918073, 0.196094263279,
        0.676525096525, 0.894013112491,
      ])
    try compare(
      summary.boxes,
      perCategory: [1: (0.479337178293, 0.740955758053), 64: (0.385502121641, 0.714285714286)])
    try compare(
      summary.masks,
      perCategory: [1: (0.283515775039, 0.564523492984), 64: (0.218316831683, 0.30198019802)])
  }

  @Test func cocoOfTheSample() throws {
    let truth = try truth(Self.evalCOCO)
    let summary = try evaluate(truth, MovedMasks(truth).results())
    try compare(
      summary.boxes, Self.names,
      [
        0.463920532457, 0.671310221979, 0.459750554032, 0.300586561329, 0.614479692293,
        0.819037264106, 0.430746298701, 0.645331500722, 0.665177712843, 0.423637274184,
        0.755741758242, 0.947067901235,
      ])
    try compare(
      summary.masks, Self.names,
      [
        0.366143580876, 0.561763033756, 0.357406621883, 0.152897756731, 0.518705275899,
        0.810580924059, 0.359586774892, 0.538092972583, 0.552915252525, 0.252551684427,
        0.634844322344, 0.916049382716,
      ])
    try compare(
      summary.masks,
      perCategory: [1: (0.195548553365, 0.381971357312), 62: (0.365901619977, 0.75248391372)])
  }

  /// Polygons of detections are rasterised like those of objects.
  @Test func polygonsOfDetections() throws {
    let truth = try truth(Self.evalCOCO)
    let summary = try evaluate(truth, MovedPolygons.results(of: truth))
    #expect(summary.boxes == nil)
    try compare(summary.masks, Self.names, MovedPolygons.expected)
  }

  @Test(
    arguments: [
      (
        300,
        [
          0.583989048917, 0.792872872238, 0.59557638043, 0.353435164945, 0.733501372115,
          0.909122736598, 0.85, 0.710261584363, 0.566417367244, 0.657461228139, 0.396172878242,
          0.783202380952, 0.949369369369,
        ],
        [
          0.455004785583, 0.678622042401, 0.478472409123, 0.178195308051, 0.598866297344,
          0.849023280706, 0.7, 0.630042383186, 0.432069484544, 0.523690039257, 0.228805772309,
          0.650013888889, 0.882612612613,
        ]
      ),
      (
        12,
        [
          0.455369707525, 0.606858688784, 0.476054686372, 0.232371228194, 0.501390735502,
          0.766316564089, 0.85, 0.464405940594, 0.449795079672, 0.499522714789, 0.25401963058,
          0.52439484127, 0.78981981982,
        ],
        [
          0.359949027702, 0.527940468974, 0.388795716306, 0.111787356032, 0.410574581565,
          0.71749620908, 0.7, 0.409541254125, 0.350340139925, 0.399000353388, 0.135747776383,
          0.433738095238, 0.733513513514,
        ]
      ),
    ])
  func lvisByFrequency(limit: Int, boxes: [Double], masks: [Double]) throws {
    let truth = try truth(Self.miniLVIS)
    var settings = EvaluationSettings()
    settings.lvisDetectionsPerImage = limit
    let summary = try evaluate(
      truth, MovedMasks(truth).results(), split: .frequency, settings: settings)
    let names = Self.frequencyNames + ["", "s", "m", "l"].map { "AR\($0)@\(limit)" }
    try compare(summary.boxes, names, boxes)
    try compare(summary.masks, names, masks)
    #expect(summary.masks?.group("rare")?["AP"] == summary.masks?["APr"])
  }

  /// Crowds stand for difficult objects, as `baron convert-data voc` writes them.
  @Test(
    arguments: [
      (VOCSettings.Interpolation.elevenPoint, false, 0.603556459825, 0.421196766843),
      (.elevenPoint, true, 0.618613403589, 0.428677641953),
      (.area, false, 0.602723599199, 0.417036353975),
      (.area, true, 0.617889699774, 0.425320586917),
    ])
  func vocDevkit(
    rule: VOCSettings.Interpolation, countsLastPixel: Bool, at50: Double, at75: Double
  ) throws {
    let truth = try truth(Self.miniCOCO)
    var settings = EvaluationSettings()
    settings.voc.interpolation = rule
    settings.voc.countsLastPixel = countsLastPixel
    let summary = try evaluate(truth, MovedMasks(truth).results(), split: .voc, settings: settings)
    try compare(summary.boxes, ["AP50", "AP75"], [at50, at75])
    #expect(summary.masks == nil)
  }
}
