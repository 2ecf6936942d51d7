import Baron
import Foundation
import OpenCL
import TestSupport
import Testing

@testable import Training

@Suite("Region crops", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct RegionCropsTests {
  private func model(_ world: TrainingWorld, _ run: String, _ iteration: Int) throws -> Data {
    try Data(
      contentsOf: URL(filePath: world.checkpoint(run, iteration) + "/model.safetensors"))
  }

  /// The values of bags for region crops.
  private func switchOn(_ configuration: inout RunConfiguration) {
    let bags = configuration.alignment
    configuration.regionCrops.enabled = true
    configuration.regionCrops.weight = bags.bagWeight
    configuration.regionCrops.temperature = bags.bagTemperature
    configuration.regionCrops.patchWeight = bags.regionWeight
    configuration.regionCrops.patchTemperature = bags.regionTemperature
    configuration.regionCrops.queueLength = bags.bagQueueLength
    configuration.regionCrops.patchQueueLength = bags.regionQueueLength
    configuration.regionCrops.filter = bags.filter
    configuration.regionCrops.cropLimit = bags.occurrenceLimit
    configuration.regionCrops.cache = bags.cache
  }

  @Test(arguments: [0, 1, 40])
  func areWhatBagsOfOneRegionAre(limit: Int) throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 3
    world.configuration.alignment.occurrenceLimit = limit
    world.configuration.alignment.sampling.groupLimit = 1
    world.configuration.alignment.sampling.baseProbability = 0
    try TestDevice.withContext { context in
      try world.trainer("bags", on: context).train()
      switchOn(&world.configuration)
      world.configuration.alignment.kind = .none
      let trainer = try world.trainer("crops", on: context)
      try trainer.train()
      #expect(trainer.job.step.methods.count == 1 && trainer.job.step.methods[0] is RegionCrops)
    }
    #expect(try model(world, "crops", 3) == model(world, "bags", 3))
    let (bags, crops) = (try world.records("bags"), try world.records("crops"))
    #expect(bags.count == 3 && crops.count == 3)
    for (bag, crop) in zip(bags, crops) {
      #expect(try #require(crop.losses["loss_crop"]) > 0)
      #expect(crop.losses["loss_crop"] == bag.losses["loss_bag"])
      #expect(crop.losses["loss_crop_patch"] == bag.losses["loss_single"])
      #expect(crop.losses["loss_bag"] == nil && crop.losses["loss_single"] == nil)
      #expect(crop.measures["region_crops"] == bag.measures["crops"])
      #expect(crop.measures["crop_queue"] == bag.measures["bag_queue"])
      #expect(crop.gradientNorm == bag.gradientNorm)
    }
  }

  @Test func besideBagsTheyGoOnBitForBit() throws {
    var world = try TrainingWorld()
    switchOn(&world.configuration)
    world.configuration.alignment.bagQueueLength = QueueLengths(student: 24, teacher: 9)
    world.configuration.training.iterations = 4
    world.configuration.training.checkpointEvery = 2
    world.configuration.training.keepCheckpoints = 2
    try TestDevice.withContext { context in
      let trainer = try world.trainer("straight", on: context)
      try trainer.train()
      let queues = trainer.job.step.methods.flatMap(\.state.queues)
      #expect(Set(queues.map(\.name)).count == 8)
      #expect(queues.prefix(2).map(\.images.count) == [24, 9])
      #expect(Set(trainer.job.step.methods.compactMap { $0.state.cache?.name }).count == 2)
      var steps = 0
      #expect(throws: TrainingError.self) {
        try world.trainer("stopped", on: context).train(
          shouldStop: { steps == 2 }, afterStep: { _ in steps += 1 })
      }
      try world.trainer("stopped", on: context, resumes: true).train()
    }
    #expect(try model(world, "stopped", 4) == model(world, "straight", 4))
    let records = try world.records("straight")
    #expect(try world.records("stopped") == records)
    for name in ["loss_bag", "loss_single", "loss_crop", "loss_crop_patch"] {
      #expect(records.allSatisfy { $0.losses[name] ?? 0 > 0 }, "\(name)")
    }
  }
}
