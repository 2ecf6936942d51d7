import Geometry
import Masks

/// The boxes of one image that are looked for, crowds excluded.
public struct TargetBoxes: Sendable, Equatable {
  /// Boxes in pixels of the resized image.
  public var boxes: [Box]
  /// Class of each box, counted from 0.
  public var labels: [Int]
  /// Mask of each box in pixels of the resized image; empty where no mask head is trained.
  public var masks: [MaskCrop]

  /// Creates ground truth.
  ///
  /// - Parameters:
  ///   - boxes: Boxes in pixels of the resized image.
  ///   - labels: Class of each box.
  ///   - masks: Mask of each box, or none at all.
  public init(boxes: [Box], labels: [Int], masks: [MaskCrop] = []) {
    precondition(boxes.count == labels.count, "\(labels.count) labels for \(boxes.count) boxes")
    precondition(
      masks.isEmpty || masks.count == boxes.count, "\(masks.count) masks for \(boxes.count) boxes")
    self.masks = masks
    self.boxes = boxes
    self.labels = labels
  }
}
