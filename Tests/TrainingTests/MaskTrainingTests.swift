import Detection
import Foundation
import Loading
import Pictures
import Tensors
import TestSupport
import Testing

@testable import Training

/// Mask R-CNN with two heads and repeated images, as OV-LVIS has it, in small.
@Suite(.serialized)
struct MaskTrainingTests {
  private func world(_ run: (inout RunConfiguration) -> Void = { _ in }) throws -> TrainingWorld {
    var world = try TrainingWorld(images: 4)
    world.configuration.model.mask.enabled = true
    world.configuration.model.mask.convolutions = 1
    world.configuration.model.mask.channels = 8
    world.configuration.model.head.ensemble = .split
    world.configuration.model.head.sampling.matchLowQuality = true
    world.configuration.model.head.feature = .final
    world.configuration.model.head.detections.scoreThreshold = 0
    world.configuration.data.resampling = 0.9
    run(&world.configuration)
    return world
  }

  private func losses(_ world: TrainingWorld, _ run: String) throws -> [[String: Double]] {
    var records: [[String: Double]] = []
    try TestDevice.withContext { context in
      try world.trainer(run, on: context) { event in
        if case .step(let record) = event { records.append(record.losses) }
      }.train()
    }
    return records
  }

  @Test func masksTrainAndAreFound() throws {
    let world = try world()
    let records = try losses(world, "run")
    #expect(records.count == 6)
    for record in records {
      let values = record.values.filter { !$0.isFinite }
      #expect(values.isEmpty)
      #expect(record["loss_mask"] != nil && record["loss_bag"] != nil)
    }
    #expect(records.contains { ($0["loss_mask"] ?? 0) > 0.1 })
    let image = try ImageDecoder.decode(path: world.path("1.png"))
    try TestDevice.withContext { context in
      let stream = try ComputeStream(context: context)
      let detector = try ObjectDetector(
        ModelLocation(run: world.path("run"), warn: { Issue.record("\($0)") }),
        vocabulary: .dataSet(["apple", "bear"]), on: stream,
        warn: { Issue.record("\($0)") })
      let found = try detector.detect([image, image])
      #expect(found[0] == found[1] && !found[0].isEmpty)
      for object in found[0] {
        let mask = try #require(object.mask)
        #expect(mask.width == image.width && mask.height == image.height)
      }
    }
  }

  /// The second head's parameters follow the alignment losses, the mask head's the masks.
  @Test func everyHeadLearns() throws {
    let world = try world { $0.training.iterations = 2 }
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context)
      func values() throws -> [String: [Float]] {
        Dictionary(
          uniqueKeysWithValues: try trainer.job.step.model.store.trained.map {
            ($0.name, try $0.value.floats())
          })
      }
      let before = try values()
      try trainer.train()
      let after = try values()
      for name in [
        "roi_head.bbox_head.kd.fc_cls.weight", "roi_head.bbox_head.fc_cls.weight",
        "roi_head.mask_head.upsample.weight", "roi_head.mask_head.conv_logits.bias",
      ] {
        #expect(before[name] != nil && before[name] != after[name], "\(name)")
      }
    }
  }

  @Test func annotationsWithoutMasksAreLeftOut() throws {
    let world = try world { $0.training.iterations = 1 }
    let path = world.configuration.data.trainAnnotations
    let text = try String(contentsOfFile: path, encoding: .utf8)
    // Three numbers are no polygon: without any mask nothing could be learned.
    let broken = text.replacing(
      try Regex(#""segmentation":\s*\[\[[^\]]*\]\]"#), with: "\"segmentation\":[[1,2,3]]")
    #expect(broken != text)
    try broken.write(toFile: path, atomically: true, encoding: .utf8)
    #expect {
      _ = try losses(world, "run")
    } throws: { error in
      "\(error)".contains("no object has a mask; set model.mask.enabled to false")
    }
  }

  @Test func masksThatDoNotFitTheImageNameTheRecord() throws {
    let world = try world { $0.training.iterations = 1 }
    let path = world.configuration.data.trainAnnotations
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try text.replacing(
      try Regex(#""segmentation":\s*\[\[[^\]]*\]\]"#),
      with: #""segmentation":{"size":[3,3],"counts":[4,5]}"#
    ).write(toFile: path, atomically: true, encoding: .utf8)
    var warnings: [String] = []
    try TestDevice.withContext { context in
      let trainer = try world.trainer("run", on: context) { event in
        if case .warning(let text) = event { warnings.append(text) }
      }
      let error = #expect(throws: StreamError.self) { try trainer.train() }
      #expect(error.map { "\($0)".contains("no usable image") } == true)
    }
  }
}
