import Formats
import Foundation
import TestSupport
import Testing

@testable import Checkpoints

/// What training programs wrap around a model, by the names that they give it.
@Suite("Wrapped weights")
struct WrapperTests {
  private static let one: [UInt8] = StoredZip.little(Float(1).bitPattern)

  /// A pickle of nested dictionaries; a leaf is a tensor of one number.
  indirect enum Node {
    case tensor
    case number
    case members([(String, Node)])

    var pickle: [UInt8] {
      func text(_ text: String) -> [UInt8] {
        [0x58] + StoredZip.little(UInt32(text.utf8.count)) + Array(text.utf8)
      }
      func global(_ module: String, _ name: String) -> [UInt8] {
        [0x63] + Array("\(module)\n\(name)\n".utf8)
      }
      switch self {
      case .number: return [0x4B, 7]
      case .members(let members):
        return members.reduce([0x7D]) { $0 + text($1.0) + $1.1.pickle + [0x73] }
      case .tensor:
        let storage =
          [0x28] + text("storage") + global("torch", "FloatStorage") + text("0") + text("cpu")
          + [0x4B, 1, 0x74, 0x51]
        return global("torch._utils", "_rebuild_tensor_v2") + [0x28] + storage
          + [0x4B, 0, 0x4B, 1, 0x85, 0x4B, 1, 0x85, 0x89] + global("collections", "OrderedDict")
          + [0x29, 0x52, 0x74, 0x52]
      }
    }
  }

  private func names(_ node: Node) throws -> [String] {
    let scratch = try Scratch()
    let bytes = StoredZip.archive([
      ("m/data.pkl", [0x80, 2] + node.pickle + [0x2E]), ("m/data/0", Self.one),
    ])
    return try TorchCheckpoint(path: try scratch.write(bytes)).names
  }

  private static let model = Node.members([("w", .tensor)])

  @Test(arguments: WeightWrappers.keys)
  func everyKeyIsLookedUnder(key: String) throws {
    let rest: [(String, Node)] = [
      ("epoch", .number), ("optimizer", .members([("state", .members([("m", .tensor)]))])),
    ]
    #expect(try names(.members(rest + [(key, Self.model)])) == ["w"])
  }

  @Test func wrappersNest() throws {
    #expect(try names(.members([("model", .members([("state_dict", Self.model)]))])) == ["w"])
    // A plain model comes before its moving average, whatever stands first in the file.
    let average = Node.members([("a", .tensor)])
    #expect(
      try names(.members([("state_dict_ema", average), ("state_dict", Self.model)])) == ["w"])
    // A key without tensors below it is none.
    #expect(
      try names(.members([("state_dict", .members([("x", .number)])), ("ema", average)])) == ["a"])
    #expect(try names(.members([("w", .tensor), ("model", .number)])) == ["w"])
    let scratch = try Scratch()
    let path = try scratch.write(
      StoredZip.archive([
        (
          "m/data.pkl",
          [0x80, 2] + Node.members([("zebra", Self.model), ("epoch", .number)]).pickle + [0x2E]
        ), ("m/data/0", Self.one),
      ]))
    #expect(
      try message { try TorchCheckpoint(path: path) }
        .contains("its keys are \"epoch\", \"zebra\""))
  }

  /// A dictionary that holds itself under every key must not be walked for ever.
  @Test(.timeLimit(.minutes(1))) func cyclesEnd() throws {
    var pickle: [UInt8] = [0x80, 2, 0x7D, 0x71, 0]
    for key in WeightWrappers.keys {
      pickle +=
        [0x58] + StoredZip.little(UInt32(key.utf8.count)) + Array(key.utf8) + [0x68, 0, 0x73]
    }
    let scratch = try Scratch()
    let path = try scratch.write(StoredZip.archive([("m/data.pkl", pickle + [0x2E])]))
    #expect(try message { try TorchCheckpoint(path: path) }.contains("holds no tensors"))
  }

  private func source(_ names: [String]) throws -> any WeightSource {
    let scratch = try Scratch()
    let path = scratch.folder + "/a.safetensors"
    try SafeTensors.write(
      tensors: names.map { ($0, HostTensor(shape: [1], floats: [1])) }, to: path)
    return try SafeTensorsFile(path: path)
  }

  private static let resNet = ["conv1.weight", "bn1.weight", "layer1.0.conv1.weight"]

  @Test(arguments: [
    "", "module.", "model.", "_orig_mod.", "module.encoder_q.", "_orig_mod.module.", "teacher.",
    "student.", "module.online_encoder.", "ema_model.module.", "state_dict.module.base_encoder.",
  ])
  func prefixesOfANetwork(prefix: String) throws {
    let map = try #require(DetectorNameMap(try source(Self.resNet.map { prefix + $0 })))
    #expect(map.isBackboneOnly)
    #expect(map.names(for: "backbone.layer1.0.conv1.weight") == [prefix + "layer1.0.conv1.weight"])
    #expect(map.ourName(of: prefix + "bn1.weight") == "backbone.bn1.weight")
    let ours = try #require(DetectorNameMap(try source(["\(prefix)backbone.conv1.weight"])))
    #expect(ours.names(for: "backbone.conv1.weight") == [prefix + "backbone.conv1.weight"])
    let clip = CLIPNameMap(try source([prefix + "token_embedding.weight"]))
    #expect(clip == .openAI(prefix: prefix))
    let face = CLIPNameMap(
      try source([prefix + "text_model.embeddings.token_embedding.weight"]))
    #expect(face == .huggingFace(prefix: prefix))
    let detector = CLIPNameMap(
      try source([prefix + "roi_head.clip.text_encoder.token_embedding.weight"]))
    #expect(detector == .detector(prefix: prefix))
  }

  @Test func whatWasTakenOffIsTold() throws {
    func wrapper(_ names: [String]) throws -> String { WeightZoo.wrapper(of: try source(names)) }
    #expect(try wrapper(Self.resNet.map { "module.encoder_q." + $0 }) == "module.encoder_q.")
    #expect(try wrapper(["_orig_mod.token_embedding.weight"]) == "_orig_mod.")
    #expect(try wrapper(Self.resNet) == "" && wrapper(["some.weight"]) == "")
    let scratch = try Scratch()
    func keys(_ node: Node) throws -> [String] {
      let bytes = StoredZip.archive([
        ("m/data.pkl", [0x80, 2] + node.pickle + [0x2E]), ("m/data/0", Self.one),
      ])
      return try TorchCheckpoint(path: try scratch.write(bytes)).keys
    }
    #expect(try keys(Self.model) == [])
    #expect(
      try keys(.members([("model", .members([("state_dict", Self.model)]))]))
        == ["model", "state_dict"])
  }

  @Test func ofTwinsTheTrainedOneIsTaken() throws {
    func prefix(_ prefixes: [String]) throws -> String? {
      DetectorNameMap(try source(prefixes.flatMap { prefix in Self.resNet.map { prefix + $0 } }))?
        .names(for: "backbone.conv1.weight").first
    }
    #expect(
      try prefix(["module.encoder_k.", "module.encoder_q."]) == "module.encoder_q.conv1.weight")
    #expect(try prefix(["student.", "teacher."]) == "teacher.conv1.weight")
    #expect(try prefix(["online_encoder.", "target_encoder."]) == "online_encoder.conv1.weight")
    #expect(try prefix(["module.", ""]) == "conv1.weight")
    // The image tower of a CLIP with a ResNet is no start, and neither is a name that ends alike.
    #expect(try prefix(["visual."]) == nil)
    #expect(DetectorNameMap(try source(["model.myconv1.weight", "layer1.0.conv1.weight"])) == nil)
  }

  @Test func aModelMayBeSplit() throws {
    let scratch = try Scratch()
    func write(_ name: String, _ value: Float, to file: String) throws {
      try SafeTensors.write(
        tensors: [(name, HostTensor(shape: [1], floats: [value]))],
        to: "\(scratch.folder)/\(file)")
    }
    try write("a", 1, to: "model-1.safetensors")
    try write("b", 2, to: "model-2.safetensors")
    func index(_ map: JSONValue) throws -> String {
      try scratch.write(
        Array(JSONValue.object(["weight_map": map]).text().utf8), "model.safetensors.index.json")
    }
    let path = try index(["a": "model-1.safetensors", "b": "model-2.safetensors"])
    let source = try openWeights(path: path)
    #expect(source.names == ["a", "b"] && source.path == path)
    #expect(source.shape(of: "b") == [1] && source.type(of: "b") == .float32)
    #expect(try source.tensor(named: "a").floats() == [1])
    #expect(try source.tensor(named: "b").floats() == [2])
    #expect(source.shape(of: "c") == nil)
    #expect(try message { try source.tensor(named: "c") }.contains("no tensor \"c\""))
    func reason(_ map: JSONValue) throws -> String {
      let path = try index(map)
      return try message { try openWeights(path: path) }
    }
    #expect(
      try reason(["a": "model-3.safetensors"]).contains("model-3.safetensors: no such file, but"))
    #expect(try reason(["b": "model-1.safetensors"]).contains("no tensor \"b\""))
    #expect(try reason(["a": "../model-1.safetensors"]).contains("beside it"))
    #expect(try reason(["a": "model.safetensors.index.json"]).contains("beside it"))
    #expect(try reason(["a": 3]).contains("beside it"))
    #expect(try reason([:]).contains("weight_map"))
    #expect(try reason(["a"]).contains("weight_map"))
  }
}
