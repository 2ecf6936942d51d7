import ArgumentParser
import Formats
import Foundation
import Training

/// `baron export`: a trained detector as one file for other machines and programs.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a trained detector as one file.",
    discussion: """
      The ending of the file says what is written. model.onnx holds the whole detector with fixed \
      names as a graph of standard ONNX operators: it takes a picture of any size as height x width \
      x 3 bytes (red, green, blue) and gives boxes in pixels, scores and labels, and masks if the \
      run has a mask head.

      Example: baron export runs/first --names "cat, traffic cone" -o model.onnx
      """)

  @Argument(
    help: ArgumentHelp(
      "A run, one of its checkpoints, or with --config a weight file.", valueName: "run|file"))
  var checkpoint: String

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("The new file; it must not exist.", valueName: "file.onnx"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Names to look for, comma-separated, or a file of them; without any the run's classes.",
      valueName: "names|file"))
  var names: String?

  @OptionGroup var model: ExportedModelOption

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard ExportFormat(path: output) != nil else {
      let endings = ExportFormat.allCases.map { ".\($0.rawValue)" }.joined(separator: " or ")
      throw ValidationError("--output \(output): take a name that ends in \(endings).")
    }
  }

  func run() throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw FormatError(output, "exists already; choose another name")
    }
    switch ExportFormat(path: output) {
    case .onnx, nil: try writeONNX()
    }
  }
}

/// What `baron export` writes, by the ending of the file's name.
enum ExportFormat: String, CaseIterable {
  case onnx

  init?(path: String) {
    self.init(rawValue: URL(filePath: path).pathExtension.lowercased())
  }
}
