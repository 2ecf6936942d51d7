import Foundation
import Geometry
import Tensors

/// Boxes as deltas of reference boxes, on the host; `coding` also drives the device's operators.
///
/// Source: spec detector 2.3, Delta codec.
package struct BoxCoder: Sendable, Equatable {
  /// Normalisation and the limit of sizes.
  package let coding: BoxCoding

  package init(_ coding: BoxCoding) { self.coding = coding }

  /// Deltas of anchors: not normalised.
  package static let anchors = BoxCoder(BoxCoding())

  /// Deltas of proposals.
  package static let proposals = BoxCoder(BoxCoding(deviations: [0.1, 0.1, 0.2, 0.2]))

  /// The normalised delta from a reference box to a target.
  ///
  /// - Parameters:
  ///   - target: Where to go; wider and higher than 0.
  ///   - reference: Where to start; wider and higher than 0.
  /// - Returns: dx, dy, dw, dh.
  package func encoded(_ target: Box, from reference: Box) -> [Float] {
    let raw = [
      (0.5 * (target.x1 + target.x2) - 0.5 * (reference.x1 + reference.x2)) / reference.width,
      (0.5 * (target.y1 + target.y2) - 0.5 * (reference.y1 + reference.y2)) / reference.height,
      log(target.width / reference.width), log(target.height / reference.height),
    ]
    return (0..<4).map { (raw[$0] - coding.means[$0]) / coding.deviations[$0] }
  }
}
