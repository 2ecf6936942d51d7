import Checkpoints
import Formats
import Foundation
import TestSupport
import Testing

/// Random damage must end in an error or in tensors, never in a crash.
@Suite("Random damage")
struct DamageTests {
  private func damage(_ bytes: [UInt8], _ generator: inout CounterRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes[place] = .random(in: 0...255, using: &generator)
      case 1: bytes[place] ^= 1 << Int.random(in: 0..<8, using: &generator)
      case 2: bytes.remove(at: place)
      default: bytes.insert(.random(in: 0...255, using: &generator), at: place)
      }
    }
    return bytes
  }

  private func readAll(_ bytes: [UInt8], _ scratch: Scratch) throws {
    let path = try scratch.write(bytes)
    do {
      let source = try openWeights(path: path)
      for name in source.names {
        let tensor = try source.tensor(named: name)
        #expect(tensor.shape == source.shape(of: name))
      }
    } catch let error as CheckpointError {
      #expect(error.description.contains(path))
    }
  }

  @Test func safetensorsFilesSurvive() throws {
    let scratch = try Scratch()
    var generator = CounterRandom(seed: 1)
    let path = scratch.folder + "/sound"
    try SafeTensors.write(
      tensors: [
        ("a", HostTensor(shape: [2, 2], floats: [1, 2, 3, 4])),
        ("b", HostTensor(shape: [3], wideIntegers: [1, 2, 3])),
      ], metadata: ["k": "v"], to: path)
    let sound = [UInt8](try Data(contentsOf: URL(filePath: path)))
    for _ in 0..<1500 { try readAll(damage(sound, &generator), scratch) }
  }

  @Test(.enabled(if: Fixtures.exist(Fixtures.clipPickle), "clip_tiny/ fixtures missing"))
  func archivesSurvive() throws {
    let scratch = try Scratch()
    var generator = CounterRandom(seed: 2)
    let whole = [UInt8](try Data(contentsOf: URL(filePath: Fixtures.clipPickle)))
    // The first entry is the pickle; its length stands in the directory as in the local header.
    let start = try #require(whole.firstRange(of: [0x80, 2, 0x63])).lowerBound
    let end = try #require(whole.firstRange(of: [0x75, 0x2E])).upperBound
    let pickle = Array(whole[start..<end])
    for _ in 0..<150 {
      let archive = StoredZip.archive([
        ("m/data.pkl", damage(pickle, &generator)), ("m/data/2", [0, 0, 0, 0]),
      ])
      try readAll(archive, scratch)
    }
    let small = StoredZip.archive([("m/data.pkl", Array(pickle.prefix(40))), ("m/data/0", [1])])
    for _ in 0..<1500 { try readAll(damage(small, &generator), scratch) }
  }
}
