import Annotations

/// Repeats images of rare classes (OV-LVIS; spec training 4.5, class-balanced resampling).
package enum ClassBalance {
  /// The index list with images of rare classes repeated.
  ///
  /// With `f` the fraction of images that contain a class, the class asks for
  /// `max(1, sqrt(threshold / f))`; an image follows its most demanding class, rounded up, so
  /// nothing is drawn at random.
  ///
  /// - Parameters:
  ///   - indices: The images of the stream, indices into `images`.
  ///   - images: The images of the data set.
  ///   - threshold: The fraction below which a class counts as rare; 0.001 in the published setup.
  /// - Returns: The indices in the same order, each at least once.
  package static func repeated(
    _ indices: [Int], of images: [COCOAnnotations.ImageRecord], threshold: Double
  ) -> [Int] {
    var counts: [Int: Int] = [:]
    for index in indices {
      for label in Set(images[index].objects.map(\.label)) { counts[label, default: 0] += 1 }
    }
    let factors = counts.mapValues {
      max(1, (threshold * Double(indices.count) / Double($0)).squareRoot())
    }
    return indices.flatMap { index in
      let factor = images[index].objects.compactMap { factors[$0.label] }.max() ?? 1
      return Array(repeating: index, count: Int(factor.rounded(.up)))
    }
  }
}
