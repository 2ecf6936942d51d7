import BaronKit

/// Trains for a moment, then looks: `TrainAndFind CONFIGURATION RUN ITERATIONS "NAME" PICTURE`.
@main
struct TrainAndFind {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 6, let iterations = Int(arguments[3]) else {
      print("usage: TrainAndFind CONFIGURATION RUN ITERATIONS NAME PICTURE")
      return
    }
    let run = try TrainingRun.train(
      arguments[1], in: arguments[2],
      settings: [
        "training.iterations=\(iterations)", "training.evaluate_every=0",
        "optimizer.milestones=[]",
      ]
    ) { event in
      if case .step(let step) = event { print("step \(step.iteration): loss \(step.loss)") }
    }
    let detector = try Detector(run.path, vocabulary: [.init(arguments[4])])
    let picture = try Picture(contentsOf: arguments[5])
    print("found: \(try detector.detect(picture, from: 0, limit: 3).count)")
  }
}
