import Evaluation
import Formats
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// Runs a checkpoint on the validation set of its run, in the terminal.
struct ValidationSession {
  /// Where the model lies.
  let location: ModelLocation
  /// A CLIP folder other than the configuration's.
  let clip: String?
  /// The protocol; nil takes that of the configuration's classes.
  var split: ClassSplit?
  /// Further choices of the scoring.
  var settings = EvaluationSettings()
  /// Whether the scores are those of the run's own configuration and kept with it.
  var keepsScores = false

  /// A name that no results file has yet: another vocabulary or data set must not replace the first.
  private static func unused(_ stem: String) -> String {
    var path = "\(stem).json"
    var number = 1
    while FileManager.default.fileExists(atPath: path) {
      number += 1
      path = "\(stem)-\(number).json"
    }
    return path
  }

  /// Detects and scores; the detections go into the run's folder.
  ///
  /// - Parameter context: The device.
  /// - Returns: The scores, and where the detections are.
  /// - Throws: What the run's files or the device throw.
  @discardableResult
  func run(context: Context) throws -> (summary: EvaluationSummary, detections: String) {
    try location.configuration.requireValidation()
    let validation = try ValidationRun(location.configuration)
    let detector = try ObjectDetector(
      location, clipFolder: clip, vocabulary: .dataSet(validation.vocabulary),
      on: try ComputeStream(
        context: context,
        activationType: try location.configuration.training.precision.activationType(on: context)),
      warn: Console.warn)
    let folder = "\(location.run)/detections"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = Self.unused("\(folder)/\(location.evaluationName)")
    let line = ProgressLine(label: "evaluate", total: validation.imageCount)
    line.note("device: \(context.device.name); checkpoint: \(location.checkpoint)")
    let summary = try validation.run(
      detector, writingTo: path, split: split, settings: settings,
      progress: { line.update(step: $0) },
      warn: { line.warn($0) })
    line.finish()
    if keepsScores {
      let scores = "\(location.run)/scores"
      try FileManager.default.createDirectory(atPath: scores, withIntermediateDirectories: true)
      let file = URL(filePath: path).lastPathComponent
      try AtomicFile.write(
        Data((summary.json.text(pretty: true) + "\n").utf8), to: "\(scores)/\(file)")
    }
    return (summary, path)
  }
}
