import Formats
import Foundation
import TestSupport
import Testing

@testable import CLIP
@testable import Checkpoints

extension InputFormat {
  static let weights: [InputFormat] = [
    InputFormat(
      name: "safetensors", file: "a.safetensors", kind: .bytes,
      seeds: { scratch in
        [
          try written(
            scratch,
            [
              ("a", HostTensor(shape: [2, 2], floats: [1, 2, 3, 4])),
              ("b.weight", HostTensor(shape: [3], wideIntegers: [1, 2, 3])),
              ("c", HostTensor(shape: [0, 5], floats: [])),
            ], ["k": "v"])
        ]
      }, read: readAll),
    InputFormat(
      name: "torch", file: "a.pth", kind: .bytes,
      seeds: { _ in [archive(pickle), archive(wrapped)] }, read: readAll),
    InputFormat(
      name: "pickle", file: "a.pth", kind: .bytes, seeds: { _ in [pickle, wrapped] },
      mend: { archive($0) }, mayRefuseAll: true,
      read: { path in
        // Sound pickles are read as they stand, damaged ones mostly in an archive.
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        if bytes.first == 0x80 { try Data(archive(bytes)).write(to: URL(filePath: path)) }
        try readAll(path)
      }),
    InputFormat(
      name: "numpy", file: "a.npy", kind: .bytes,
      seeds: { _ in
        let header =
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".padding(
            toLength: 117, withPad: " ", startingAt: 0) + "\n"
        return [
          [0x93] + Array("NUMPY".utf8) + [1, 0] + StoredZip.little(UInt16(118)) + Array(header.utf8)
            + [UInt8](repeating: 0x3F, count: 24)
        ]
      }, read: readAll),
    InputFormat(
      name: "shards", file: "model.safetensors.index.json", kind: .json,
      seeds: { scratch in
        for name in ["a", "b"] {
          try SafeTensors.write(
            tensors: [(name, HostTensor(shape: [1], floats: [1]))],
            to: "\(scratch.path)/model-\(name).safetensors")
        }
        return [
          Array(
            #"{"metadata": {"total_size": 8}, "weight_map": {"a": "model-a.safetensors", "b": "model-b.safetensors"}}"#
              .utf8)
        ]
      }, read: readAll),
    InputFormat(
      name: "embeddings", file: "a.safetensors", kind: .bytes,
      seeds: { scratch in
        [
          try written(
            scratch, [("final", HostTensor(shape: [2, 4], floats: [1, 2, 3, 4, 5, 6, 7, 8]))],
            ["names": #"["cat", "dog"]"#])
        ]
      },
      read: { path in
        let file = try ClassEmbeddingsFile(path: path)
        let matrix = try file.matrix(.final, width: 4)
        #expect(matrix.count > 0)
      }),
  ]

  private static func written(
    _ scratch: Scratch, _ tensors: [(String, HostTensor)], _ metadata: [String: String]
  ) throws -> [UInt8] {
    let path = "\(scratch.path)/seed.safetensors"
    try SafeTensors.write(tensors: tensors, metadata: metadata, to: path)
    return [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  @Sendable private static func readAll(_ path: String) throws {
    let source = try openWeights(path: path)
    for name in source.names {
      do {
        let tensor = try source.tensor(named: name)
        #expect(tensor.shape == source.shape(of: name))
        _ = try? tensor.floats()
        _ = try? tensor.integers()
      } catch is CheckpointError {}
    }
    _ = WeightZoo.of(source)
    _ = WeightZoo.wrapper(of: source)
  }

  @Sendable private static func archive(_ pickle: [UInt8]) -> [UInt8] {
    StoredZip.archive([
      ("m/data.pkl", pickle), ("m/byteorder", Array("little".utf8)),
      ("m/data/0", (0..<24).map { UInt8($0) }), ("m/data/1", [UInt8](repeating: 0, count: 40)),
    ])
  }

  private static func word(_ text: String) -> [UInt8] {
    [0x58] + StoredZip.little(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  private static func global(_ module: String, _ name: String) -> [UInt8] {
    [0x63] + Array("\(module)\n\(name)\n".utf8)
  }

  /// Two by three floating-point numbers of the first storage.
  private static let tensor: [UInt8] = {
    let storage =
      [0x28] + word("storage") + global("torch", "FloatStorage") + word("0") + word("cpu")
      + [0x4B, 6, 0x74, 0x51]
    return global("torch._utils", "_rebuild_tensor_v2") + [0x28] + storage
      + [0x4B, 0, 0x4B, 2, 0x4B, 3, 0x86, 0x4B, 3, 0x4B, 1, 0x86, 0x89]
      + global("collections", "OrderedDict") + [0x29, 0x52, 0x74, 0x52]
  }()

  /// A state dict of two tensors.
  private static let pickle: [UInt8] =
    [0x80, 2, 0x7D] + word("conv1.weight") + tensor + [0x73] + word("bn1.weight") + tensor
    + [0x73, 0x2E]

  /// The same below a key, beside a number.
  private static let wrapped: [UInt8] =
    [0x80, 2, 0x7D] + word("epoch") + [0x4B, 7, 0x73] + word("state_dict") + [0x7D]
    + word("module.conv1.weight") + tensor + [0x73, 0x73, 0x2E]
}
