import Baron
import CLIP
import Detection
import Geometry
import Loading
import Tensors

/// Carries decoded samples to the device.
package struct BatchPreparation: Sendable {
  /// How the detector wants its pixels.
  package var normalisation: PixelNormalisation
  /// Sides of a batch are multiples of this.
  package var paddingUnit: Int

  package init(normalisation: PixelNormalisation, paddingUnit: Int = ImageView.paddingUnit) {
    self.normalisation = normalisation
    self.paddingUnit = paddingUnit
  }

  /// Resizes, flips, normalises and pads images on a device.
  ///
  /// - Parameters:
  ///   - samples: The decoded images with their views.
  ///   - stream: Where the batch lives.
  /// - Returns: `[N, H, W, 3]`.
  package func images(_ samples: [LoadedSample], on stream: ComputeStream) throws -> Tensor {
    try Tensor.imageBatch(
      samples.map { ImageInput(pixels: $0.image.bytes, view: $0.view) },
      normalisation: normalisation, paddedToMultipleOf: paddingUnit, on: stream)
  }

  /// A batch with boxes for the detection losses.
  ///
  /// - Parameters:
  ///   - samples: The samples.
  ///   - stream: Where the batch lives.
  package func detectionBatch(
    _ samples: [LoadedSample], on stream: ComputeStream
  ) throws -> DetectionBatch {
    DetectionBatch(
      images: try images(samples, on: stream), frames: samples.map(\.view),
      groundTruth: samples.map {
        TargetBoxes(boxes: $0.boxes, labels: $0.labels, masks: $0.masks)
      })
  }

  /// A batch for the methods that align the student.
  ///
  /// - Parameters:
  ///   - samples: The samples.
  ///   - student: Where the detector runs.
  ///   - teacher: Where the image encoder runs; nil when no teacher looks at these images.
  /// - Returns: The batch, the teacher's pixels renormalised for CLIP.
  package func alignmentBatch(
    _ samples: [LoadedSample], student: ComputeStream, teacher: ComputeStream?
  ) throws -> AlignmentBatch {
    // The pixels go to both queues, so that the teacher need not wait for the student.
    let seen = try teacher.map {
      try images(samples, on: $0).renormalised(from: normalisation, to: .clip)
    }
    return AlignmentBatch(
      images: try images(samples, on: student), teacherImages: seen, frames: samples.map(\.view),
      groundTruth: samples.map(\.boxes), captions: samples.map(\.captions))
  }
}
