import Baron
import Detection
import Loading
import Tensors

/// Carries decoded samples to the device (design 6, step 1).
public struct BatchPreparation: Sendable {
  /// How the detector wants its pixels.
  public var normalisation: PixelNormalisation
  /// Sides of a batch are multiples of this.
  public var paddingUnit: Int

  /// CLIP's mean and deviation of red, green and blue, in 0...255 (spec clip 3.4).
  public static let clipNormalisation = PixelNormalisation(
    means: [122.770_938_3, 116.746_012_5, 104.093_736_15],
    deviations: [68.500_532_7, 66.632_157_9, 70.323_163_05])

  /// Creates the preparation.
  ///
  /// - Parameters:
  ///   - normalisation: How the detector wants its pixels.
  ///   - paddingUnit: Sides of a batch are multiples of this.
  public init(normalisation: PixelNormalisation, paddingUnit: Int = ImageFrame.paddingUnit) {
    self.normalisation = normalisation
    self.paddingUnit = paddingUnit
  }

  /// Resizes, flips, normalises and pads images on a device.
  ///
  /// - Parameters:
  ///   - samples: The decoded images with their transforms.
  ///   - stream: Where the batch lives.
  /// - Returns: `[N, H, W, 3]`.
  /// - Throws: `OpenCLError` when memory runs out.
  public func images(_ samples: [LoadedSample], on stream: ComputeStream) throws -> Tensor {
    try Tensor.imageBatch(
      samples.map { sample in
        ImageInput(
          pixels: sample.image.bytes, width: sample.image.width, height: sample.image.height,
          resizedWidth: sample.transform.width, resizedHeight: sample.transform.height,
          isFlipped: sample.transform.isFlipped)
      }, normalisation: normalisation, paddedToMultipleOf: paddingUnit, on: stream)
  }

  /// The size of a sample that is a batch of its own, in pixels.
  ///
  /// - Parameter sample: The sample.
  /// - Returns: Width and height, as a key to group samples by.
  func paddedSize(_ sample: LoadedSample) -> [Int] {
    [sample.transform.width, sample.transform.height].map {
      ($0 + paddingUnit - 1) / paddingUnit * paddingUnit
    }
  }

  /// The sizes of a batch's images.
  ///
  /// - Parameter samples: The samples.
  /// - Returns: One frame per sample.
  public func frames(_ samples: [LoadedSample]) -> [ImageFrame] {
    samples.map { sample in
      ImageFrame(
        imageID: sample.imageID, width: sample.transform.width, height: sample.transform.height,
        scaleX: sample.transform.scaleX, scaleY: sample.transform.scaleY)
    }
  }

  /// A batch with boxes for the detection losses.
  ///
  /// - Parameters:
  ///   - samples: The samples.
  ///   - stream: Where the batch lives.
  /// - Returns: The batch.
  /// - Throws: `OpenCLError` when memory runs out.
  public func detectionBatch(
    _ samples: [LoadedSample], on stream: ComputeStream
  ) throws -> DetectionBatch {
    DetectionBatch(
      images: try images(samples, on: stream), frames: frames(samples),
      groundTruth: samples.map {
        TargetBoxes(boxes: Self.boxes($0), labels: $0.labels, masks: $0.masks)
      })
  }

  /// A batch for the methods that align the student.
  ///
  /// - Parameters:
  ///   - samples: The samples.
  ///   - student: Where the detector runs.
  ///   - teacher: Where the image encoder runs; nil when no teacher looks at these images.
  /// - Returns: The batch, the teacher's pixels renormalised for CLIP.
  /// - Throws: `OpenCLError` when memory runs out.
  package func alignmentBatch(
    _ samples: [LoadedSample], student: ComputeStream, teacher: ComputeStream?
  ) throws -> AlignmentBatch {
    // The pixels go to both queues, so that the teacher need not wait for the student.
    let seen = try teacher.map {
      try images(samples, on: $0).renormalised(from: normalisation, to: Self.clipNormalisation)
    }
    return AlignmentBatch(
      images: try images(samples, on: student), teacherImages: seen, frames: frames(samples),
      isFlipped: samples.map(\.transform.isFlipped), groundTruth: samples.map(Self.boxes),
      captions: samples.map(\.captions))
  }

  private static func boxes(_ sample: LoadedSample) -> [Box] {
    sample.boxes.map { Box(x1: $0.x1, y1: $0.y1, x2: $0.x2, y2: $0.y2) }
  }
}
