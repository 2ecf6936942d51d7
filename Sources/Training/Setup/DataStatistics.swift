import Annotations
import Foundation

/// What the pictures and boxes of a training set are like.
package struct DataStatistics: Sendable {
  /// Number of pictures.
  package let images: Int
  /// Middle values of the sides, in pixels.
  package let shortSide: Int
  package let longSide: Int
  /// Long side over short side that nineteen of twenty pictures stay within.
  package let widestRatio: Double
  /// The side of a square of a box's area, in shares of the picture's short side: what a twentieth, a
  /// tenth, half and nineteen twentieths of the boxes stay below.
  package let boxSides: (least: Double, low: Double, middle: Double, high: Double)
  /// Height over width that a twentieth and nineteen twentieths of the boxes stay below.
  package let boxRatios: (low: Double, high: Double)
  /// Objects of base classes that nineteen of twenty pictures do not have more of.
  package let objectsPerImage: Int

  /// Measures a set.
  ///
  /// - Parameter annotations: The boxes that count.
  package init(_ annotations: COCOAnnotations) {
    let pictures = annotations.images.filter { $0.width > 0 && $0.height > 0 }
    images = annotations.images.count
    func quantile(_ values: [Double], _ share: Double) -> Double {
      guard !values.isEmpty else { return 0 }
      return values[min(values.count - 1, Int(share * Double(values.count)))]
    }
    let shorts = pictures.map { Double(min($0.width, $0.height)) }.sorted()
    let longs = pictures.map { Double(max($0.width, $0.height)) }.sorted()
    let ratios = pictures.map {
      Double(max($0.width, $0.height)) / Double(min($0.width, $0.height))
    }.sorted()
    shortSide = Int(quantile(shorts, 0.5))
    longSide = Int(quantile(longs, 0.5))
    widestRatio = max(1, quantile(ratios, 0.95))
    var sides: [Double] = []
    var shapes: [Double] = []
    for picture in pictures {
      let short = Double(min(picture.width, picture.height))
      for object in picture.objects {
        let (width, height) = (Double(object.box.width), Double(object.box.height))
        sides.append((width * height).squareRoot() / short)
        shapes.append(height / max(width, 1e-6))
      }
    }
    sides.sort()
    shapes.sort()
    boxSides = (
      quantile(sides, 0.05), quantile(sides, 0.1), quantile(sides, 0.5), quantile(sides, 0.95)
    )
    boxRatios = (quantile(shapes, 0.05), quantile(shapes, 0.95))
    let counts = pictures.map { Double($0.objects.count) }.sorted()
    objectsPerImage = max(1, Int(quantile(counts, 0.95)))
  }
}
