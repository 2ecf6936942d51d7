import Formats
import Foundation

/// A CLIP model folder as Hugging Face lays it out: `config.json`, `model.safetensors`,
/// `vocab.json`, `merges.txt`.
public struct HuggingFaceCLIP: Sendable {
  /// The folder's path.
  public let folder: String
  /// The sizes in `config.json`.
  public let configuration: CLIPConfiguration

  /// Reads and checks a folder's `config.json`.
  ///
  /// - Parameter folder: The folder's path.
  /// - Throws: ``CheckpointError`` that names the file and the field which is missing or wrong.
  public init(folder: String) throws {
    let path = folder + "/config.json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw CheckpointError.file(
        path: path,
        reason: "no such file; give the folder of a Hugging Face CLIP model with config.json, "
          + "model.safetensors, vocab.json and merges.txt")
    }
    let document = try CheckpointError.wrapping { try JSONValue(contentsOf: path) }
    if let field = Self.resNetField(document) {
      throw CheckpointError.configuration(path: path, field: field, reason: Self.resNetReason)
    }
    self.folder = folder
    configuration = try ConfigurationReader(path: path, document: document).configuration()
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

  /// The path of the weights.
  ///
  /// - Returns: The path of `model.safetensors`.
  /// - Throws: ``CheckpointError`` that says what to do when there is none.
  public func weightsPath() throws -> String {
    let path = folder + "/model.safetensors"
    let manager = FileManager.default
    if manager.fileExists(atPath: path) { return path }
    if manager.fileExists(atPath: path + ".index.json") {
      throw CheckpointError.file(
        path: path, reason: "no such file: the model is split; save it as one safetensors file")
    }
    if manager.fileExists(atPath: folder + "/pytorch_model.bin") {
      throw CheckpointError.file(
        path: path,
        reason: "no such file; pytorch_model.bin is there: give that file as the weights, or save "
          + "the model with safe_serialization=True")
    }
    throw CheckpointError.file(
      path: path, reason: "no such file; download model.safetensors of the model into the folder")
  }
}

/// Takes the fields of a `config.json` one by one and names the field in every error.
private struct ConfigurationReader {
  let path: String
  let document: JSONValue

  func configuration() throws -> CLIPConfiguration {
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
    if let channels = value("vision_config", "num_channels"), channels.integer != 3 {
      throw problem("vision_config.num_channels", "is \(channels.text()); only 3 is supported")
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
    guard let members = document[section], members.object != nil else {
      throw problem(section, document[section] == nil ? "is missing" : "is not an object")
    }
    let activation = members["hidden_act"]
    guard activation?.string == "quick_gelu" else {
      throw problem(
        "\(section).hidden_act",
        activation.map { "is \($0.text()); only \"quick_gelu\" is supported" } ?? "is missing")
    }
    let width = try positive(section, "hidden_size")
    let heads = try positive(section, "num_attention_heads")
    guard width.isMultiple(of: heads) else {
      throw problem("\(section).num_attention_heads", "\(heads) does not divide the width \(width)")
    }
    guard let epsilon = members["layer_norm_eps"]?.number, epsilon > 0, epsilon < 1 else {
      throw problem("\(section).layer_norm_eps", "needs a number between 0 and 1, such as 1e-05")
    }
    let layers = try positive(section, "num_hidden_layers")
    guard layers <= 1000 else {
      throw problem("\(section).num_hidden_layers", "is \(layers); at most 1000 are supported")
    }
    return CLIPConfiguration.Tower(
      width: width, layers: layers, heads: heads,
      mlpWidth: try positive(section, "intermediate_size"), layerNormEpsilon: epsilon)
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
    guard let value = value(section, key) else { throw problem(field, "is missing") }
    // The bound keeps every product of two sizes far from overflow.
    guard let number = value.integer, number > 0, number <= 1 << 20 else {
      throw problem(field, "is \(value.text()), not a whole number from 1 to 1048576")
    }
    return number
  }

  private func value(_ section: String?, _ key: String) -> JSONValue? {
    section.map { document[$0]?[key] } ?? document[key]
  }

  private func problem(_ field: String, _ reason: String) -> CheckpointError {
    .configuration(path: path, field: field, reason: reason)
  }
}
