/// Whether a file leaves anything to train on; if not, why.
extension COCOAnnotations {
  /// Checks that a box is left in the images that a stream uses.
  ///
  /// - Parameter indices: The images, indices into ``images``.
  /// - Throws: ``DatasetError`` with the number of boxes by what became of them.
  package func requireBoxes(in indices: [Int]) throws {
    guard !indices.contains(where: { !images[$0].objects.isEmpty }) else { return }
    var causes = report.warnings
    if report.crowdBoxes > 0 {
      causes.append("\(report.crowdBoxes) set aside as crowds or to be ignored")
    }
    if report.otherClasses > 0 { causes.append("\(report.otherClasses) of other classes") }
    if report.boxes > 0 { causes.append("\(report.boxes) in images that are too small") }
    let narrow = report.drops[.tooNarrow]?.count ?? 0
    let hint = narrow > 0 && 2 * narrow >= index.annotationCount - report.otherClasses
    throw DatasetError.record(
      file: path, place: "", field: "annotations",
      reason: "no image has a box of a base class that can be trained on"
        + (causes.isEmpty ? "" : " (\(causes.joined(separator: "; ")))")
        + (hint
          ? "; are the boxes in pixels, [x, y, width, height]?"
          : "; check data.class_split and the file"))
  }

  /// A line about objects that train boxes but have no mask to train a mask head.
  ///
  /// - Parameter masks: Where the masks are.
  /// - Returns: The line, or nil when all have one.
  /// - Throws: ``DatasetError`` when none has.
  package func maskWarning(_ masks: SegmentationReader) throws -> String? {
    var without = RecordTally()
    for object in images.lazy.flatMap(\.objects) {
      guard let position = object.position, !masks.hasMask(at: position) else { continue }
      without.count(index.place(ofAnnotation: position))
    }
    guard without.count < report.boxes else {
      throw DatasetError.record(
        file: path, place: "", field: "segmentation",
        reason: "no object has a mask; set model.mask.enabled to false, or give a file with masks")
    }
    return without.line(
      "object has", "objects have", "no mask: left out, as a mask head is trained")
  }
}
