import Formats
import Foundation

/// A CLIP model folder as Hugging Face's programs write it: `config.json`, the weights in one file or
/// several, and the tokenizer's files.
package struct HuggingFaceCLIP: Sendable {
  /// The folder's path.
  package let folder: String
  /// The sizes in `config.json`.
  package let configuration: CLIPConfiguration

  /// Reads and checks a folder's `config.json`.
  ///
  /// - Parameter folder: The folder's path.
  /// - Throws: ``CheckpointError`` that names the file and the field which is missing or wrong.
  package init(folder: String) throws {
    let path = folder + "/config.json"
    guard RegularFile.exists(path) else {
      throw CheckpointError.file(
        path: path,
        reason: "no such file; give the folder of a Hugging Face CLIP model with config.json, "
          + "model.safetensors and tokenizer.json")
    }
    let document = try CheckpointError.wrapping { try JSONValue(contentsOf: path) }
    try Self.checkKind(document, path: path)
    if let field = Self.resNetField(document) {
      throw CheckpointError.configuration(path: path, field: field, reason: Self.resNetReason)
    }
    self.folder = folder
    configuration = try ConfigurationReader(path: path, document: document).configuration()
  }

  /// Refuses the models that have the same fields and mean other things by them.
  private static func checkKind(_ document: JSONValue, path: String) throws {
    guard let kind = document["model_type"], kind != .null, kind.string != "clip" else { return }
    throw CheckpointError.configuration(
      path: path, field: "model_type",
      reason:
        "is \(kind.text()); only \"clip\" is supported, as OpenAI's, LAION's and DataComp's ViT "
        + "models have it")
  }

  /// Why a ResNet is refused.
  static let resNetReason =
    "is a ResNet image tower, such as RN50's; only vision transformers are supported: take a ViT "
    + "model, such as ViT-B/32 or ViT-B/16"

  /// The field that makes the image tower a ResNet: exports have a list of four stages where a
  /// transformer has a number of layers, or a name.
  private static func resNetField(_ document: JSONValue) -> String? {
    for section in ["vision_config", "vision_cfg"] {
      let tower = document[section]
      if tower?["layers"]?.array != nil { return "\(section).layers" }
      if tower?["model_type"]?.string?.contains("resnet") ?? false {
        return "\(section).model_type"
      }
    }
    return document["architecture"]?.string?.contains("resnet") ?? false ? "architecture" : nil
  }

  /// What the weights may be called, the best first.
  private static let weightNames = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json",
  ]

  /// The path of the weights.
  ///
  /// - Returns: The path of one file, or of the index of several.
  /// - Throws: ``CheckpointError`` that says what to do when there is none.
  package func weightsPath() throws -> String {
    let paths = Self.weightNames.map { "\(folder)/\($0)" }
    if let path = paths.first(where: RegularFile.exists) { return path }
    throw CheckpointError.file(
      path: paths[0],
      reason:
        "no such file, nor pytorch_model.bin or the index of several files; download the weights of "
        + "the model into the folder")
  }

  /// The paths of all files that hold the weights, an index among them.
  ///
  /// - Returns: One path, or that of the index and those of the files that it names.
  /// - Throws: ``CheckpointError`` when there are no weights or the index is damaged.
  package func weightFiles() throws -> [String] {
    let path = try weightsPath()
    return path.hasSuffix(ShardedWeights.suffix)
      ? try [path] + ShardedWeights.shards(of: path) : [path]
  }
}

/// Takes the fields of a `config.json` one by one and names the field in every error.
///
/// A field that is left out has the value of ViT-B/32, as Hugging Face's programs leave out what equals
/// their defaults. Source: their `CLIPTextConfig` and `CLIPVisionConfig`.
private struct ConfigurationReader {
  private static let defaults: [String: JSONValue] = [
    "projection_dim": 512,
    "text_config": [
      "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
      "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
      "layer_norm_eps": 1e-5,
    ],
    "vision_config": [
      "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
      "num_attention_heads": 12, "num_channels": 3, "image_size": 224, "patch_size": 32,
      "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
    ],
  ]

  let path: String
  let document: JSONValue

  func configuration() throws -> CLIPConfiguration {
    // What is no CLIP model has none of these, and must not pass for one of all defaults.
    guard document["model_type"] != nil || document["text_config"] != nil else {
      throw problem("text_config", "is missing; this is no configuration of a CLIP model")
    }
    let text = try tower("text_config")
    let vision = try tower("vision_config")
    let vocabularySize = try positive("text_config", "vocab_size")
    let imageSize = try positive("vision_config", "image_size")
    let patchSize = try positive("vision_config", "patch_size")
    guard imageSize.isMultiple(of: patchSize) else {
      throw problem(
        "vision_config.patch_size", "\(patchSize) does not divide the image size \(imageSize)")
    }
    guard vocabularySize >= 3 else {
      throw problem("text_config.vocab_size", "\(vocabularySize) leaves no room for words")
    }
    let channels = try positive("vision_config", "num_channels")
    guard channels == 3 else {
      throw problem("vision_config.num_channels", "is \(channels); only 3 is supported")
    }
    // The towers may hold a projection_dim of their own; it is a default that no CLIP model uses.
    let embeddingWidth = try positive(nil, "projection_dim")
    return CLIPConfiguration(
      text: text, vision: vision, vocabularySize: vocabularySize,
      contextLength: try positive("text_config", "max_position_embeddings"),
      imageSize: imageSize, patchSize: patchSize, embeddingWidth: embeddingWidth,
      startTokenID: try token("bos_token_id", legacy: 0, usual: vocabularySize - 2),
      endTokenID: try token("eos_token_id", legacy: 2, usual: vocabularySize - 1))
  }

  private func tower(_ section: String) throws -> CLIPConfiguration.Tower {
    if let members = document[section], members != .null, members.object == nil {
      throw problem(section, "is not an object")
    }
    let name = value(section, "hidden_act")
    guard let activation = name?.string.flatMap(CLIPConfiguration.Activation.init) else {
      throw problem(
        "\(section).hidden_act",
        "is \((name ?? .null).text()); \"quick_gelu\" and \"gelu\" are supported")
    }
    let width = try positive(section, "hidden_size")
    let heads = try positive(section, "num_attention_heads")
    guard width.isMultiple(of: heads) else {
      throw problem("\(section).num_attention_heads", "\(heads) does not divide the width \(width)")
    }
    guard let epsilon = value(section, "layer_norm_eps")?.number, epsilon > 0, epsilon < 1 else {
      throw problem("\(section).layer_norm_eps", "needs a number between 0 and 1, such as 1e-05")
    }
    let layers = try positive(section, "num_hidden_layers")
    guard layers <= 1000 else {
      throw problem("\(section).num_hidden_layers", "is \(layers); at most 1000 are supported")
    }
    return CLIPConfiguration.Tower(
      width: width, layers: layers, heads: heads,
      mlpWidth: try positive(section, "intermediate_size"), layerNormEpsilon: epsilon,
      activation: activation)
  }

  /// A token id; published files carry ids of another model (`legacy`) and mean the usual ones.
  private func token(_ key: String, legacy: Int, usual: Int) throws -> Int {
    guard let value = value("text_config", key), value != .null else { return usual }
    guard let id = value.integer else {
      throw problem("text_config.\(key)", "is \(value.text()), not a token id")
    }
    guard id == usual || id == legacy else {
      throw problem(
        "text_config.\(key)", "is \(id) where a vocabulary of this size has \(usual)")
    }
    return usual
  }

  private func positive(_ section: String?, _ key: String) throws -> Int {
    let field = section.map { "\($0).\(key)" } ?? key
    guard var value = value(section, key) else { throw problem(field, "is missing") }
    // Newer programs may write both sides of a square.
    if let sides = value.array, sides.count == 2, sides[0] == sides[1] { value = sides[0] }
    // The bound keeps every product of two sizes far from overflow.
    guard let number = value.integer, number > 0, number <= 1 << 20 else {
      throw problem(field, "is \(value.text()), not a whole number from 1 to 1048576")
    }
    return number
  }

  /// A field, or its default.
  ///
  /// Files of 2022 have a second section with the word "dict", which counts.
  private func value(_ section: String?, _ key: String) -> JSONValue? {
    guard let section else { return document[key] ?? Self.defaults[key] }
    let older = document["\(section)_dict"]
    let members = older?.object == nil ? document[section] : older
    return members?[key] ?? Self.defaults[section]?[key]
  }

  private func problem(_ field: String, _ reason: String) -> CheckpointError {
    .configuration(path: path, field: field, reason: reason)
  }
}
