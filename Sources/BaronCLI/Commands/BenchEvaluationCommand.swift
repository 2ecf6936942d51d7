import ArgumentParser
import Evaluation
import Formats
import Foundation

/// `baron bench-evaluation`: scores made-up detections of a size and says how long it took.
struct BenchEvaluationCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-evaluation",
    abstract: "Score made-up detections; print times and the peak of memory.",
    discussion: "The default is as large as the validation set of Objects365.",
    shouldDisplay: false)

  @Option(help: "Images.")
  var images = 36_000

  @Option(help: "Detections an image.")
  var detections = 100

  @Option(help: "Objects an image, on average.")
  var objects = 15

  @Option(help: "Classes; low ids are much more frequent.")
  var classes = 365

  @Option(help: "Threads that score; by default all cores.")
  var threads: Int?

  @Flag(help: "Draw and score masks too.")
  var masks = false

  @Option(
    help: "Keep truth.json and results.json in this folder, for other programs.",
    completion: .directory)
  var keep: String?

  func validate() throws {
    guard min(images, detections, objects, classes, threads ?? 1) > 0 else {
      throw ValidationError("every number must be positive")
    }
  }

  func run() throws {
    let temporary = try keep == nil ? TemporaryFolder("evaluation") : nil
    let folder = keep ?? temporary?.path ?? ""
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let (truthPath, resultsPath) = ("\(folder)/truth.json", "\(folder)/results.json")
    let scenes = DrawnDetections(
      images: images, detections: detections, objects: objects, classes: classes, masks: masks)
    var settings = EvaluationSettings()
    settings.threads = threads ?? settings.threads

    let drawing = try MonotonicClock.measure {
      try scenes.writeTruth(to: truthPath)
      try scenes.writeResults(to: resultsPath)
    }
    try Console.print(
      String(
        format: "%d images, %d detections, %d classes: %.1f MB drawn in %.1f s", images,
        images * detections, classes, Double(try size(truthPath) + size(resultsPath)) / 1e6,
        drawing))
    var truth: GroundTruth?
    var results: DetectionResults?
    let truthTime = try MonotonicClock.measure { truth = try GroundTruth(contentsOf: truthPath) }
    let resultsTime = try MonotonicClock.measure {
      results = try DetectionResults(contentsOf: resultsPath)
    }
    guard let truth, let results else { return }
    var summary: EvaluationSummary?
    let scoring = try MonotonicClock.measure {
      summary = try evaluate(truth, results, settings: settings)
    }
    for (kind, scores) in [("box", summary?.boxes), ("mask", summary?.masks)] {
      if let average = scores?["AP"] { try Console.print("\(kind) AP \(average)") }
    }
    try Console.print(
      String(
        format: "read annotations %.1f s, detections %.1f s; score %.1f s with %d threads; "
          + "in all %.1f s, peak memory %d MiB", truthTime, resultsTime, scoring, settings.threads,
        truthTime + resultsTime + scoring, PeakMemory.bytes() >> 20))
  }

  private func size(_ path: String) throws -> Int {
    let values = try URL(filePath: path).resourceValues(forKeys: [.fileSizeKey])
    return values.fileSize ?? 0
  }
}
