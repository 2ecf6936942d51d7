import ArgumentParser
import Checkpoints
import Formats
import Foundation

extension WeightZoo: ExpressibleByArgument {}

/// `baron convert`: weights with other names or in another format.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Write weights as safetensors, with the names of another program.",
    discussion: """
      Reads what 'baron inspect' reads and tells whose names the tensors have. Detectors and ResNets \
      convert between ours, mmdetection, torchvision and detectron2; CLIP models between openai and \
      huggingface, also out of a detector's checkpoint. Numbers keep their type and every bit. What \
      the other program has no name for is left out and listed.

      .pth files are read but not written: PyTorch loads safetensors with \
      safetensors.torch.load_file. An OUT that ends in .npy takes one tensor, such as a matrix of \
      class embeddings; --to huggingface with an OUT that does not end in .safetensors makes a folder \
      with config.json, to which the tokenizer must be copied: vocab.json and merges.txt, or tokenizer.json.
      """)

  @Argument(help: "A file of weights or a Hugging Face folder.", completion: .file())
  var input: String

  @Argument(help: "The new .safetensors or .npy file; it must not exist.", completion: .file())
  var output: String

  @Option(
    help: ArgumentHelp(
      "Whose names the tensors get; left out, they keep theirs.",
      valueName: WeightZoo.allCases.map(\.rawValue).joined(separator: "|")))
  var to: WeightZoo?

  @Option(help: ArgumentHelp("The tensor that a .npy file takes.", valueName: "name"))
  var tensor: String?

  private var isArray: Bool { output.hasSuffix(".npy") }
  private var isFolder: Bool { to == .huggingFace && !output.hasSuffix(".safetensors") }

  func validate() throws {
    guard isArray || isFolder || output.hasSuffix(".safetensors") else {
      throw ValidationError(
        "OUT must end in .safetensors or .npy; .pth is not written: PyTorch loads safetensors with "
          + "safetensors.torch.load_file")
    }
    guard !isArray || to == nil else {
      throw ValidationError("a .npy file holds no names: leave out --to")
    }
    guard isArray || tensor == nil else { throw ValidationError("--tensor is for .npy files") }
  }

  func run() throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw CheckpointError.file(path: output, reason: "exists already; choose another name")
    }
    let source = try openWeights(path: input)
    if isArray { return try writeArray(of: source) }
    if isFolder { return try writeFolder() }
    let conversion = try WeightConversion(source, to: to)
    try conversion.write(to: output)
    try Console.print("\(output): \(conversion.names.count, "tensor")")
    guard !conversion.leftOut.isEmpty, let to else { return }
    try Console.print(
      "left out, as \(to.rawValue) has no names for them: \(conversion.leftOut.count)")
    for name in conversion.leftOut { try Console.print("  \(name)") }
  }

  private func writeArray(of source: any WeightSource) throws {
    guard let name = tensor ?? (source.names.count == 1 ? source.names.first : nil) else {
      throw CheckpointError.file(
        path: input,
        reason: "holds \(source.names.count, "tensor") and a .npy file one; choose it with --tensor"
      )
    }
    let array = try source.tensor(named: name)
    try NumPyArray.write(array, to: output)
    try Console.print("\(output): \(array.shape) of \(array.type.rawValue)")
  }

  private func writeFolder() throws {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: input, isDirectory: &isFolder)
    let weights =
      isFolder.boolValue ? try CLIPWeights(folder: input) : try CLIPWeights(path: input)
    try FileManager.default.createDirectory(
      atPath: output, withIntermediateDirectories: true)
    try HuggingFaceCLIP.write(weights.configuration, to: output) { name, _ in
      try weights.tensor(name).floats()
    }
    try Console.print(
      "\(output): config.json and model.safetensors; copy vocab.json and merges.txt there")
  }
}
