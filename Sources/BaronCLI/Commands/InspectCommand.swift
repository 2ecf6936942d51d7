import ArgumentParser
import Checkpoints
import Formats
import Foundation
import Reporting
import Training

/// `baron inspect`: what a file of weights holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "List the tensors of a file of weights, or try it as a start of a configuration.",
    discussion: """
      Of a model in one file ('baron export') it checks and lists the parts. \
      Reads safetensors files, files that torch.save wrote (.pth, .pt, .bin), NumPy .npy files, \
      the .index.json of a model in several files and folders of Hugging Face models. Nothing in them is run. With --config the file is loaded into \
      the configuration's detector as model.start would be, together with CLIP, and what was loaded, \
      missing and unused is printed with time and memory.
      """)

  @Argument(
    help: "A file of weights, a model in one file or a Hugging Face folder.", completion: .file())
  var file: String

  @Flag(name: .long, help: "Print JSON instead of a table.")
  var json = false

  @Option(
    help: ArgumentHelp("Load the file into the detector of a preset or a YAML file."),
    completion: Completions.configurations)
  var config: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a key of the configuration.", valueName: "section.key=value"))
  var overrides: [String] = []

  @OptionGroup var selection: DeviceOption

  func validate() throws {
    guard config != nil || overrides.isEmpty else {
      throw ValidationError("--set needs --config")
    }
  }

  func run() throws {
    if let config {
      let trial = try StartTrial(
        file: file, config: config, overrides: overrides, selection: selection)
      try Console.print(json ? trial.json.text(pretty: true) : trial.text)
      return
    }
    if ModelBundle.isBundle(file) {
      let listing = BundleListing(try ModelBundle(path: file))
      try Console.print(json ? listing.json.text(pretty: true) : listing.text)
      return
    }
    let listing = try WeightListing(path: file)
    if json {
      try Console.print(listing.json.text(pretty: true))
    } else {
      try Console.print(listing.table.text(style: .detect(descriptor: 1)), terminator: "")
      try Console.print("\n" + listing.summary)
    }
  }
}

/// The tensors of a file.
struct WeightListing {
  private struct Row {
    let name: String
    let shape: [Int]
    let type: StoredType
    var bytes: Int { shape.reduce(type.byteCount, *) }
  }

  private let path: String
  private let rows: [Row]
  private let zoo: WeightZoo?
  private let title: String?
  private let keys: [String]
  private let wrapper: String

  /// Opens a file; no tensor is read.
  init(path: String) throws {
    let source = try openWeights(path: path)
    self.path = path
    rows = source.names.compactMap { name in
      guard let shape = source.shape(of: name), let type = source.type(of: name) else { return nil }
      return Row(name: name, shape: shape, type: type)
    }
    zoo = WeightZoo.of(source)
    title = DetectorNameMap(source)?.title
    keys = (source as? TorchCheckpoint)?.keys ?? []
    wrapper = WeightZoo.wrapper(of: source)
  }

  private var bytes: Int { rows.reduce(0) { $0 + $1.bytes } }
  private var numbers: Int { rows.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// One line about the whole.
  var summary: String {
    let names = zoo.map { "names: \($0.rawValue)" + (title.map { " (\($0))" } ?? "") }
    return "\(rows.count, "tensor"), \(numbers, "number"), \(bytes, "byte"); "
      + (names ?? "names: of no known program")
      + (wrapper.isEmpty ? "" : ", read without \"\(PrintedText.escaped(wrapper))\"")
      + (keys.isEmpty ? "" : "; found under \(keys.joined(separator: "."))")
  }

  /// One row per tensor.
  var table: TerminalTable {
    var table = TerminalTable([
      .name("name", limit: 120), .text("shape"), .text("type"), .number("bytes"),
    ])
    for row in rows {
      let shape = row.shape.map(String.init).joined(separator: "x")
      table.add([row.name, shape.isEmpty ? "-" : shape, row.type.rawValue, "\(row.bytes)"])
    }
    return table
  }

  /// The same for programs.
  var json: JSONValue {
    .object([
      "file": .string(path),
      "zoo": zoo.map { .string($0.rawValue) } ?? .null,
      "wrapper": .string(wrapper),
      "keys": .array(keys.map { .string($0) }),
      "count": .number(Double(rows.count)),
      "numbers": .number(Double(numbers)),
      "bytes": .number(Double(bytes)),
      "tensors": .array(
        rows.map { row in
          .object([
            "name": .string(row.name), "type": .string(row.type.rawValue),
            "shape": .array(row.shape.map { .number(Double($0)) }),
            "bytes": .number(Double(row.bytes)),
          ])
        }),
    ])
  }
}
