import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

@Suite("Conversion of weights")
struct WeightConversionTests {
  /// Different bytes for every name.
  private static func tensor(_ name: String, _ shape: [Int], _ type: StoredType) -> HostTensor {
    var random = CounterRandom(seed: 7, CounterRandom.key(name))
    // No NaN or infinity in any type.
    let bytes = (0..<shape.reduce(type.byteCount, *)).map { _ in UInt8(random.integer(below: 64)) }
    return HostTensor(name: name, shape: shape, type: type, bytes: bytes)
  }

  private static let mapped = NameMapTests.rows.filter { $0.torchvision != nil }

  private func convert(
    _ path: String, _ zoo: WeightZoo?, _ name: String, _ scratch: Scratch
  ) throws -> (source: any WeightSource, leftOut: [String]) {
    let conversion = try WeightConversion(try openWeights(path: path), to: zoo)
    let output = "\(scratch.folder)/\(name).safetensors"
    try conversion.write(to: output)
    let written = try openWeights(path: output)
    #expect(written.names == conversion.names)
    return (written, conversion.leftOut)
  }

  @Test func detectorsGoRoundWithEveryBit() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/first.safetensors"
    let types: [StoredType] = [.float32, .float16, .float64, .bfloat16]
    let tensors = Self.mapped.enumerated().map { index, row in
      (name: row.torchvision ?? "", tensor: Self.tensor(row.ours, [2, 3], types[index % 4]))
    }
    let more = [
      ("backbone.body.bn1.num_batches_tracked", HostTensor(shape: [], wideIntegers: [5])),
      ("roi_heads.box_predictor.cls_score.weight", HostTensor(shape: [1], floats: [1])),
    ]
    try SafeTensors.write(tensors: tensors + more, to: path)
    let ours = try convert(path, .ours, "ours", scratch)
    #expect(ours.leftOut == ["roi_heads.box_predictor.cls_score.weight"])
    #expect(ours.source.names == Self.mapped.map(\.ours).sorted())
    let detectron2 = try convert(ours.source.path, .detectron2, "d2", scratch)
    #expect(detectron2.source.names == Self.mapped.compactMap(\.detectron2).sorted())
    let again = try convert(detectron2.source.path, .torchvision, "tv", scratch)
    #expect(again.source.names == tensors.map(\.name).sorted())
    for (name, tensor) in tensors {
      let found = try again.source.tensor(named: name)
      #expect(found.type == tensor.type && found.bytes == tensor.bytes, "\(name)")
      #expect(again.source.type(of: name) == tensor.type)
    }
    let kept = try convert(path, nil, "kept", scratch)
    #expect(kept.source.names.count == tensors.count + 2 && kept.leftOut.isEmpty)
  }

  @Test func aResNetAloneStaysAlone() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/first.safetensors"
    try SafeTensors.write(
      tensors: ["backbone.conv1.weight", "backbone.layer1.0.conv1.weight", "backbone.bn1.bias"]
        .map { ($0, Self.tensor($0, [3], .float32)) }, to: path)
    let torchvision = try convert(path, .torchvision, "tv", scratch).source
    #expect(torchvision.names == ["bn1.bias", "conv1.weight", "layer1.0.conv1.weight"])
    let detectron2 = try convert(torchvision.path, .detectron2, "d2", scratch).source
    #expect(
      detectron2.names == ["res2.0.conv1.weight", "stem.conv1.norm.bias", "stem.conv1.weight"])
  }

  @Test(.enabled(if: Fixtures.exist(Fixtures.clipFolder), "clip_tiny/ fixtures missing"))
  func clipModelsGoRoundWithEveryBit() throws {
    let scratch = try Scratch()
    let original = try openWeights(path: Fixtures.clipFolder)
    #expect(WeightZoo.of(original) == .huggingFace)
    let openAI = try convert(Fixtures.clipFolder, .openAI, "oa", scratch).source
    #expect(WeightZoo.of(openAI) == .openAI)
    let peer = try openWeights(path: Fixtures.clipPickle)
    for name in openAI.names {
      let (left, right) = (try openAI.tensor(named: name), try peer.tensor(named: name))
      #expect(left.shape == right.shape, "\(name)")
      #expect(try left.floats() == right.floats(), "\(name)")
    }
    let again = try convert(openAI.path, .huggingFace, "hf", scratch).source
    for name in again.names {
      let (left, right) = (try again.tensor(named: name), try original.tensor(named: name))
      #expect(left == right, "\(name)")
    }
    #expect(original.names.filter { !again.names.contains($0) }.allSatisfy { $0.contains("ids") })
    #expect(
      try message { try WeightConversion(original, to: .ours) }.contains("is a CLIP model"))
  }

  @Test func whatCannotBeConvertedIsRefused() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/x.safetensors"
    try SafeTensors.write(tensors: [("a", HostTensor(shape: [1], floats: [1]))], to: path)
    let source = try openWeights(path: path)
    #expect(
      try message { try WeightConversion(source, to: .ours) }.contains("no detector and no ResNet"))
    #expect(
      try message { try WeightConversion(source, to: .openAI) }.contains("holds no CLIP model"))
    try SafeTensors.write(
      tensors: [
        (
          "token_embedding.weight",
          HostTensor(shape: [4, 64], floats: .init(repeating: 0, count: 256))
        )
      ],
      to: path)
    #expect(
      try message { try WeightConversion(try openWeights(path: path), to: .huggingFace) }
        .contains("there is no tensor \"positional_embedding\""))
  }
}

@Suite("Arrays and finite numbers")
struct WeightReadingTests {
  @Test func arraysAreWrittenAsNumPyDoes() throws {
    let scratch = try Scratch()
    let path = scratch.folder + "/a.npy"
    for tensor in [
      HostTensor(name: path, shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]),
      HostTensor(name: path, shape: [], wideIntegers: [7]),
      HostTensor(name: path, shape: [0, 5], floats: []),
      HostTensor(name: path, shape: [3], type: .float16, bytes: [0, 0x3C, 1, 0, 0, 0]),
    ] {
      try NumPyArray.write(tensor, to: path)
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
      #expect((bytes.count - tensor.bytes.count).isMultiple(of: 64))
      #expect(try NumPyArray.read(path: path) == tensor)
      let opened = try openWeights(path: path)
      #expect(opened.names == ["array"] && opened.shape(of: "array") == tensor.shape)
      #expect(opened.type(of: "array") == tensor.type && opened.shape(of: "x") == nil)
      #expect(try opened.tensor(named: "array").bytes == tensor.bytes)
      #expect(try message { try opened.tensor(named: "x") }.contains("no tensor \"x\""))
    }
    let flags = HostTensor(name: "f", shape: [1], type: .bool, bytes: [1])
    #expect(
      try message { try NumPyArray.write(flags, to: path) }.contains("BOOL, which is not written"))
  }

  @Test(arguments: [0, 1, 4095, 4096, 4097, 9000])
  func theFirstValueThatIsNotFiniteIsFound(place: Int) {
    for value in [Float.nan, .infinity, -.infinity, .signalingNaN] {
      var values = (0..<9001).map { Float($0 % 7) - 3 }
      values += [.greatestFiniteMagnitude, -.leastNonzeroMagnitude, -0.0]
      #expect(values.withUnsafeBytes { StoredFloats.firstNotFinite(in: $0) } == nil)
      values[place] = value
      let found = values.withUnsafeBytes { StoredFloats.firstNotFinite(in: $0) }
      #expect(found?.index == place && found?.value.isFinite == false)
    }
    #expect(StoredFloats.firstNotFinite(in: UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
  }

  @Test func oldAndForeignFilesAreRefused() throws {
    let scratch = try Scratch()
    var tar = [UInt8](repeating: 0, count: 1024)
    tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
    let archive = try scratch.write(tar, "old.pth")
    #expect(try message { try openWeights(path: archive) }.contains("save it again"))
    let pickle = try scratch.write([0x80, 4, 0x7D, 0x2E], "R-50.pkl")
    #expect(try message { try openWeights(path: pickle) }.contains("plain Python pickle"))
    #expect(
      try message { try openWeights(path: scratch.folder) }.contains("config.json: no such file"))
  }
}
