import Foundation
import OpenCL
import Tensors
import TestSupport
import Testing

@testable import Training

/// Whole training steps with 16-bit activations.
@Suite("Mixed precision", .enabled(if: TrainingWorld.available, "\(TrainingWorld.missing)"))
struct MixedPrecisionTests {
  @Test func stepsAgreeWithFloat32() throws {
    var world = try TrainingWorld()
    world.configuration.training.iterations = 3
    try TestDevice.withContext { context in
      for precision in [Precision.float32, .bfloat16, .float16] {
        world.configuration.training.precision = precision
        let trainer = try world.trainer(precision.rawValue, on: context)
        #expect(trainer.job.step.student.activationType.rawValue == precision.rawValue)
        try trainer.train()
      }
    }
    let exact = try world.records("float32")
    for (precision, part) in [(Precision.bfloat16, 0.03), (.float16, 0.01)] {
      let records = try world.records(precision.rawValue)
      #expect(records.count == 3)
      // Later steps see other proposals.
      for (name, want) in exact[0].losses {
        let got = try #require(records[0].losses[name])
        #expect(abs(got - want) <= part * max(abs(want), 0.1), "\(precision) \(name)")
      }
      let norms = (records[0].gradientNorm, exact[0].gradientNorm)
      // Which regions are drawn hangs on the last bits of scores.
      #expect(abs(norms.0 - norms.1) <= 0.1 * norms.1, "\(precision): \(norms)")
      #expect(records.allSatisfy { $0.losses.values.allSatisfy { $0.isFinite } })
    }
    #expect(exact[0].measures["loss_scale"] == nil)
    let scaled = try world.records("float16")
    #expect(scaled.allSatisfy { $0.measures["loss_scale"] == 65536 })
    #expect(scaled.allSatisfy { $0.measures["skipped_steps"] == 0 })
  }

  @Test func anOverflowIsLeftOutAndTheScaleIsKeptOverAResume() throws {
    var world = try TrainingWorld()
    world.configuration.training.precision = .float16
    world.configuration.training.iterations = 4
    world.configuration.training.checkpointEvery = 2
    try TestDevice.withContext { context in
      try overflow(world, on: context)
      let resumed = try world.trainer("run", on: context, resumes: true)
      let restored = try resumed.job.step.update.lossScale?.floats()
      #expect(restored == [2.5e11, 0])
    }
    let records = try world.records("run")
    #expect(records.map { $0.measures["skipped_steps"] } == [1, 1])
    #expect(records.map(\.gradientNorm) == [0, 0])
  }

  /// Makes two steps with a scale that no loss times which fits into float16.
  private func overflow(_ world: TrainingWorld, on context: Context) throws {
    let trainer = try world.trainer("run", on: context)
    let scale = try #require(trainer.job.step.update.lossScale)
    try scale.overwrite(with: [1e12, 0])
    let store = trainer.job.step.model.store
    func weights() throws -> [[Float]] {
      try store.trained.map { try $0.value.floats() }
    }
    let before = try weights()
    var steps = 0
    #expect(throws: TrainingError.self) {
      try trainer.train(shouldStop: { steps == 2 }, afterStep: { _ in steps += 1 })
    }
    let after = try weights()
    #expect(after == before)
    let lowered = try scale.floats()
    #expect(lowered == [2.5e11, 0])
  }

  @Test func automaticMeansFloat32WithoutTensorCores() throws {
    try TestDevice.withContext { context in
      guard context.family != .nvidia else { return }
      let chosen = try Precision.automatic.activationType(on: context)
      #expect(chosen == .float32)
    }
  }
}
