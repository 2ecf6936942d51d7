import Geometry
import Masks

/// The boxes of one image that are looked for, crowds excluded.
package struct TargetBoxes: Sendable, Equatable {
  /// Boxes in pixels of the resized image.
  package var boxes: [Box]
  /// Class of each box, counted from 0.
  package var labels: [Int]
  /// Mask of each box in pixels of the resized image; empty where no mask head is trained.
  package var masks: [MaskCrop]

  /// Creates ground truth.
  package init(boxes: [Box], labels: [Int], masks: [MaskCrop] = []) {
    precondition(boxes.count == labels.count, "\(labels.count) labels for \(boxes.count) boxes")
    precondition(
      masks.isEmpty || masks.count == boxes.count, "\(masks.count) masks for \(boxes.count) boxes")
    self.masks = masks
    self.boxes = boxes
    self.labels = labels
  }
}
