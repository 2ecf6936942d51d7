import CLIP
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Tensors
import Training

/// A training that makes some steps in a temporary folder and saves nothing.
package enum TemporaryTraining {
  case detector(RunConfiguration)
  case clip(CLIPTrainingConfiguration)

  /// What a training computes with.
  struct Parts {
    let streams: [ComputeStream]
    let library: KernelLibrary

    var queues: [CommandQueue] { streams.map(\.queue) }

    /// Waits for all queues.
    func finish() throws { for queue in queues { try queue.finish() } }
  }

  /// Loads a configuration of either kind.
  ///
  /// - Parameters:
  ///   - name: A preset or a YAML file; a file is a detector's.
  ///   - overrides: `section.key=value`.
  /// - Throws: `ConfigurationError`.
  package init(_ name: String, overrides: [String]) throws {
    self =
      Preset.names(of: .clip).contains(name)
      ? .clip(try .load(name, overrides: overrides))
      : .detector(try .load(name, overrides: overrides))
  }

  /// How activations are stored.
  package var precision: Precision {
    switch self {
    case .detector(let configuration): configuration.training.precision
    case .clip(let configuration): configuration.training.precision
    }
  }

  /// Whether the pictures' annotations are there.
  package var hasData: Bool {
    let paths =
      switch self {
      case .detector(let configuration):
        [configuration.data.trainAnnotations]
          + (configuration.methods.contains { $0.stream == .captions }
            ? [configuration.data.captionAnnotations] : [])
      case .clip(let configuration): [configuration.data.trainCaptions]
      }
    return paths.allSatisfy { FileManager.default.fileExists(atPath: $0) }
  }

  /// The same training on drawn pictures.
  ///
  /// - Parameters:
  ///   - inputs: Draws them.
  ///   - teacher: The sizes of a made-up teacher.
  /// - Returns: The training.
  /// - Throws: What drawing and writing throw.
  package func drawn(
    _ inputs: DrawnInputs, teacher: ContrastiveSizes
  ) throws -> TemporaryTraining {
    switch self {
    case .detector(let configuration):
      .detector(try inputs.replace(in: configuration, teacher: teacher))
    case .clip(let configuration): .clip(try inputs.replace(in: configuration))
    }
  }

  /// Makes steps.
  ///
  /// - Parameters:
  ///   - context: The device.
  ///   - steps: How many.
  ///   - profiler: Records times, or nil.
  ///   - begin: Runs before the first step.
  ///   - afterStep: Runs after each step with its number from 1; the queues may not be empty.
  /// - Throws: What training throws.
  func run(
    on context: Context, steps: Int, profiler: Profiler? = nil,
    begin: @escaping (Parts) throws -> Void = { _ in },
    afterStep: @escaping (Parts, Int) throws -> Void
  ) throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "baron-steps-\(UUID().uuidString)"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func run(_ parts: Parts, _ train: ((Int) throws -> Void) throws -> Void) throws {
      try begin(parts)
      do {
        try train { iteration in
          try afterStep(parts, iteration + 1)
          if iteration + 1 == steps { throw Done() }
        }
      } catch is Done {}
    }
    // One iteration more than is run: the last one saves.
    switch self {
    case .detector(var configuration):
      configuration.training.iterations = steps + 1
      configuration.training.checkpointEvery = steps + 1
      configuration.training.evaluateEvery = 0
      let trainer = try Trainer(
        configuration: configuration,
        run: try RunFolder.create(at: folder, yaml: configuration.yaml()), context: context,
        profiler: profiler
      ) { event in
        if case .warning(let text) = event { Console.warn(text) }
      }
      let streams = [trainer.step.student, trainer.step.teacher]
      try run(Parts(streams: streams, library: trainer.step.student.library)) {
        try trainer.train(afterStep: $0)
      }
    case .clip(var configuration):
      configuration.training.iterations = steps + 1
      configuration.training.checkpointEvery = steps + 1
      let trainer = try CLIPTrainer(
        configuration: configuration,
        run: try RunFolder.create(at: folder, yaml: configuration.yaml()), context: context,
        profiler: profiler
      ) { _ in }
      try run(Parts(streams: [trainer.stream], library: trainer.stream.library)) {
        try trainer.train(afterStep: $0)
      }
    }
  }

  /// Ends a training run whose steps are made.
  private struct Done: Error {}
}

/// A temporary folder that goes when the last holder does.
package final class TemporaryFolder {
  package let path: String

  /// Makes the folder.
  ///
  /// - Parameter purpose: Part of its name.
  /// - Throws: `CocoaError` when the folder for temporary files cannot be written.
  package init(_ purpose: String) throws {
    path =
      FileManager.default.temporaryDirectory.appending(
        path: "baron-\(purpose)-\(UUID().uuidString)"
      ).path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
