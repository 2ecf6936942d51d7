import Detection
import Formats
import Geometry
import Loading
import Tensors

/// A way to align the student with a teacher: which images it looks at, the losses that it makes of
/// them, and what it remembers from step to step.
package protocol AlignmentMethod: AnyObject {
  /// The stream whose images it aligns.
  var stream: ImageStream { get }

  /// Whether its teacher looks at the images and not only at what is known of them.
  var showsTeacherImages: Bool { get }

  /// What it remembers from step to step; part of a checkpoint.
  var state: AlignmentState { get set }

  /// Computes the losses of one step.
  ///
  /// - Parameters:
  ///   - batch: The images of ``stream``; the teacher's must be ready on its own stream.
  ///   - proposed: What the student made of the images, in training.
  ///   - detector: The student.
  ///   - random: The step's random choices.
  /// - Returns: Losses with gradients, on the student's stream.
  /// - Throws: `OpenCLError` when the device fails; `TokenizerError`.
  func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult
}

/// The images of a stream in one step, with what a method may want to know of them.
package struct AlignmentBatch {
  /// `[B, H, W, 3]` as the detector sees them, on the student's stream.
  package var images: Tensor
  /// `[B, H, W, 3]` normalised for CLIP, on the teacher's stream; nil unless a method's teacher
  /// looks at them.
  package var teacherImages: Tensor?
  /// How each image was resized and flipped.
  package var frames: [ImageView]
  /// Boxes of base classes per image, in pixels of the resized image.
  package var groundTruth: [[Box]]
  /// Each image's captions; none but in the stream of captions.
  package var captions: [[String]]

  package init(
    images: Tensor, teacherImages: Tensor?, frames: [ImageView], groundTruth: [[Box]],
    captions: [[String]]
  ) {
    precondition(
      [frames.count, groundTruth.count, captions.count].allSatisfy {
        $0 == images.shape[0]
      }, "a batch of several sizes")
    self.images = images
    self.teacherImages = teacherImages
    self.frames = frames
    self.groundTruth = groundTruth
    self.captions = captions
  }

  /// The images' ids as queues keep them.
  var ids: [Int32] { frames.map { Int32(truncatingIfNeeded: $0.imageID) } }
}

/// What a method makes of a step.
package struct AlignmentResult {
  /// Weighted scalars by the names of the log.
  package var losses: [String: Tensor]
  /// Numbers worth logging.
  package var counts: [String: Int]
}

/// What a method remembers from step to step.
package struct AlignmentState {
  /// Embeddings of earlier steps, in the order of a checkpoint's file.
  package var queues: [EmbeddingQueue]
  /// Proposals of earlier epochs; nil where none are kept.
  package var cache: BoxCache?

  package init(queues: [EmbeddingQueue], cache: BoxCache? = nil) {
    self.queues = queues
    self.cache = cache
  }
}
