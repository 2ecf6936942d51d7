import Annotations
import ArgumentParser
import CLIP
import Checkpoints
import Formats
import Foundation
import Layers
import Reporting
import Tensors

/// `baron embed`: the embeddings of class names.
struct EmbedCommand: ParsableCommand {
  /// Which text features are written.
  enum Feature: String, CaseIterable, ExpressibleByArgument {
    case final
    case lastBlock = "last_block"
    case both

    var features: [EmbeddingFeature] {
      switch self {
      case .final: [.final]
      case .lastBlock: [.lastBlock]
      case .both: EmbeddingFeature.allCases
      }
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "embed", abstract: "Write the embeddings of class names as .npy or safetensors.",
    discussion: """
      Examples: baron embed --clip CLIP --annotations instances_val2017.json -o coco.npy
                baron embed --clip CLIP --names "cat, traffic cone" --feature both -o mine.safetensors

      A class is the unit mean of the unit features of its sentences, 63 unless --templates gives \
      others; with synonyms it is the unit mean of its names' embeddings. Rows are unit vectors of 32-bit \
      numbers in the order of the names, or of ascending ids. A safetensors file holds the names \
      too; 'clip.class_embeddings' of a configuration takes either.
      """)

  @Option(
    help: ArgumentHelp("The CLIP folder in the layout of Hugging Face.", valueName: "folder"),
    completion: .directory)
  var clip: String

  @Option(
    help: ArgumentHelp(
      "Names, comma-separated, or a file as 'baron detect --vocabulary' takes.",
      valueName: "names|file"), completion: .file())
  var names: String?

  @Option(
    help: ArgumentHelp(
      "COCO or LVIS annotations: the names of their categories, without synonyms.",
      valueName: "file.json"), completion: .file())
  var annotations: String?

  @Option(
    help: ArgumentHelp(
      "A text file with a sentence on each line, {name} and {article} in the places of the name and "
        + "of \"a\" or \"an\".", valueName: "file"), completion: .file())
  var templates: String?

  @Option(
    help: ArgumentHelp(
      "The projected feature, the last block's output (which OV-COCO uses), or both.",
      valueName: Feature.allCases.map(\.rawValue).joined(separator: "|")))
  var feature = Feature.final

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The new .npy or .safetensors file.", valueName: "file"), completion: .file()
  )
  var output: String

  @OptionGroup var device: DeviceOption

  private var isArray: Bool { output.hasSuffix(".npy") }

  func validate() throws {
    guard isArray || output.hasSuffix(".safetensors") else {
      throw ValidationError("--output \(output): the name must end in .npy or .safetensors")
    }
    guard !isArray || feature != .both else {
      throw ValidationError(
        "a .npy file holds one matrix: choose --feature final or last_block, or write .safetensors")
    }
    guard (names == nil) != (annotations == nil) else {
      throw ValidationError("give --names or --annotations, one of them")
    }
  }

  func run() throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw CheckpointError.file(path: output, reason: "exists already; choose another name")
    }
    let vocabulary =
      try names.map { try VocabularyNames($0, option: "--names") }
      ?? VocabularyNames(categoriesOf: annotations ?? "")
    let classes = vocabulary.classes
    let templates = try templates.map(Self.templates) ?? []
    let stream = try device.makeStream()
    let encoder = try TextEncoder(
      try CLIPWeights(folder: clip), store: ParameterStore(stream: stream, seed: 0) { _ in true })
    let embedder = try ClassEmbedder(folder: clip, encoder: encoder, templates: templates)
    var line: ProgressLine?
    func embed() throws -> [EmbeddingFeature: EmbeddingMatrix] {
      try embedder.embed(classes, features: feature.features) { done, total in
        if line == nil { line = ProgressLine(label: "embed", total: total) }
        line?.update(step: done)
      }
    }
    let matrices = try vocabulary.explaining(embed)
    line?.finish()
    try write(matrices, of: classes, templates: templates)
  }

  private func write(
    _ matrices: [EmbeddingFeature: EmbeddingMatrix], of classes: [ClassName], templates: [String]
  ) throws {
    if isArray, let matrix = matrices.values.first {
      try ClassEmbeddingsFile.writeArray(matrix, to: output)
    } else {
      try ClassEmbeddingsFile.write(
        matrices, of: classes,
        metadata: ["templates": templates.isEmpty ? "63" : templates.joined(separator: "\n")],
        to: output)
    }
    let sizes = feature.features.compactMap { kind in
      matrices[kind].map { "\(kind.rawValue) \($0.count)x\($0.width)" }
    }
    try Console.print("\(output): \(sizes.joined(separator: ", "))")
  }

  private static func templates(_ path: String) throws -> [String] {
    let text = try RegularFile.text(path)
    var templates: [String] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated()
    where !line.allSatisfy(\.isWhitespace) && !line.hasPrefix("#") {
      guard line.contains("{name}") else { throw EmbedError.noName(path: path, line: index + 1) }
      templates.append(line.trimmingCharacters(in: .whitespaces))
    }
    guard !templates.isEmpty else { throw EmbedError.noTemplates(path: path) }
    return templates
  }
}

/// Why names cannot be embedded; the description is one line with the remedy.
enum EmbedError: Error, CustomStringConvertible {
  case noName(path: String, line: Int)
  case noTemplates(path: String)

  var description: String {
    switch self {
    case .noName(let path, let line):
      "\(path): line \(line): the sentence has no {name}; write it in the place of the class name"
    case .noTemplates(let path):
      "\(path): holds no sentences; write one or more with {name} in them"
    }
  }
}
