import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

@Suite("CLIP configuration")
struct CLIPConfigurationTests {
  @Test func thePublishedModelHasTheKnownNumberOfWeights() {
    // ViT-B/32; the number is the specification's.
    let configuration = CLIPConfiguration(
      text: .init(width: 512, layers: 12, heads: 8, mlpWidth: 2048),
      vision: .init(width: 768, layers: 12, heads: 12, mlpWidth: 3072),
      vocabularySize: 49408, contextLength: 77, imageSize: 224, patchSize: 32, embeddingWidth: 512)
    #expect(configuration.weightCount == 151_277_313)
    #expect(configuration.startTokenID == 49406)
    #expect(configuration.endTokenID == 49407)
    #expect(configuration.gridSize == 7)
  }

  private static let text: [String: JSONValue] = [
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "vocab_size": 600,
    "max_position_embeddings": 7,
  ]
  private static let vision: [String: JSONValue] = [
    "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 24,
    "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "image_size": 16, "patch_size": 8,
  ]

  private func read(
    _ text: [String: JSONValue] = [:], _ vision: [String: JSONValue] = [:],
    projection: JSONValue? = 4
  ) throws -> CLIPConfiguration {
    let scratch = try Scratch()
    var members: [String: JSONValue] = [
      "text_config": .object(Self.text.merging(text) { $1 }),
      "vision_config": .object(Self.vision.merging(vision) { $1 }),
    ]
    members["projection_dim"] = projection
    _ = try scratch.write(Array(JSONValue.object(members).text().utf8), "config.json")
    return try HuggingFaceCLIP(folder: scratch.folder).configuration
  }

  @Test func theFieldsAreTaken() throws {
    let wanted = CLIPConfiguration(
      text: .init(width: 8, layers: 1, heads: 2, mlpWidth: 16),
      vision: .init(width: 12, layers: 2, heads: 3, mlpWidth: 24),
      vocabularySize: 600, contextLength: 7, imageSize: 16, patchSize: 8, embeddingWidth: 4)
    #expect(try read() == wanted)
    // Published files carry the token ids of another model.
    #expect(try read(["bos_token_id": 0, "eos_token_id": 2]) == wanted)
    #expect(try read(["bos_token_id": 598, "eos_token_id": 599]) == wanted)
  }

  /// What the programs of Hugging Face leave out has the value of ViT-B/32.
  @Test func whatIsLeftOutIsUsual() throws {
    func read(_ text: String) throws -> CLIPConfiguration {
      let scratch = try Scratch()
      _ = try scratch.write(Array(text.utf8), "config.json")
      return try HuggingFaceCLIP(folder: scratch.folder).configuration
    }
    let base = CLIPConfiguration(
      text: .init(width: 512, layers: 12, heads: 8, mlpWidth: 2048),
      vision: .init(width: 768, layers: 12, heads: 12, mlpWidth: 3072),
      vocabularySize: 49408, contextLength: 77, imageSize: 224, patchSize: 32, embeddingWidth: 512)
    #expect(try read(#"{"model_type": "clip"}"#) == base)
    #expect(try read(#"{"text_config": {}, "vision_config": null}"#) == base)
    var large = base
    large.text = .init(width: 768, layers: 12, heads: 12, mlpWidth: 3072)
    large.vision = .init(width: 1024, layers: 24, heads: 16, mlpWidth: 4096)
    large.patchSize = 14
    large.embeddingWidth = 768
    let text = #"{"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}"#
    let vision =
      #"{"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "#
      + #""num_hidden_layers": 24, "patch_size": [14, 14]}"#
    let sections = #""model_type": "clip", "projection_dim": 768, "#
    #expect(
      try read("{\(sections)\"text_config\": \(text), \"vision_config\": \(vision)}") == large)
    // Files of 2022: the section with the word "dict" counts, also for what it leaves out.
    #expect(
      try read(
        "{\(sections)\"text_config\": {\"hidden_size\": 7}, \"text_config_dict\": \(text), "
          + "\"vision_config\": \(vision), \"vision_config_dict\": null}") == large)
    #expect(try message { try read("{}") }.contains("no configuration of a CLIP model"))
  }

  @Test(arguments: text.keys.sorted())
  func everyTextFieldIsChecked(field: String) throws {
    let wrong = try message { try read([field: [1]]) }
    #expect(wrong.contains("config.json: field \"text_config.\(field)\""), "\(wrong)")
  }

  @Test(arguments: vision.keys.sorted())
  func everyVisionFieldIsChecked(field: String) throws {
    let wrong = try message { try read([:], [field: "x"]) }
    #expect(wrong.contains("config.json: field \"vision_config.\(field)\""), "\(wrong)")
  }

  @Test func bothActivationsAreTaken() throws {
    let sizes = try read(["hidden_act": "gelu"])
    #expect(sizes.text.activation == .gelu && sizes.vision.activation == .quickGELU)
    for name in ["gelu_new", "relu", "GELU"] {
      let text = try message { try read([:], ["hidden_act": .string(name)]) }
      #expect(text.contains("is \"\(name)\"; \"quick_gelu\" and \"gelu\" are supported"), "\(text)")
    }
  }

  /// Models with the same fields that mean other things by them.
  @Test(arguments: ["siglip", "siglip2", "altclip", "chinese_clip", "clipseg", "clip_text_model"])
  func otherModelsAreRefused(kind: String) throws {
    let scratch = try Scratch()
    let document: JSONValue = [
      "model_type": .string(kind), "text_config": .object(Self.text),
      "vision_config": .object(Self.vision), "projection_dim": 4,
    ]
    _ = try scratch.write(Array(document.text().utf8), "config.json")
    let text = try message { try HuggingFaceCLIP(folder: scratch.folder) }
    #expect(text.contains("field \"model_type\": is \"\(kind)\"; only \"clip\""), "\(text)")
  }

  @Test func inconsistentSizesAreRefused() throws {
    #expect(try read(projection: nil).embeddingWidth == 512)
    #expect(try message { try read(projection: 0) }.contains("\"projection_dim\": is 0"))
    #expect(try message { try read(["num_attention_heads": 3]) }.contains("does not divide"))
    #expect(try message { try read([:], ["patch_size": 5]) }.contains("5 does not divide"))
    #expect(try message { try read([:], ["num_channels": 4]) }.contains("only 3"))
    #expect(try message { try read(["eos_token_id": 7]) }.contains("eos_token_id\": is 7"))
    #expect(try message { try read(["bos_token_id": "a"]) }.contains("not a token id"))
    #expect(try message { try read(["vocab_size": 1e300]) }.contains("whole number"))
    #expect(try message { try read(["num_hidden_layers": 5000]) }.contains("at most 1000"))
    let scratch = try Scratch()
    #expect(try message { try HuggingFaceCLIP(folder: scratch.folder) }.contains("config.json"))
    _ = try scratch.write(Array("{\"text_config\": 3}".utf8), "config.json")
    #expect(
      try message { try HuggingFaceCLIP(folder: scratch.folder) }
        .contains("\"text_config\": is not an object"))
    _ = try scratch.write(Array("{".utf8), "config.json")
    #expect(try message { try HuggingFaceCLIP(folder: scratch.folder) }.contains("line 1"))
  }
}

@Suite("CLIP models with a ResNet")
struct ResNetCLIPTests {
  @Test(arguments: [
    #"{"text_config": {}, "vision_config": {"layers": [3, 4, 6, 3], "width": 64}}"#,
    #"{"text_config": {}, "vision_config": {"model_type": "clip_resnet_model"}}"#,
    #"{"embed_dim": 1024, "vision_cfg": {"layers": [3, 4, 6, 3]}}"#,
    #"{"architecture": "resnet50_clip", "num_classes": 1024}"#,
  ])
  func aFolderIsRefused(document: String) throws {
    let scratch = try Scratch()
    _ = try scratch.write(Array(document.utf8), "config.json")
    let text = try message { try HuggingFaceCLIP(folder: scratch.folder) }
    #expect(text.hasPrefix(scratch.folder + "/config.json: field"), "\(text)")
    #expect(text.contains("ResNet") && text.contains("ViT-B/16"), "\(text)")
  }

  @Test func aFileIsRefused() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/RN50.safetensors"
    let one = HostTensor(shape: [1], floats: [1])
    try SafeTensors.write(
      tensors: [
        ("token_embedding.weight", one), ("visual.attnpool.positional_embedding", one),
        ("visual.layer1.0.conv1.weight", one),
      ], to: path)
    let text = try message { try CLIPWeights(path: path) }
    #expect(text.hasPrefix(path) && text.contains("ResNet"), "\(text)")
  }
}

@Suite(
  "CLIP weights",
  .enabled(
    if: Fixtures.exist(Fixtures.clipFolder) && Fixtures.exist(Fixtures.clipPickle),
    "clip_tiny/ fixtures missing"))
struct CLIPWeightsTests {
  @Test func bothLayoutsGiveTheSameWeights() throws {
    let folder = try CLIPWeights(folder: Fixtures.clipFolder)
    let pickle = try CLIPWeights(path: Fixtures.clipPickle, configuration: folder.configuration)
    #expect(folder.names == pickle.names)
    #expect(folder.names.count > 20)
    for name in folder.names {
      let (left, right) = (try folder.tensor(name), try pickle.tensor(name))
      #expect(left.shape == right.shape && left.bytes == right.bytes, "\(name)")
    }
    // The text projection is not square here, so that a forgotten transpose shows.
    let projection = try folder.tensor("text_projection")
    #expect(
      projection.shape == [folder.configuration.text.width, folder.configuration.embeddingWidth])
  }

  @Test func aDetectorCheckpointHasItsOwnPrefixes() throws {
    let scratch = try Scratch()
    let folder = try CLIPWeights(folder: Fixtures.clipFolder)
    let path = scratch.folder + "/detector.safetensors"
    let tensors = try folder.names.filter { $0 != "logit_scale" }.map { name in
      let place =
        name.hasPrefix("visual.")
        ? "image_encoder." + name.dropFirst("visual.".count) : "text_encoder." + name
      return (name: "roi_head.clip." + place, tensor: try folder.tensor(name))
    }
    try SafeTensors.write(tensors: tensors, to: path)
    let detector = try CLIPWeights(path: path, configuration: folder.configuration)
    for name in ["visual.proj", "ln_final.bias"] {
      #expect(try detector.tensor(name) == folder.tensor(name))
    }
    #expect(try message { try detector.tensor("logit_scale") }.contains("no tensor"))
  }

  @Test func sizesAreToldFromTheWeightsWhereTheyCan() throws {
    let folder = try CLIPWeights(folder: Fixtures.clipFolder)
    let text = folder.configuration.text.width
    if !text.isMultiple(of: 64) {
      let reason = try message { try CLIPWeights(path: Fixtures.clipPickle) }
      #expect(reason.contains("give a configuration"))
    }
    let scratch = try Scratch()
    let wanted = CLIPConfiguration(
      text: .init(width: 64, layers: 1, heads: 1, mlpWidth: 8),
      vision: .init(width: 128, layers: 2, heads: 2, mlpWidth: 8),
      vocabularySize: 9, contextLength: 5, imageSize: 8, patchSize: 4, embeddingWidth: 6)
    let path = scratch.folder + "/a.safetensors"
    try SafeTensors.write(
      tensors: wanted.shapes.map {
        let count = $0.shape.reduce(1, *)
        return (
          "model." + $0.name,
          HostTensor(shape: $0.shape, floats: [Float](repeating: 1, count: count))
        )
      }, to: path)
    #expect(try CLIPWeights(path: path).configuration == wanted)
  }

  @Test func wrongWeightsAreNamed() throws {
    let scratch = try Scratch()
    let folder = try CLIPWeights(folder: Fixtures.clipFolder)
    var tensors = try folder.names.map { (name: $0, tensor: try folder.tensor($0)) }
    let path = scratch.folder + "/a.safetensors"
    func reason(_ changed: [(name: String, tensor: HostTensor)], read: String? = nil) throws
      -> String
    {
      try SafeTensors.write(tensors: changed, to: path)
      return try message {
        let opened = try CLIPWeights(path: path, configuration: folder.configuration)
        if let read { _ = try opened.tensor(read) }
      }
    }
    let place = try #require(tensors.firstIndex { $0.name == "ln_final.weight" })
    let sound = tensors[place].tensor
    tensors[place].tensor = HostTensor(shape: [1], floats: [1])
    #expect(try reason(tensors).contains("\"ln_final.weight\": has the shape [1]"))
    var values = try sound.floats()
    values[1] = .nan
    tensors[place].tensor = HostTensor(shape: sound.shape, floats: values)
    #expect(
      try reason(tensors, read: "ln_final.weight").contains("\"ln_final.weight\": element 1 is nan")
    )
    tensors[place].tensor = HostTensor(
      shape: sound.shape, integers: [Int32](repeating: 1, count: sound.count))
    #expect(try reason(tensors, read: "ln_final.weight").contains("holds I32"))
    tensors.remove(at: place)
    #expect(try reason(tensors).contains("no tensor \"ln_final.weight\""))
    #expect(try reason([("x", sound)]).contains("this is no CLIP model"))
    #expect(try message { try folder.tensor("nothing") }.contains("no weight of this name"))
  }

  /// The same model as one file of PyTorch's and as several of both kinds.
  @Test func foldersOfEveryKindAreRead() throws {
    let model = try CLIPWeights(folder: Fixtures.clipFolder)
    let scratch = try Scratch()
    let config = scratch.folder + "/config.json"
    try FileManager.default.copyItem(atPath: Fixtures.clipFolder + "/config.json", toPath: config)
    let whole = try openWeights(path: Fixtures.clipFolder)
    var map: [String: JSONValue] = [:]
    for part in 0..<3 {
      let names = whole.names.enumerated().filter { $0.offset % 3 == part }.map(\.element)
      let file = "model-0000\(part + 1)-of-00003.safetensors"
      try SafeTensors.write(
        tensors: try names.map { ($0, try whole.tensor(named: $0)) },
        to: "\(scratch.folder)/\(file)")
      for name in names { map[name] = .string(file) }
    }
    let index = scratch.folder + "/model.safetensors.index.json"
    try Data(JSONValue.object(["weight_map": .object(map)]).text().utf8)
      .write(to: URL(filePath: index))
    let split = try CLIPWeights(folder: scratch.folder)
    for name in model.names { #expect(try split.tensor(name) == model.tensor(name), "\(name)") }
    let files = try HuggingFaceCLIP(folder: scratch.folder).weightFiles()
    #expect(
      files.count == 4 && files[0] == index && files[3].hasSuffix("00003-of-00003.safetensors"))
    // openai_style.pth has OpenAI's names; a name map is told from the file, not from its name.
    try FileManager.default.removeItem(atPath: index)
    try FileManager.default.copyItem(
      atPath: Fixtures.clipPickle, toPath: scratch.folder + "/pytorch_model.bin")
    let pickle = try CLIPWeights(folder: scratch.folder)
    for name in model.names { #expect(try pickle.tensor(name) == model.tensor(name), "\(name)") }
  }

  @Test func missingFilesSayWhatToDo() throws {
    let scratch = try Scratch()
    try FileManager.default.copyItem(
      atPath: Fixtures.clipFolder + "/config.json", toPath: scratch.folder + "/config.json")
    #expect(try message { try CLIPWeights(folder: scratch.folder) }.contains("download"))
    for name in ["pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors"] {
      _ = try scratch.write(Array("{}".utf8), name)
      let path = try HuggingFaceCLIP(folder: scratch.folder).weightsPath()
      #expect(path == "\(scratch.folder)/\(name)")
    }
  }
}
