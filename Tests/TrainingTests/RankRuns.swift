import Distribution
import Foundation
import Loading
import OpenCL
import TestSupport

@testable import Training

/// Runs of a world on several ranks, which are threads with a device context each.
extension TrainingWorld {
  /// What a rank of a run saw.
  struct Rank: Sendable {
    var lines: [String] = []
    var error: String?
  }

  /// Trains a run, or goes on with it.
  ///
  /// - Parameters:
  ///   - run: The run's name.
  ///   - ranks: How many threads there are; 1 trains without any.
  ///   - resumes: Whether the run goes on.
  ///   - changesReplicas: Whether it may have had another number of replicas.
  ///   - stopping: The rank that is asked to stop, and before which iteration.
  /// - Returns: What each rank saw.
  @discardableResult
  func train(
    _ run: String, ranks: Int, resumes: Bool = false, changesReplicas: Bool = false,
    stopping: (rank: Int, iteration: Int)? = nil
  ) throws -> [Rank] {
    nonisolated(unsafe) let world = self
    nonisolated(unsafe) var result: [Rank] = []
    try TestDevice.withContext(poisoned: false) { context in
      nonisolated(unsafe) let device = context.device
      func rank(_ others: any World, _ context: Context) throws -> Rank {
        var seen = Rank()
        var folder: RunFolder?
        if others.rank == 0 {
          folder =
            try resumes
            ? RunFolder.resume(at: world.path(run))
            : RunFolder.create(at: world.path(run), yaml: world.configuration.yaml())
        }
        var steps = 0
        let loop = try TrainingLoop(
          configuration: world.configuration, run: folder, context: context,
          changesReplicas: changesReplicas, among: others
        ) { event in
          switch event {
          case .note(let text), .warning(let text): seen.lines.append(text)
          default: break
          }
        }
        steps = loop.firstIteration
        do {
          try loop.train(
            shouldStop: {
              stopping.map { $0.rank == others.rank && steps >= $0.iteration } ?? false
            }, afterStep: { _ in steps += 1 })
        } catch let error as TrainingError {
          seen.error = "\(error)"
        }
        return seen
      }
      if ranks == 1 {
        result = [try rank(Alone(), context)]
      } else {
        nonisolated(unsafe) let body = rank
        result = try ThreadWorld.run(ranks) { others in
          try body(others, try Context(device: device))
        }
      }
    }
    return result
  }

  /// The bytes of a file of a checkpoint.
  func bytes(_ run: String, _ iteration: Int, _ file: String) -> Data? {
    FileManager.default.contents(atPath: "\(checkpoint(run, iteration))/\(file)")
  }
}
