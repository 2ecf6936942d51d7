/// Sorting a data set into classes by the rules of COCO (spec evaluation 5.4).
enum COCOProtocol {
  /// Every class in category order; crowds are ignored objects that absorb many.
  static func classes(
    _ truth: GroundTruth, _ results: DetectionResults, _ selection: DetectionSelection
  ) throws -> [ClassBoxes] {
    try selection.check(results, against: truth)
    return ClassBoxes.divide(
      truth, results, chosen: selection.images(of: truth),
      // COCO's own "ignore" field is overwritten by "iscrowd" in the reference.
      roles: { ($0.contains(.crowd), $0.contains(.crowd)) }, isExempt: { _, _ in false },
      indices: results.boxes.indices)
  }
}
