import ArgumentParser
import Formats
import OpenCL
import Reporting
import Training
import Workbench

/// `baron check`: everything that a training needs, in one list, before it begins.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look at all that a training needs, and tell everything that is wrong at once.",
    discussion: """
      Example: baron check mine.yaml

      Looks at keys, files, names, pictures, CLIP, start weights and room on the disk, counts the boxes \
      of each class, and makes four real steps to tell memory and time. A line begins with error \
      (training cannot begin), warning (it goes on with less than could be) or note. The exit status \
      is 1 unless there are only notes. 'baron train' looks at the same files before its first step.
      """)

  @Argument(help: "A preset or a YAML file.")
  var config: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @Flag(help: "Make no steps: no device is needed.")
  var quick = false

  @Flag(name: .long, help: "Print JSON instead of text.")
  var json = false

  @OptionGroup var device: DeviceOption

  /// How long pictures are opened, in seconds.
  private static let patience = 20.0

  func run() throws {
    let check = try RunCheck(config, overrides: overrides, seconds: Self.patience)
    var report = CheckReport(
      name: config, check: check, device: Result { try device.choose() }, trial: nil)
    if !quick, !report.findings.contains(where: { $0.severity == .error }) {
      do {
        let context = try device.makeContext()
        context.compileInParallel()
        report = CheckReport(
          name: config, check: check, device: .success(context.device),
          trial: try StepTrial(.detector(check.configuration), on: context))
      } catch {
        report.further = [Finding("steps", error)]
      }
    }
    try Console.print(
      json ? report.json.text(pretty: true) + "\n" : report.text(style: .detect(descriptor: 1)),
      terminator: "")
    if !report.isGood { throw ExitCode(1) }
  }
}

extension RunCheck {
  /// Tells what was found where a training begins: notes and warnings as such, errors in one list.
  ///
  /// - Parameter name: What the configuration was called.
  /// - Throws: `ExitCode` 1 when there are errors.
  func tell(of name: String) throws {
    for finding in findings where finding.severity == .warning {
      Console.warn("\(finding)")
    }
    let errors = findings.filter { $0.severity == .error }
    guard let first = errors.first else { return }
    guard errors.count > 1 else {
      Console.fail("\(first)")
      throw ExitCode(1)
    }
    Console.fail("\(name): \(errors.count) things are wrong; 'baron check' tells more")
    for error in errors { Console.say("  " + PrintedText.line("\(error)")) }
    throw ExitCode(1)
  }
}
