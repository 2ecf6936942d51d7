import Formats
import Foundation

extension HuggingFaceCLIP {
  /// Writes `config.json` and `model.safetensors` of a model with Hugging Face's names.
  ///
  /// - Parameters:
  ///   - configuration: The sizes of the model.
  ///   - folder: An existing folder.
  ///   - values: Gives the weights of an OpenAI name and shape, row by row; it is asked once for each
  ///     of `configuration.shapes`, in that order.
  /// - Throws: ``CheckpointError`` when a file cannot be written, or what `values` throws.
  package static func write(
    _ configuration: CLIPConfiguration, to folder: String,
    values: (_ name: String, _ shape: [Int]) throws -> [Float]
  ) throws {
    var tensors: [(name: String, tensor: HostTensor)] = []
    for (name, shape) in configuration.shapes {
      let floats = try values(name, shape)
      switch CLIPNameMap.huggingFace(prefix: "").recipe(for: name) {
      case .same(let stored): tensors.append((stored, HostTensor(shape: shape, floats: floats)))
      case .transposed(let stored):
        let turned = floats.withUnsafeBytes {
          transposed($0, rows: shape[1], columns: shape[0], width: 4)
        }
        tensors.append(
          (stored, HostTensor(shape: shape.reversed(), type: .float32, bytes: turned)))
      case .stacked(let names):
        let part = [shape[0] / names.count] + shape.dropFirst()
        let count = part.reduce(1, *)
        for (index, stored) in names.enumerated() {
          let rows = Array(floats[index * count..<(index + 1) * count])
          tensors.append((stored, HostTensor(shape: part, floats: rows)))
        }
      }
    }
    try SafeTensors.write(
      tensors: tensors, metadata: ["format": "pt"], to: "\(folder)/model.safetensors")
    let text = document(of: configuration).text(pretty: true) + "\n"
    try CheckpointError.wrapping {
      try AtomicFile.write(Data(text.utf8), to: "\(folder)/config.json")
    }
  }

  private static func document(of configuration: CLIPConfiguration) -> JSONValue {
    func number(_ value: Int) -> JSONValue { .number(Double(value)) }
    func tower(_ tower: CLIPConfiguration.Tower) -> [String: JSONValue] {
      [
        "hidden_act": .string(tower.activation.rawValue), "hidden_size": number(tower.width),
        "intermediate_size": number(tower.mlpWidth),
        "layer_norm_eps": .number(tower.layerNormEpsilon),
        "num_attention_heads": number(tower.heads), "num_hidden_layers": number(tower.layers),
        "projection_dim": number(configuration.embeddingWidth),
      ]
    }
    let text: [String: JSONValue] = [
      "model_type": "clip_text_model", "vocab_size": number(configuration.vocabularySize),
      "max_position_embeddings": number(configuration.contextLength),
      "bos_token_id": number(configuration.startTokenID),
      "eos_token_id": number(configuration.endTokenID), "pad_token_id": 0,
    ]
    let vision: [String: JSONValue] = [
      "model_type": "clip_vision_model", "image_size": number(configuration.imageSize),
      "patch_size": number(configuration.patchSize), "num_channels": 3,
    ]
    return [
      "architectures": ["CLIPModel"], "model_type": "clip",
      "projection_dim": number(configuration.embeddingWidth),
      "text_config": .object(tower(configuration.text).merging(text) { $1 }),
      "vision_config": .object(tower(configuration.vision).merging(vision) { $1 }),
    ]
  }
}
