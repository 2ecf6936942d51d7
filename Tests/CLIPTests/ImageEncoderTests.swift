import CLIP
import Checkpoints
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite(
  "CLIP image encoder against the peers",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct ImageEncoderTests {
  private func withEncoder(
    _ fixture: Fixture, _ body: (ImageEncoder, ComputeStream) throws -> Void
  ) throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 0)
      try body(try ImageEncoder(try clipWeights(fixture), store: store), stream)
    }
  }

  @Test("features and patches")
  func plain() throws {
    let fixture = try Fixture("clip/image_encode.safetensors")
    try withEncoder(fixture) { encoder, stream in
      let result = try encoder.encode(try fixture.tensor("x", on: stream))
      try fixture.expect(result.images, equals: "features")
      try fixture.expect(try result.images.l2Normalized(), equals: "y")
      try fixture.expect(result.patches, equals: "tokens")
    }
  }

  @Test("an additive mask per crop")
  func masked() throws {
    let fixture = try Fixture("clip/image_encode_masked.safetensors")
    try withEncoder(fixture) { encoder, stream in
      let repeats = try fixture.integers("repeat")
      let rows = repeats.enumerated().flatMap { index, count in
        [Int32](repeating: Int32(index), count: Int(count))
      }
      let crops = try fixture.tensor("x", on: stream).gatheredRows(rows)
      let result = try encoder.encode(
        crops, mask: try fixture.tensor("attn_mask", on: stream))
      try fixture.expect(try result.images.l2Normalized(), equals: "y")
      try fixture.expect(result.patches, equals: "tokens")
    }
  }

  @Test("the Hugging Face model's states and features")
  func huggingFace() throws {
    let fixture = try Fixture("clip/hf_forward.safetensors")
    try withEncoder(fixture) { encoder, stream in
      let x = try fixture.tensor("pixel_values", on: stream)
      try fixture.expect(try encoder.encode(x).images, equals: "image_features")
      let states = try encoder.hiddenStates(x)
      try fixture.expect(states[0], equals: "image_hidden_first")
      for index in 1..<states.count {
        try fixture.expect(states[index], equals: "image_hidden_\(index)")
      }
    }
  }
}
