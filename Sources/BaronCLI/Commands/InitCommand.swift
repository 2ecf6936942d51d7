import Annotations
import ArgumentParser
import Formats
import Foundation
import OpenCL
import Training
import Workbench

/// `baron init`: a configuration for somebody's own pictures.
struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Write a commented configuration for your own pictures.",
    discussion: """
      Example: baron init --annotations train.json --images photos --validation val.json \
      --find "ring, star" --clip CLIP -o mine.yaml

      Annotations are a COCO or LVIS file, a VOC folder, or a YOLO data set (data.yaml, or a folder \
      with images and labels); those of VOC and YOLO are written as COCO files beside the \
      configuration. Every class with boxes is a base class unless --find names it; the names of \
      --find need no box and no category. Sizes, anchors and batch follow from the data and the \
      device, each with its reason in the file. Without --validation, and where the data set has no \
      part for it, --fraction of the pictures are set aside to be scored on.
      """)

  @Option(
    help: ArgumentHelp("Annotations of the training pictures.", valueName: "file|folder"))
  var annotations: String

  @Option(
    help: ArgumentHelp(
      "The folder that file names start from; VOC and YOLO bring it.", valueName: "folder"))
  var images: String?

  @Option(
    help: ArgumentHelp("Annotations to be scored on, as --annotations.", valueName: "file|folder"))
  var validation: String?

  @Option(
    help: ArgumentHelp("The folder of these pictures; default --images.", valueName: "folder"))
  var validationImages: String?

  @Option(
    help: ArgumentHelp(
      "Names of what is to be found without boxes, comma-separated, or a file of names.",
      valueName: "names|file"))
  var find: String?

  @Option(
    help: ArgumentHelp("The CLIP folder in the layout of Hugging Face.", valueName: "folder"))
  var clip: String

  @Option(
    help: ArgumentHelp(
      "Weights of a ResNet or a detector to start from; without them a narrow network begins at "
        + "random ones.", valueName: "file"))
  var startWeights: String?

  @Option(help: "How often each training picture is seen.")
  var epochs: Double?

  @Option(help: "How long training may take: four steps are made to tell how many that are.")
  var hours: Double?

  @Option(
    help:
      "The share of the pictures that is set aside where there is no validation set; 0 for none.")
  var fraction = 0.1

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file.yaml"))
  var output = "mine.yaml"

  @Flag(help: "Replace the file and what lies beside it of an earlier time.")
  var overwrite = false

  @OptionGroup var device: DeviceOption

  func validate() throws {
    guard epochs == nil || hours == nil else {
      throw ValidationError("give --epochs or --hours, one of them")
    }
    guard epochs ?? 1 > 0, hours ?? 1 > 0, epochs ?? 1 <= 1e5, hours ?? 1 <= 1e5 else {
      throw ValidationError("--epochs and --hours take a number above 0, at most 100000")
    }
    guard (0...0.9).contains(fraction) else {
      throw ValidationError("--fraction \(fraction): take a number from 0 to 0.9.")
    }
    guard [".yaml", ".yml"].contains(where: output.hasSuffix) else {
      throw ValidationError("--output \(output): the name must end in .yaml")
    }
    guard validationImages == nil || validation != nil else {
      throw ValidationError("--validation-images goes with --validation")
    }
  }

  func run() throws {
    let names = try find.map { try VocabularyNames($0, option: "--find").classes.map(\.name) } ?? []
    if let warning = VocabularyNames.warning(of: names) { Console.warn(warning) }
    let setup = DataSetup(
      annotations: annotations, images: images, validation: validation,
      validationImages: validationImages, names: names, clip: clip, startWeights: startWeights,
      epochs: epochs, fraction: fraction, output: output)
    guard overwrite || !FileManager.default.fileExists(atPath: output) else {
      throw FormatError(output, "exists already; choose another name, or give --overwrite")
    }
    let chosen = try? device.choose()
    if chosen == nil { Console.warn("no device was found: the batch is chosen for 4 GB of memory") }
    var draft = try setup.draft(
      device: (chosen?.name ?? "no device", chosen?.memoryInBytes ?? 4_000_000_000),
      note: Console.say)
    try AtomicFile.write(Data(draft.yaml.utf8), to: output)
    if let hours { try fit(&draft, to: hours) }
    let check = try RunCheck(output, overrides: [], seconds: 5)
    let findings = check.findings
    for finding in findings {
      Console.say(PrintedText.line("\(finding.severity.rawValue): \(finding)"))
    }
    try Console.print(closing(check.configuration))
    if findings.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
  }

  /// Measures steps and writes the file again with as many as there is time for.
  private func fit(_ draft: inout ConfigurationDraft, to hours: Double) throws {
    let check = try RunCheck(output, overrides: [], seconds: 2)
    guard !check.findings.contains(where: { $0.severity == .error }) else { return }
    let context = try device.makeContext()
    context.compileInParallel()
    let trial = try StepTrial(.detector(check.configuration), on: context).seconds
    // Evaluations take their share.
    draft.iterations = max(1, Int(0.85 * hours * 3600 / trial))
    Console.say(
      String(
        format: "a step takes %.3f s here: %d iterations in %g hours with evaluations", trial,
        draft.iterations, hours))
    try AtomicFile.write(Data(draft.yaml.utf8), to: output)
  }

  private func closing(_ configuration: RunConfiguration) -> String {
    let name = URL(filePath: output).deletingPathExtension().lastPathComponent
    return """
      \(output): \(configuration.training.iterations, "iteration") with \
      \(configuration.training.detectionBatch, "picture") each; \(DataSetup.splitFile(of: output)) has \
      the names
      next: baron check \(output)
            baron train \(output)
            baron detect PICTURES --checkpoint \(name)
      """
  }
}
