import ArgumentParser
import Formats
import Foundation
import Training

/// `baron export`: a trained model in one file.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a trained model into one file for other machines.",
    discussion: """
      Example: baron export runs/first -o model.baron

      The file holds the detector, CLIP's text tower and tokenizer, the names of the classes, the \
      configuration, thresholds where the run has them, notes on licences and where the model comes \
      from; 'baron inspect model.baron' lists it. 'detect', 'evaluate', 'serve' and 'inspect' take it \
      in place of a run and find the same objects, bit for bit on the same device. CLIP's image tower \
      only teaches and is left out; a detector with two heads ('model.head.ensemble') needs nothing \
      else, as both heads and the list of base classes are in the file.
      """)

  @Argument(
    help: ArgumentHelp(
      "A run, one of its checkpoints, or with --config a weight file.", valueName: "run|file"),
    completion: Completions.models)
  var model: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The file to write; its name ends in .baron.", valueName: "file"),
    completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp(
      "The preset or YAML file that a weight file belongs to.", valueName: "config"),
    completion: Completions.configurations)
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Override a key of the model's configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp("The CLIP folder; default: the configuration's.", valueName: "folder"),
    completion: .directory)
  var clip: String?

  @Option(
    help: ArgumentHelp("A text about the model's licence that goes with it.", valueName: "file"),
    completion: .file())
  var licence: String?

  @Flag(help: "Replace a file that is there already.")
  var overwrite = false

  func validate() throws {
    guard output.hasSuffix(".baron") else {
      throw ValidationError("--output \(output): give a name that ends in .baron")
    }
  }

  func run() throws {
    guard overwrite || !RegularFile.exists(output) else {
      throw FormatError(output, "is there already; choose another name or give --overwrite")
    }
    let location = try ModelOption.location(
      of: model, config: config, overrides: overrides, warn: Console.warn)
    let bundle = try BundleWriter(
      location: location, clipFolder: clip, program: BaronProgram.version,
      licence: try licence.map { try RegularFile.text($0, limit: 1 << 20) }
    ).write(to: output, warn: Console.warn)
    let bytes = bundle.parts.reduce(0) { $0 + $1.size }
    try Console.print(
      "\(output): \(bundle.parts.count) parts, \(bytes) bytes, \(bundle.classes.count) classes; "
        + "try it: baron detect PICTURE --checkpoint \(output)")
  }
}
