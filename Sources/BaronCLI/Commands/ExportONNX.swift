import Annotations
import Exporting
import Formats
import Training

extension Export {
  /// Writes the detector as an ONNX graph.
  ///
  /// - Throws: What loading the detector and writing the file throw.
  func writeONNX() throws {
    let wanted = try names.map { try VocabularyNames($0, option: "--names") }
    let location = try model.location(of: checkpoint, warn: Console.warn)
    // Numbers of 32 bits, whatever the run was trained with.
    let stream = try device.makeStream()
    func load() throws -> ObjectDetector {
      try ObjectDetector(
        location, clipFolder: model.clip,
        vocabulary: try wanted.map { .classes($0.classes) }
          ?? .dataSet(DetectCommand.ownNames(of: location, option: "--names")), on: stream,
        warn: Console.warn)
    }
    let detector = try wanted?.explaining(load) ?? load()
    try ONNXExport.write(detector, to: output)
    try Console.print("\(output): \(detector.vocabulary.count) names")
  }
}
