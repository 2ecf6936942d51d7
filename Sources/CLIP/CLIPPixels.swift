import Tensors

extension PixelNormalisation {
  /// CLIP's mean and deviation of red, green and blue, in 0...255 (spec clip 3.4).
  package static let clip = PixelNormalisation(
    means: [122.770_938_3, 116.746_012_5, 104.093_736_15],
    deviations: [68.500_532_7, 66.632_157_9, 70.323_163_05])
}
