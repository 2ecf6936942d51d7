import ArgumentParser
import Distribution
import Formats
import OpenCL
import Training

/// Trains on a rank other than 0, which writes nothing and tells rank 0 what it has to say.
struct FollowingSession {
  let configuration: RunConfiguration
  let context: Context
  let world: any World
  let talk: RankTalk
  let changesReplicas: Bool

  /// Trains; ends with 130 when the ranks were asked to stop.
  func train() throws {
    // What rank 0 will not get is told here.
    defer {
      for text in talk.takeWarnings() { Console.warn("\(RankSession.name(of: world)): \(text)") }
    }
    try StopSignals.answering(by: .exit(nil)) {
      let loop = try TrainingLoop(
        configuration: configuration, run: nil, context: context,
        changesReplicas: changesReplicas, among: world, talk: talk
      ) { world.progress.follow($0) }
      do {
        try loop.train(
          shouldStop: { StopSignals.isAsked }, afterStep: { _ in StopSignals.answer(by: .wait) })
      } catch TrainingError.interrupted {
        throw ExitCode(130)
      }
    }
  }
}

extension RankProgress {
  /// Takes up what happens while training.
  ///
  /// - Parameter event: What.
  func follow(_ event: TrainingEvent) {
    switch event {
    case .starting(let first): enter("first step", iteration: first)
    case .step(let record): enter("step", iteration: record.iteration + 1)
    case .validating: enter("evaluation")
    case .checkpoint, .validated: enter("step")
    case .note, .warning: break
    }
  }
}
