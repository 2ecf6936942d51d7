import CLIP
import Detection
import Formats
import Loading
import Settings
import Tensors

/// How region crops are aligned one by one: the section `region_crops` of a configuration.
public struct RegionCropSettings: Sendable, Equatable {
  /// Whether they are.
  public var enabled = false
  /// Weight of the loss of a region's words against its crop.
  public var weight: Float = 1
  /// What cosines of words and crops are multiplied by.
  public var temperature: Float = 30
  /// Weight of the loss of a region's tokens against the patches of its crop.
  public var patchWeight: Float = 0.1
  /// What cosines of tokens and patches are multiplied by.
  public var patchTemperature: Float = 50
  /// Rows of the queues of crops.
  public var queueLength: QueueLengths = 1024
  /// Rows of the queues of patches.
  public var patchQueueLength: QueueLengths = 1024
  /// Which proposals are cropped.
  public var filter = ProposalFilter()
  /// Most crops of an image, a cap of memory; 0 for none.
  public var cropLimit = 0
  /// Proposals remembered over the epochs.
  public var cache = BoxCacheSettings()

  /// Creates the values of bags, switched off.
  public init() {}
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
    try keys.field("crop_limit", &cropLimit, .atLeast(0))
    try keys.section("cache", &cache)
  }
}

extension RegionCropSettings: AlignmentSettings {
  /// Whether they are aligned.
  public var isEnabled: Bool { enabled }

  /// The switch.
  public var switchedOn: (by: String, orGive: String) { ("region_crops.enabled is true", "") }

  /// Images that are aligned with what CLIP sees in them.
  public var stream: ImageStream { .alignment }

  /// The most positions that a region's sentence can take.
  ///
  /// - Parameter words: Words per region K.
  /// - Returns: All words, start and end.
  public func longestSentence(words: Int) -> Int { words + 2 }

  /// Nothing: the words of one region fit wherever those of a class do.
  ///
  /// - Parameters:
  ///   - words: Words per region K.
  ///   - contextLength: Positions that the text encoder takes.
  /// - Returns: No conflict.
  public func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)] { [] }

  /// Builds the method.
  ///
  /// - Parameter parts: What methods are made of.
  /// - Returns: The alignment of region crops.
  /// - Throws: `CheckpointError` when the CLIP folder does not fit; `OpenCLError`.
  public func method(_ parts: AlignmentParts) throws -> any AlignmentMethod {
    try RegionCrops(self, parts)
  }
}

/// Aligns each region by itself with CLIP's view of its crop: distillation of single crops, which
/// bags of neighbouring regions go beyond.
public final class RegionCrops: AlignmentMethod {
  private let settings: RegionCropSettings
  private var choice: ProposalChoice
  private var alignment: CropAlignment

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - settings: How it chooses and weighs.
  ///   - parts: What methods are made of.
  /// - Throws: `CheckpointError` when the CLIP folder does not fit; `OpenCLError`.
  public init(_ settings: RegionCropSettings, _ parts: AlignmentParts) throws {
    self.settings = settings
    choice = ProposalChoice(settings.filter, settings.cache, name: "crop_cache")
    alignment = try CropAlignment(
      BagAlignment(
        bags: ContrastiveAlignment(
          weight: settings.weight, temperature: settings.temperature, queues: "crops",
          lengths: settings.queueLength),
        individuals: ContrastiveAlignment(
          weight: settings.patchWeight, temperature: settings.patchTemperature,
          queues: "crop_patches", lengths: settings.patchQueueLength)), parts)
  }

  /// Images that are aligned with what CLIP sees in them.
  public var stream: ImageStream { settings.stream }

  /// The teacher looks at crops.
  public var showsTeacherImages: Bool { true }

  /// Queues and box cache.
  public var state: AlignmentState {
    get { AlignmentState(queues: alignment.losses.queues, cache: choice.cache) }
    set { (alignment.losses.queues, choice.cache) = (newValue.queues, newValue.cache) }
  }

  /// Computes `loss_crop` and `loss_crop_patch`.
  ///
  /// - Parameters:
  ///   - batch: The images; the teacher's must be ready on its own stream.
  ///   - proposed: What the student made of the images, in training.
  ///   - detector: The student.
  ///   - random: The step's random choices.
  /// - Returns: The losses with the numbers of region crops, queue rows and cached images.
  /// - Throws: `OpenCLError` when the device fails.
  public func losses(
    _ batch: AlignmentBatch, _ proposed: ProposedImages, detector: FasterRCNN, random: StepRandom
  ) throws -> AlignmentResult {
    var regions = BagBatch()
    for (image, boxes) in choice(batch, try proposed.proposals.read()).enumerated() {
      let frame = batch.frames[image]
      for box in settings.cropLimit == 0 ? boxes[...] : boxes.prefix(settings.cropLimit) {
        regions.append(
          region: box.clipped(width: Float(frame.width), height: Float(frame.height)),
          image: image)
      }
    }
    let (losses, cropCount) = try alignment(
      regions, batch, maps: proposed.maps, detector: detector, random: random)
    return AlignmentResult(
      losses: ["loss_crop": losses.bag, "loss_crop_patch": losses.individual],
      counts: [
        "region_crops": cropCount, "crop_queue": alignment.losses.bags.teacher.images.count,
        "crop_cached_images": choice.cache?.entries.count ?? 0,
      ])
  }
}
