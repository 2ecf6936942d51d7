import CLIP
import Detection
import Formats
import Geometry
import Layers
import Loading
import Tensors

/// The method: aligns the student's bags of regions with the teacher's view of them
/// (spec method 1.23).
package final class BagDistillation: AlignmentMethod {
  /// How it samples and weighs.
  package let settings: BagSettings
  private var alignment: CropAlignment

  package init(_ settings: BagSettings, _ parts: AlignmentParts) throws {
    self.settings = settings
    alignment = try CropAlignment(
      BagAlignment(settings), ProposalChoice(settings.filter, settings.cache, name: "cache"),
      parts, embedsPositions: settings.positionEmbedding)
  }

  package var stream: ImageStream { settings.stream }

  /// The teacher looks at crops.
  package var showsTeacherImages: Bool { true }

  package var state: AlignmentState {
    get { alignment.state }
    set { alignment.state = newValue }
  }

  /// Computes `loss_bag` and the individual loss, `loss_single`.
  ///
  /// Counts proposals, bags, sequences, occurrences, crops,
  /// queue rows and cached images.
  package func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult {
    let chosen = try alignment.chosen(batch, proposed)
    var bags = BagBatch()
    for (image, frame) in batch.frames.enumerated() {
      var numbers = random.numbers("bags", image: frame.imageID)
      bags.append(
        proposals: chosen[image], image: image, width: Float(frame.width),
        height: Float(frame.height), sampling: settings.sampling,
        occurrenceLimit: settings.occurrenceLimit, using: &numbers)
    }
    let (losses, cropCount) = try alignment(
      bags, batch, maps: proposed.maps, detector: detector, random: random,
      masksCrops: settings.cropMask)
    return AlignmentResult(
      losses: ["loss_bag": losses.bag, "loss_single": losses.individual],
      counts: [
        "proposals": bags.proposalCount, "bags": bags.spans.count,
        "sequences": bags.sequenceCount, "occurrences": bags.occurrenceCount,
        "crops": cropCount, "bag_queue": alignment.losses.bags.teacher.images.count,
        "cached_images": alignment.choice.cache?.entries.count ?? 0,
      ])
  }
}

extension BagAlignment {
  /// Creates the losses of bags with empty queues.
  ///
  /// - Parameter settings: Weights, temperatures and lengths of queues.
  package init(_ settings: BagSettings) {
    self.init(
      bags: ContrastiveAlignment(
        // Individuals alone: the loss of bags has no weight (spec method 1.20, 3).
        weight: settings.kind == .bags ? settings.bagWeight : 0,
        temperature: settings.bagTemperature, queues: "bags", lengths: settings.bagQueueLength),
      individuals: ContrastiveAlignment(
        weight: settings.regionWeight, temperature: settings.regionTemperature,
        queues: "regions", lengths: settings.regionQueueLength))
  }
}
