import ArgumentParser
import Formats
import Foundation
import Training

/// `baron export`: a trained model in one file for other machines and programs.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a trained model into one file.",
    discussion: """
      The ending of the file says what is written.

      Example: baron export runs/first -o model.baron

      The file holds the detector, CLIP's text tower and tokenizer, the names of the classes, the \
      configuration, thresholds where the run has them, notes on licences and where the model comes \
      from; 'baron inspect model.baron' lists it. 'detect', 'evaluate', 'serve' and 'inspect' take it \
      in place of a run and find the same objects, bit for bit on the same device. CLIP's image tower \
      only teaches and is left out; a detector with two heads ('model.head.ensemble') needs nothing \
      else, as both heads and the list of base classes are in the file.

      Example: baron export runs/first --names "cat, traffic cone" -o model.onnx

      model.onnx holds the whole detector with fixed names as a graph of standard ONNX operators: it \
      takes a picture of any size as height x width x 3 bytes (red, green, blue) and gives boxes in \
      pixels, scores and labels, and masks if the run has a mask head.
      """)

  @Argument(
    help: ArgumentHelp(
      "A run, one of its checkpoints, or with --config a weight file.", valueName: "run|file"),
    completion: Completions.models)
  var model: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file to write; its name ends in .baron or .onnx.", valueName: "file"),
    completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp(
      "For .onnx: names to look for, comma-separated, or a file of them; without any the run's "
        + "classes.", valueName: "names|file"), completion: .file())
  var names: String?

  @OptionGroup var reading: ModelReadingOption

  @Option(
    help: ArgumentHelp(
      "For .baron: a text about the model's licence that goes with it.", valueName: "file"),
    completion: .file())
  var licence: String?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Replace a file that is there already.")
  var overwrite = false

  /// What is written, by the ending of the file's name.
  private enum Format: String, CaseIterable {
    case baron
    case onnx
  }

  private var format: Format? {
    Format(rawValue: URL(filePath: output).pathExtension.lowercased())
  }

  func validate() throws {
    guard let format else {
      let endings = Format.allCases.map { ".\($0.rawValue)" }.joined(separator: " or ")
      throw ValidationError("--output \(output): give a name that ends in \(endings)")
    }
    guard format == .onnx || names == nil else {
      throw ValidationError("--names belongs to .onnx; a bundle finds any names")
    }
    guard format == .baron || licence == nil else {
      throw ValidationError("--licence belongs to .baron; an ONNX file has no place for it")
    }
  }

  func run() throws {
    guard overwrite || !FileManager.default.fileExists(atPath: output) else {
      throw FormatError(output, "is there already; choose another name or give --overwrite")
    }
    let location = try reading.location(of: model, warn: Console.warn)
    if format == .onnx { try writeONNX(location) } else { try writeBundle(location) }
  }

  private func writeBundle(_ location: ModelLocation) throws {
    let bundle = try BundleWriter(
      location: location, clipFolder: reading.clip, program: BaronProgram.version,
      licence: try licence.map { try RegularFile.text($0, limit: 1 << 20) }
    ).write(to: output, warn: Console.warn)
    let bytes = bundle.parts.reduce(0) { $0 + $1.size }
    try Console.print(
      "\(output): \(bundle.parts.count, "part"), \(bytes, "byte"), "
        + "\(bundle.classes.count, "class"); try it: baron detect PICTURE --checkpoint "
        + "\(ShellWord.quoted(output))")
  }
}
