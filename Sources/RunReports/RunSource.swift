import Formats
import Foundation
import Training

/// What a run's folder tells: configuration, losses, scores, machine; read without a device.
package struct RunSource {
  /// The folder's path.
  package let path: String
  /// The run's own name.
  package let name: String
  /// The whole configuration as it was written.
  package let yaml: String
  /// The keys of the configuration.
  package let keys: ConfigurationKeys
  /// The configuration of a detector; nil for the run of a CLIP model.
  package let detector: RunConfiguration?
  /// Iterations of the whole run.
  package let iterations: Int
  /// The steps so far.
  package let records: [MetricRecord]
  /// The evaluations so far, by rising iterations.
  package let evaluations: [RunScores.Evaluation]
  /// The sessions that trained in it, as `run.json` tells them.
  package let sessions: [JSONValue]

  /// Reads a run.
  ///
  /// - Parameter name: The run's name or folder.
  /// - Throws: `RunFolderError` when there is no run; `ConfigurationError` when its configuration was
  ///   changed to something invalid; `FormatError` when its log is malformed.
  package init(_ name: String) throws { try self.init(folder: RunFolder.path(for: name)) }

  /// Reads the run in a folder.
  init(folder: String) throws {
    path = folder
    self.name = URL(filePath: path).standardizedFileURL.lastPathComponent
    let file = "\(path)/config.yaml"
    guard FileManager.default.fileExists(atPath: file) else {
      throw RunFolderError.missing(path: path)
    }
    yaml = try RegularFile.text(file, limit: 1 << 20)
    do {
      let configuration = try RunConfiguration.load(file)
      detector = configuration
      keys = ConfigurationKeys(configuration)
      iterations = configuration.training.iterations
    } catch let error {
      // A CLIP model has other keys.
      guard let configuration = try? CLIPTrainingConfiguration.load(file) else { throw error }
      detector = nil
      keys = ConfigurationKeys(configuration)
      iterations = configuration.training.iterations
    }
    let log = "\(path)/metrics.jsonl"
    records = FileManager.default.fileExists(atPath: log) ? try MetricLog.records(in: log) : []
    evaluations = RunScores(folder: "\(path)/scores").evaluations
    sessions = (try? JSONValue(contentsOf: "\(path)/run.json"))?["sessions"]?.array ?? []
  }

  /// The time of most steps in seconds; nil before the first.
  package var medianSeconds: Double? {
    let seconds = records.map(\.seconds).filter(\.isFinite).sorted()
    return seconds.isEmpty ? nil : seconds[seconds.count / 2]
  }

  /// How many iterations are done.
  package var done: Int { (records.last?.iteration).map { $0 + 1 } ?? 0 }

  /// The groups of classes that scores are given for, base and novel ones first.
  package var groups: [String] {
    let names = Set(evaluations.flatMap { ($0.scores["groups"]?.object ?? [:]).keys })
    let usual = ["base", "novel", "r", "c", "f", "all"]
    return usual.filter(names.contains) + names.subtracting(usual).sorted()
  }

  /// The measures that runs are compared by, the most telling first.
  package var measures: [String] {
    guard let scores = evaluations.last?.scores else { return [] }
    let wanted =
      ["novel.AP50", "base.AP50", "all.AP50", "r.AP", "c.AP", "f.AP", "AP", "AP50", "AP75"]
      + ["novel_accuracy", "base_accuracy"]
    return wanted.filter { RunScores.measure($0, in: scores)?.number != nil }
  }

  /// A measure's values over the iterations, in percent.
  package func values(of measure: String) -> [(iteration: Int, percent: Double)] {
    evaluations.compactMap { entry in
      RunScores.measure(measure, in: entry.scores)?.number.map { (entry.iteration, 100 * $0) }
    }
  }

  /// Where the detections of an evaluation are, if they are still there.
  package func detections(of iteration: Int) -> String? {
    let file = "\(path)/detections/iteration-\(iteration).json"
    return FileManager.default.fileExists(atPath: file) ? file : nil
  }
}
