import Annotations
import Exporting
import Formats
import Training

extension ExportCommand {
  /// Writes the detector as an ONNX graph.
  ///
  /// - Parameter location: The model.
  /// - Throws: What loading the detector and writing the file throw.
  func writeONNX(_ location: ModelLocation) throws {
    let wanted = try names.map { try VocabularyNames($0, option: "--names") }
    // Numbers of 32 bits, whatever the run was trained with.
    let stream = try device.makeStream()
    func load() throws -> ObjectDetector {
      try ObjectDetector(
        location, clipFolder: reading.clip,
        vocabulary: try wanted.map { .classes($0.classes) }
          ?? .dataSet(DetectCommand.ownNames(of: location, option: "--names")), on: stream,
        warn: Console.warn)
    }
    let detector = try wanted?.explaining(load) ?? load()
    try ONNXExport.write(detector, to: output)
    try Console.print("\(output): \(detector.vocabulary.count, "name")")
  }
}
