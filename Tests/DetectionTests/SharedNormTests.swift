import Geometry
import Layers
import Tensors
import TestSupport
import Testing

@testable import Detection

/// Batch norm that other devices wait for, on a rank that has nothing for it.
@Suite("Shared norms")
struct SharedNormTests {
  /// One participant, which writes down what it is asked for.
  private final class Record: StatisticsExchange {
    var layers: [String] = []
    func sum(_ values: inout [Double], of layer: String) { layers.append(layer) }
  }

  private static var configuration: DetectorConfiguration {
    var detector = DetectorConfiguration()
    detector.backbone.stemWidth = 4
    detector.backbone.stageWidths = [2, 2, 3, 4]
    detector.backbone.blocks = [1, 1, 1, 1]
    detector.backbone.norm = .frozen
    detector.neck.channels = 8
    detector.neck.norm = nil
    (detector.head.convolutions, detector.head.fcWidth, detector.head.words) = (2, 10, 3)
    detector.head.norm = .batch
    detector.mask.enabled = true
    (detector.mask.convolutions, detector.mask.channels) = (1, 8)
    return detector
  }

  /// The losses of a batch that has neither regions nor positives.
  private func losses(
    _ store: ParameterStore, on stream: ComputeStream
  ) throws -> [String: Tensor] {
    let detector = try FasterRCNN(
      store.root, Self.configuration, text: TextWidths(word: 6, embedding: 6))
    let images = try Tensor(repeating: 0.5, shape: [1, 64, 64, 3], on: stream)
    let batch = DetectionBatch(
      images: images,
      frames: [
        ImageView(
          imageID: 1, originalWidth: 64, originalHeight: 64, longSide: 64, shortSide: 64,
          isFlipped: false)
      ], groundTruth: [TargetBoxes(boxes: [], labels: [], masks: [])])
    let targets = RegionTargets(
      regions: try Tensor.regions([Region](), on: stream),
      labels: try Tensor([Int32](), shape: [0], on: stream),
      deltas: try Tensor([Float](), shape: [0, 4], on: stream), counts: [0], positiveCounts: [0],
      positives: [[]])
    return try detector.lossesOfNothing(
      try detector.features(images, training: true), batch: batch, targets: targets)
  }

  @Test func layersRunOnNoRowsForwardAndBackward() throws {
    try TestDevice.withStream { stream in
      let record = Record()
      let store = ParameterStore(stream: stream, seed: 1)
      store.statistics = record
      let losses = try losses(store, on: stream)
      #expect(losses.keys.sorted() == ["loss_bbox", "loss_cls", "loss_mask"])
      let box = try #require(losses["loss_bbox"])
      #expect(try box.floats() == [0] && losses["loss_mask"]?.floats() == [0])
      let head = ["0", "1"].map { "roi_head.bbox_head.shared_convs.\($0).bn" }
      let mask = "roi_head.mask_head.convs.0.bn"
      #expect(record.layers == (head + [mask]).map { "\($0) statistics" })
      try box.adding(try #require(losses["loss_mask"])).backward()
      #expect(
        record.layers.dropFirst(3) == ([mask] + head.reversed()).map { "\($0) gradient" }[...])
      let weight = try #require(store["\(mask).weight"])
      #expect(try weight.gradient?.floats().allSatisfy { $0 == 0 } == true)
    }
  }

  @Test func nothingRunsWhereNobodyWaits() throws {
    try TestDevice.withStream { stream in
      let losses = try losses(ParameterStore(stream: stream, seed: 1), on: stream)
      #expect(losses.count == 3 && losses.values.allSatisfy { !$0.needsGradient })
    }
  }
}
