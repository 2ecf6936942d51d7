/// Sorting a data set into classes by the rules of COCO (spec 5.4).
enum COCOProtocol {
  /// The boxes of every class in category order; crowds are ignored objects that absorb many.
  static func classes(
    _ truth: GroundTruth, _ results: DetectionResults, _ selection: DetectionSelection
  ) throws -> [ClassBoxes] {
    try selection.check(results, against: truth)
    let chosen = selection.images(of: truth)
    var classes = [ClassBoxes](repeating: ClassBoxes(), count: truth.categories.count)
    for annotation in truth.annotations {
      guard let image = truth.imagePositions[annotation.imageID], chosen[image],
        let category = truth.categoryPositions[annotation.categoryID]
      else { continue }
      // COCO's own "ignore" field is overwritten by "iscrowd" in the reference.
      classes[category].objects.append(
        ClassBoxes.Object(
          image: image, box: annotation.box, area: annotation.area, isIgnored: annotation.isCrowd,
          absorbsMany: annotation.isCrowd))
    }
    for found in results.boxes {
      guard let image = truth.imagePositions[found.imageID], chosen[image],
        let category = truth.categoryPositions[found.categoryID]
      else { continue }
      classes[category].candidates.append(
        ClassBoxes.Candidate(image: image, box: found.box, score: found.score, isExempt: false))
    }
    for index in classes.indices { classes[index].sort() }
    return classes
  }
}
