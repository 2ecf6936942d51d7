import Masks

/// One image of a batch as the detector sees it.
public struct ImageFrame: Sendable, Equatable {
  /// The image's id, which its random numbers depend on.
  public var imageID: Int
  /// Width of the resized image in pixels, without the batch's padding.
  public var width: Int
  /// Height of the resized image in pixels, without the batch's padding.
  public var height: Int
  /// Resized over original width.
  public var scaleX: Float
  /// Resized over original height.
  public var scaleY: Float

  /// Creates a frame.
  ///
  /// - Parameters:
  ///   - imageID: The image's id.
  ///   - width: Width of the resized image in pixels.
  ///   - height: Height of the resized image in pixels.
  ///   - scaleX: Resized over original width.
  ///   - scaleY: Resized over original height.
  public init(imageID: Int, width: Int, height: Int, scaleX: Float = 1, scaleY: Float = 1) {
    self.imageID = imageID
    self.width = width
    self.height = height
    self.scaleX = scaleX
    self.scaleY = scaleY
  }

  /// Width of the original image in pixels.
  public var originalWidth: Int { Int((Float(width) / scaleX).rounded()) }

  /// Height of the original image in pixels.
  public var originalHeight: Int { Int((Float(height) / scaleY).rounded()) }

  /// Width rounded up to a multiple of the padding unit.
  public var paddedWidth: Int { Self.rounded(width) }

  /// Height rounded up to a multiple of the padding unit.
  public var paddedHeight: Int { Self.rounded(height) }

  /// Sides of a batch are multiples of this many pixels (spec detector 2.1).
  public static let paddingUnit = 32

  private static func rounded(_ length: Int) -> Int {
    (length + paddingUnit - 1) / paddingUnit * paddingUnit
  }
}

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
