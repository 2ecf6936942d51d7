import Formats
import Foundation
import OpenCL
import Reporting
import Training

/// What a demo will do and how long it may take.
struct DemoPlan {
  /// One part of the demo.
  struct Stage {
    let name: String
    let work: String
    /// About how long it takes on this device; 0 for what is done.
    let seconds: Double
  }

  let stages: [Stage]

  /// Work of a mean step as the profiler counts it, and the share of the device's peak that so
  /// narrow networks reach; both measured with the presets on a CPU.
  private static let teacherOperations = 8.6e9
  private static let detectorOperations = 4.8e9
  private static let sequenceOperations = 2.85e9
  private static let shareOfPeak = 0.36
  private static let secondsPerScene = 1.0 / 600
  private static let secondsPerEvaluationImage = 0.01

  init(
    _ demo: DemoConfiguration, teacher: CLIPTrainingConfiguration, teacherIsDone: Bool,
    variants: [DemoVariant], worldIsDone: Bool, peak: Double
  ) {
    let rate = Self.shareOfPeak * peak
    let scenes = demo.world.trainingImages + demo.world.evaluationImages
    stages =
      [
        Stage(
          name: "world",
          work: "\(demo.world.trainingImages, "scene") to learn from, "
            + "\(demo.world.evaluationImages) to be scored on",
          seconds: worldIsDone ? 0 : Double(scenes) * Self.secondsPerScene),
        Stage(
          name: "teacher",
          work: "a small CLIP: \(teacher.training.iterations, "step") of \(teacher.training.batch) "
            + "captioned crops",
          seconds: teacherIsDone
            ? 0 : Double(teacher.training.iterations) * Self.teacherOperations / rate),
      ]
      + variants.map { variant in
        let training = variant.configuration.training
        let operations =
          Self.detectorOperations
          + Double(Self.sequences(variant.configuration)) * Self.sequenceOperations
        return Stage(
          name: variant.name,
          work: "\(training.iterations, "step"): \(variant.teaching)",
          seconds: variant.isTrained
            ? 0
            : Double(training.iterations) * operations / rate
              + Double(demo.world.evaluationImages) * Self.secondsPerEvaluationImage)
      }
  }

  /// Sequences that a proposal is aligned in.
  private static func sequences(_ configuration: RunConfiguration) -> Int {
    let (bags, sampling) = (configuration.alignment, configuration.alignment.sampling)
    return (bags.kind == .none ? 0 : sampling.groupLimit * sampling.permutationLimit)
      + (configuration.regionCrops.enabled ? 1 : 0)
  }

  /// The plan as lines, each with a line end.
  func text(style: TerminalStyle) -> String {
    var table = TerminalTable([.text("stage"), .text("work"), .number("about")])
    func time(_ seconds: Double) -> String {
      let whole = Int(seconds.rounded())
      return seconds == 0 ? "done" : String(format: "%d:%02d", whole / 60, whole % 60)
    }
    for stage in stages { table.add([stage.name, stage.work, time(stage.seconds)]) }
    table.addRule()
    table.add(["all", "", time(stages.reduce(0) { $0 + $1.seconds })])
    return table.text(style: style)
  }
}
