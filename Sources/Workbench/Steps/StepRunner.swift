import CLIP
import Formats
import Foundation
import KernelLibrary
import OpenCL
import Tensors
import Training

/// Makes some steps of a training in a temporary folder and saves nothing.
package enum StepRunner {
  case detector(RunConfiguration)
  case clip(CLIPTrainingConfiguration)

  /// What a training computes with.
  struct Parts {
    let streams: [ComputeStream]

    var library: KernelLibrary { streams[0].library }
    var queues: [CommandQueue] { streams.map(\.queue) }

    /// Waits for all queues.
    func finish() throws { for queue in queues { try queue.finish() } }
  }

  /// Loads a configuration of either kind.
  ///
  /// - Parameters:
  ///   - name: A preset or a YAML file; a file is what it fits.
  ///   - overrides: `section.key=value`.
  ///   - kind: What a file is for; nil finds it out.
  /// - Throws: `ConfigurationError`.
  package init(_ name: String, overrides: [String], kind: Preset.Kind? = nil) throws {
    func clip() throws -> StepRunner { .clip(try .load(name, overrides: overrides)) }
    guard kind ?? Preset.all.first(where: { $0.name == name })?.kind != .clip else {
      self = try clip()
      return
    }
    do {
      self = .detector(try .load(name, overrides: overrides))
    } catch {
      guard kind == nil, let other = try? clip() else { throw error }
      self = other
    }
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
  package func drawn(
    _ inputs: DrawnInputs, teacher: ContrastiveSizes
  ) throws -> StepRunner {
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
  func run(
    on context: Context, steps: Int, profiler: Profiler? = nil,
    begin: @escaping (Parts) throws -> Void = { _ in },
    afterStep: @escaping (Parts, Int) throws -> Void
  ) throws {
    let folder = try TemporaryFolder("steps")
    defer { withExtendedLifetime(folder) {} }
    func run(_ yaml: String) throws -> RunFolder {
      try RunFolder.create(at: "\(folder.path)/run", yaml: yaml)
    }
    func warn(_ event: TrainingEvent) {
      if case .warning(let text) = event { Console.warn(text) }
    }
    func make<Job>(_ loop: TrainingLoop<Job>) throws {
      let parts = Parts(streams: loop.job.streams)
      try begin(parts)
      do {
        try loop.train(afterStep: { iteration in
          try afterStep(parts, iteration + 1)
          if iteration + 1 == steps { throw Done() }
        })
      } catch is Done {}
    }
    // One iteration more than is run: the last one saves.
    switch self {
    case .detector(var configuration):
      configuration.training.iterations = steps + 1
      configuration.training.checkpointEvery = steps + 1
      configuration.training.evaluateEvery = 0
      try make(
        TrainingLoop(
          configuration: configuration, run: run(configuration.yaml()), context: context,
          profiler: profiler, onEvent: warn))
    case .clip(var configuration):
      configuration.training.iterations = steps + 1
      configuration.training.checkpointEvery = steps + 1
      try make(
        TrainingLoop(
          configuration: configuration, run: run(configuration.yaml()), context: context,
          profiler: profiler, onEvent: warn))
    }
  }

  /// Ends a training run whose steps are made.
  private struct Done: Error {}
}
