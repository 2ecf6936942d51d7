import CLIP
import Detection
import Formats
import Loading
import Settings
import Tensors

/// How region crops are aligned one by one: the section `region_crops` of a configuration.
package struct RegionCropSettings: Sendable, Equatable {
  /// Whether they are.
  package var enabled = false
  /// Weight of the loss of a region's words against its crop.
  package var weight: Float = 1
  /// What cosines of words and crops are multiplied by.
  package var temperature: Float = 30
  /// Weight of the loss of a region's tokens against the patches of its crop.
  package var patchWeight: Float = 0.1
  /// What cosines of tokens and patches are multiplied by.
  package var patchTemperature: Float = 50
  /// Rows of the queues of crops.
  package var queueLength: QueueLengths = 1024
  /// Rows of the queues of patches.
  package var patchQueueLength: QueueLengths = 1024
  /// Which proposals are cropped.
  package var filter = ProposalFilter()
  /// What the teacher sees more of than the region: both sides are multiplied by it.
  package var cropScale: Float = 1
  /// Most crops of an image, a cap of memory; 0 for none.
  package var cropLimit = 0
  /// Proposals remembered over the epochs.
  package var cache = BoxCacheSettings()

  /// Creates the values of bags, switched off.
  package init() {}
}

extension RegionCropSettings: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("enabled", &enabled)
    try keys.field("weight", &weight, .notNegative)
    try keys.field("temperature", &temperature, .positive)
    try keys.field("patch_weight", &patchWeight, .notNegative)
    try keys.field("patch_temperature", &patchTemperature, .positive)
    try keys.field("queue_length", &queueLength, .lengths)
    try keys.field("patch_queue_length", &patchQueueLength, .lengths)
    try keys.section("filter", &filter)
    try keys.field("crop_scale", &cropScale, .number(1...10))
    try keys.field("crop_limit", &cropLimit, .atLeast(0))
    try keys.section("cache", &cache)
  }
}

extension RegionCropSettings: AlignmentSettings {
  package var isEnabled: Bool { enabled }

  package var queueRows: Int { queueLength.sum + patchQueueLength.sum }

  package var switchedOn: (by: String, orGive: String) { ("region_crops.enabled is true", "") }

  package var stream: ImageStream { .alignment }

  /// The most positions that a region's sentence can take.
  package func longestSentence(words: Int) -> Int { words + 2 }

  /// Nothing: the words of one region fit wherever those of a class do.
  package func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] { [] }

  package func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try RegionCrops(self, parts)
  }
}

/// Aligns each region by itself with CLIP's view of its crop: distillation of single crops, which
/// bags of neighbouring regions go beyond.
package final class RegionCrops: AlignmentMethod {
  private let settings: RegionCropSettings
  private var alignment: CropAlignment

  package init(_ settings: RegionCropSettings, _ parts: AlignmentParts) throws {
    self.settings = settings
    alignment = try CropAlignment(
      BagAlignment(
        bags: ContrastiveAlignment(
          weight: settings.weight, temperature: settings.temperature, queues: "crops",
          lengths: settings.queueLength),
        individuals: ContrastiveAlignment(
          weight: settings.patchWeight, temperature: settings.patchTemperature,
          queues: "crop_patches", lengths: settings.patchQueueLength)),
      ProposalChoice(settings.filter, settings.cache, name: "crop_cache"), parts)
  }

  package var stream: ImageStream { settings.stream }

  /// The teacher looks at crops.
  package var showsTeacherImages: Bool { true }

  package var state: AlignmentState {
    get { alignment.state }
    set { alignment.state = newValue }
  }

  /// Computes `loss_crop` and `loss_crop_patch`.
  ///
  /// Counts region crops, queue rows and cached images.
  package func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult {
    var regions = BagBatch()
    for (image, boxes) in try alignment.chosen(batch, proposed).enumerated() {
      let frame = batch.frames[image]
      let (width, height) = (Float(frame.width), Float(frame.height))
      for box in settings.cropLimit == 0 ? boxes[...] : boxes.prefix(settings.cropLimit) {
        let region = box.clipped(width: width, height: height)
        regions.append(
          region: region, image: image,
          span: region.enlarged(by: settings.cropScale, width: width, height: height))
      }
    }
    let (losses, cropCount) = try alignment(
      regions, batch, maps: proposed.maps, detector: detector, random: random)
    return AlignmentResult(
      losses: ["loss_crop": losses.bag, "loss_crop_patch": losses.individual],
      counts: [
        "region_crops": cropCount, "crop_queue": alignment.losses.bags.teacher.images.count,
        "crop_cached_images": alignment.choice.cache?.entries.count ?? 0,
      ])
  }
}
