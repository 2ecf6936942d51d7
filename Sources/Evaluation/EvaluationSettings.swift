import Formats

/// The choices of an evaluation that its files do not settle.
package struct EvaluationSettings: Sendable, Equatable {
  /// How many detections of a class in an image count, ascending.
  ///
  /// Plain COCO has `[1, 10, 100]`, the reference's framework `[100, 300, 1000]` (spec evaluation 5.4); LVIS
  /// has no such cut.
  package var cuts = [1, 10, 100]
  /// LVIS: detections in an image that count, over all classes.
  package var lvisDetectionsPerImage = 300
  /// The choices of the VOC devkit.
  package var voc = VOCSettings()
  /// Whether boxes, masks or both are scored; nil scores what both files hold.
  package var iouTypes: Set<IoUType>?
  /// Whether only images with an object of a base or novel class are scored.
  ///
  /// On COCO val2017 those are the 4836 images of the literature instead of all 5000 (spec evaluation 5.2).
  package var onlyImagesOfSplit = false
  /// Whether only base and novel classes are in the vocabulary: 65 instead of COCO's 80.
  ///
  /// Detections of the others are left out (spec evaluation 5.2).
  package var onlyClassesOfSplit = false
  /// Whether detections of categories that the ground truth does not list are left out instead
  /// of being an error.
  package var dropsUnknownCategories = false
  /// The score below which the detector kept nothing, where that is known; reported only.
  package var scoreThreshold: Double?
  /// How many threads score; the numbers do not depend on it.
  package var threads = Cores.usable

  /// Creates the release's choices.
  package init() {}
}

/// How the devkit of PASCAL VOC counts (spec evaluation 5.6).
package struct VOCSettings: Sendable, Equatable {
  /// How a curve of precision over recall becomes one number.
  package enum Interpolation: String, Sendable, CaseIterable {
    /// Mean of the best precision from each of 11 recalls on; the challenge's rule of 2007.
    case elevenPoint = "11-point"
    /// The area under the monotone curve; the rule since 2010.
    case area
  }

  /// How a curve becomes one number.
  package var interpolation = Interpolation.elevenPoint
  /// Whether a box is a pixel wider and higher than its corners say.
  ///
  /// For files whose width is `xmax - xmin` of the corner pixels; boxes of `baron convert-data voc`
  /// already have the last pixel in them.
  package var countsLastPixel = false

  /// Creates the rule of 2007 for boxes that hold their last pixel.
  package init() {}
}
