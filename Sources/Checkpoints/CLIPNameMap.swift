/// Where the weights of a CLIP model stand in a file: the names of the model zoos, one table.
///
/// The OpenAI names are the program's own. Source: spec clip 3.8.
enum CLIPNameMap: Equatable {
  /// OpenAI names after a prefix.
  case openAI(prefix: String)
  /// The names of Hugging Face's `CLIPModel` after a prefix.
  case huggingFace(prefix: String)
  /// A detector checkpoint of the reference program, after a prefix.
  case detector(prefix: String)

  /// How a weight is made from the tensors of a file.
  enum Recipe: Equatable {
    case same(String)
    case transposed(String)
    /// Several tensors below one another, along the first axis.
    case stacked([String])
  }

  private static let detectorText = "roi_head.clip.text_encoder."
  private static let detectorImage = "roi_head.clip.image_encoder."

  /// Tells the layout from the name of the token embedding, which every layout has.
  init?(_ source: any WeightSource) {
    func prefix(_ anchor: String) -> String? {
      WeightWrappers.prefixes(before: anchor, in: source.names).first
    }
    if let prefix = prefix("text_model.embeddings.token_embedding.weight") {
      self = .huggingFace(prefix: prefix)
    } else if let prefix = prefix("token_embedding.weight") {
      self = .openAI(prefix: prefix)
    } else if let prefix = prefix(Self.detectorText + "token_embedding.weight") {
      self = .detector(prefix: prefix)
    } else {
      return nil
    }
  }

  /// What training programs put before the names; empty, or with its dot at the end.
  var prefix: String {
    switch self {
    case .openAI(let prefix), .huggingFace(let prefix), .detector(let prefix): prefix
    }
  }

  /// How to make the weight with an OpenAI name.
  func recipe(for name: String) -> Recipe {
    switch self {
    case .openAI(let prefix): return .same(prefix + name)
    case .detector(let prefix):
      guard name.hasPrefix("visual.") else { return .same(prefix + Self.detectorText + name) }
      return .same(prefix + Self.detectorImage + name.dropFirst("visual.".count))
    case .huggingFace(let prefix):
      switch Self.huggingFace(name) {
      case .same(let found): return .same(prefix + found)
      case .transposed(let found): return .transposed(prefix + found)
      case .stacked(let found): return .stacked(found.map { prefix + $0 })
      }
    }
  }

  private static let whole: [String: Recipe] = [
    "token_embedding.weight": .same("text_model.embeddings.token_embedding.weight"),
    "positional_embedding": .same("text_model.embeddings.position_embedding.weight"),
    "text_projection": .transposed("text_projection.weight"),
    "logit_scale": .same("logit_scale"),
    "visual.class_embedding": .same("vision_model.embeddings.class_embedding"),
    "visual.conv1.weight": .same("vision_model.embeddings.patch_embedding.weight"),
    "visual.positional_embedding": .same("vision_model.embeddings.position_embedding.weight"),
    "visual.proj": .transposed("visual_projection.weight"),
  ]

  /// Modules by their OpenAI name; the misspelt norm is the zoo's own.
  private static let modules = [
    "ln_final": "text_model.final_layer_norm", "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
  ]

  private static let blockModules = [
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
  ]

  private static func huggingFace(_ name: String) -> Recipe {
    if let recipe = whole[name] { return recipe }
    var parts = name.split(separator: ".").map(String.init)
    let kind = parts.removeLast()
    if let module = modules[parts.joined(separator: ".")] { return .same("\(module).\(kind)") }
    let tower = parts.first == "visual" ? "vision_model" : "text_model"
    if parts.first == "visual" { parts.removeFirst() }
    guard parts.count >= 4, parts[0] == "transformer", parts[1] == "resblocks" else {
      return .same(name)
    }
    let block = "\(tower).encoder.layers.\(parts[2])"
    let module = parts[3...].joined(separator: ".")
    if module == "attn", kind.hasPrefix("in_proj_") {
      let field = kind.dropFirst("in_proj_".count)
      return .stacked(["q", "k", "v"].map { "\(block).self_attn.\($0)_proj.\(field)" })
    }
    return .same("\(block).\(blockModules[module] ?? module).\(kind)")
  }
}
