import CLIP
import Foundation
import KernelLibrary
import OpenCL
import Reporting
import Tensors
import Training

/// Runs training steps on drawn pictures until all their kernels are compiled and in the cache.
///
/// A step, not a list of programs: which programs and which local sizes a step needs follows from
/// widths, sizes and the device, and only the step itself knows it for sure.
package final class Warmup {
  /// Programs by where they came from.
  package struct Counts {
    package let compiled, cached: Int
    /// How many of the compiled ones other processes compiled for the cache.
    package let helped: Int
  }

  /// The second step finds the queues of the first one filled and is the last that brings new
  /// kernels.
  private static let steps = 2

  private let context: Context
  private let folder: String
  private let line: ProgressLine
  private var done = 0

  /// Makes the folder for what is drawn.
  ///
  /// - Parameter context: The device and the cache to fill.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(context: Context) throws {
    self.context = context
    folder =
      FileManager.default.temporaryDirectory.appending(
        path: "baron-warmup-\(UUID().uuidString)"
      ).path
    line = ProgressLine(label: "warmup", total: Self.steps + 3, interval: .steps(1))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Warms up for training a detector.
  ///
  /// - Parameters:
  ///   - configuration: What is trained; paths do not matter but for `clip.folder`.
  ///   - teacher: The widths of a made-up teacher, used when `clip.folder` holds none.
  /// - Returns: How many programs there were.
  /// - Throws: What training throws.
  package func run(
    _ configuration: RunConfiguration, teacher: ContrastiveSizes
  ) throws -> Counts {
    var configuration = try inputs.replace(in: configuration, teacher: teacher)
    advance()
    // One iteration more than is run: the last one saves.
    configuration.training.iterations = Self.steps + 1
    configuration.training.checkpointEvery = Self.steps + 1
    configuration.training.evaluateEvery = 0
    let run = try RunFolder.create(at: "\(folder)/run", yaml: configuration.yaml())
    let trainer = try Trainer(configuration: configuration, run: run, context: context) { _ in }
    return try self.run(
      trainer.step.student.library, [trainer.step.student.queue, trainer.step.teacher.queue]
    ) { try trainer.train(afterStep: $0) }
  }

  /// Warms up for training a CLIP model.
  ///
  /// - Parameter configuration: What is trained; paths do not matter.
  /// - Returns: How many programs there were.
  /// - Throws: What training throws.
  package func run(_ configuration: CLIPTrainingConfiguration) throws -> Counts {
    var configuration = try inputs.replace(in: configuration)
    advance()
    configuration.training.iterations = Self.steps + 1
    configuration.training.checkpointEvery = Self.steps + 1
    let run = try RunFolder.create(at: "\(folder)/run", yaml: configuration.yaml())
    let trainer = try CLIPTrainer(
      configuration: configuration, run: run, context: context
    ) { _ in }
    return try self.run(trainer.stream.library, [trainer.stream.queue]) {
      try trainer.train(afterStep: $0)
    }
  }

  /// Shows that one more part is done.
  private func advance() {
    done += 1
    line.update(step: done)
  }

  private func run(
    _ library: KernelLibrary, _ queues: [CommandQueue],
    train: (_ afterStep: (Int) throws -> Void) throws -> Void
  ) throws -> Counts {
    advance()
    line.note("compiling; the first time on a device this takes up to a minute")
    do {
      try train { iteration in
        // Some drivers compile a second time when a kernel first runs.
        for queue in queues { try queue.finish() }
        advance()
        if iteration + 1 == Self.steps { throw Done() }
      }
    } catch is Done {
    } catch TrainingError.notFinite {
      // Start weights and pictures are made up; the kernels have run all the same.
    }
    for queue in queues { try queue.finish() }
    library.storePrograms()
    done = Self.steps + 2
    advance()
    line.finish()
    return Counts(
      compiled: library.compiledCount + library.aheadCount, cached: library.cachedCount,
      helped: library.helpedCount + library.aheadCount)
  }

  /// Ends the training once all kernels have run.
  private struct Done: Error {}

  /// Depth changes no kernel, so two blocks of a teacher are enough.
  private var inputs: DrawnInputs {
    DrawnInputs(folder: folder, context: context, mostLayers: 2, note: { [line] in line.note($0) })
  }
}
