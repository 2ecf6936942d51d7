import ArgumentParser
import Datasets
import DemoWorld
import Evaluation
import Foundation
import OpenCL
import Reporting
import Tensors
import Training

/// `baron demo`: everything from data to pictures, without any download.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Invent a small world, train a detector on it and draw what it finds.",
    discussion: """
      Needs nothing but a device and a few minutes. The folder then holds world/ (COCO data sets), \
      clip/ (a tiny teacher), a run as of baron train, detections.json and pictures/. Ctrl-C saves \
      a checkpoint; the same command goes on from there.
      """)

  @Argument(help: "The folder, new or of an interrupted demo.")
  var folder = "runs/demo"

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the preset demo.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Flag(help: "Remove an earlier demo in the folder first.")
  var overwrite = false

  @Option(help: "Pictures to draw.")
  var pictures = 8

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard pictures >= 0 else { throw ValidationError("--pictures \(pictures): take at least 0.") }
  }

  func run() throws {
    let place = DemoFolder(path: folder)
    var configuration = try RunConfiguration.load("demo", overrides: overrides)
    place.complete(&configuration)
    let context = try device.makeContext()
    if overwrite { try place.removeDemo() }
    let start = try place.open(configuration)
    if start.isNew { Self.say("inventing \(DemoFolder.sceneCount) scenes and a teacher") }
    try place.fill()
    if !start.isTrained {
      if !start.isNew, !overrides.isEmpty {
        Self.say("going on with the configuration that the demo was started with")
      }
      try TrainingSession(
        configuration: start.configuration, context: context, run: start.run,
        resumes: start.resumes, continuation: "baron demo \(folder)"
      ).train()
    }
    try finish(place, start.configuration, context: context)
  }

  /// Copies the last validation's detections, draws pictures and says where everything is.
  private func finish(
    _ place: DemoFolder, _ configuration: RunConfiguration, context: Context
  ) throws {
    let last = "\(folder)/detections/iteration-\(configuration.training.iterations).json"
    if !FileManager.default.fileExists(atPath: last) {
      // The run was interrupted between its last checkpoint and its validation.
      try ValidationSession(checkpoint: folder, clip: nil).run(context: context)
    }
    let summary = try evaluate(
      annotations: configuration.data.validationAnnotations, detections: last,
      split: .names(base: Glyph.base.map(\.rawValue), novel: Glyph.novel.map(\.rawValue)))
    let stream = try ComputeStream(context: context)
    let detector = try ObjectDetector(
      run: folder, vocabulary: try ValidationRun(configuration).vocabulary, on: stream,
      warn: DetectCommand.warn)
    try place.draw(pictures, detector: detector, configuration: configuration)
    // Last, as it marks a demo that is complete.
    try place.copyDetections(from: last)
    print(text(summary))
  }

  private func text(_ summary: EvaluationSummary) -> String {
    func percent(_ group: String) -> String {
      (summary.group(group)?["AP50"]).map { String(format: "%.1f", $0 * 100) } ?? "-"
    }
    return """
      base AP50   \(percent("base")) on \(Glyph.base.count) classes with boxes in training
      novel AP50  \(percent("novel")) on \(Glyph.novel.count) classes without
      The demo's teacher has random weights. It can teach nothing about novel classes, so novel \
      AP50 stays near zero; with a trained CLIP model the same run learns to find them.

      \(folder)/pictures         validation scenes: left what is there, right what was found
      \(folder)/detections.json  detections of all validation scenes, COCO results layout
      \(folder)/world            the scenes as COCO data sets, train and val
      \(folder)/clip             the teacher, a Hugging Face folder
      \(folder)                  the run: config.yaml, metrics.jsonl, checkpoints

      Try: baron detect \(folder)/world/val/images/000000.png --checkpoint \(folder) \
      --vocabulary "disk, heart, chess"
      """
  }

  private static func say(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
  }
}
