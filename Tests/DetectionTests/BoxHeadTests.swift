import Detection
import Formats
import Layers
import Tensors
import TestSupport
import Testing

@Suite(.serialized)
struct BoxHeadTests {
  /// The head that a fixture's parameters and tensors describe.
  private func configuration(
    _ fixture: Fixture
  ) throws -> (shape: BoxHeadConfiguration, widths: BoxHeadWidths) {
    var shape = BoxHeadConfiguration()
    let x = try fixture.shape("x")
    var widths = BoxHeadWidths(
      input: x[1], side: x[2],
      text: TextWidths(
        word: try fixture.integer("word_dim"),
        embedding: try fixture.shape("cls_embeddings")[1]))
    shape.words = try fixture.integer("num_words")
    shape.temperatureTrain = Float(try fixture.number("cls_temp"))
    shape.temperatureTest = Float(try fixture.number("test_cls_temp"))
    shape.convolutions =
      (0...).prefix { fixture.has("p.shared_convs.\($0).conv.weight") }.count
    if fixture.has("p.shared_fcs.0.weight") {
      widths.convolutions = try fixture.shape("p.shared_convs.0.conv.weight")[0]
      shape.fcWidth = try fixture.shape("p.shared_fcs.0.weight")[0]
    } else {
      shape.kind = .c4
    }
    return (shape, widths)
  }

  @Test(.needsFixtures, arguments: Fixture.files("roi", prefix: "baron_head"))
  func matchesPeers(_ name: String) throws {
    let fixture = try Fixture(name)
    let (shape, widths) = try configuration(fixture)
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let head = try BoxHead(store.root, shape, widths)
      let model = ModelFixture(fixture: fixture, store: store)
      try model.load()
      let encoder = try TinyTextEncoder(fixture, on: stream)
      let embeddings = try fixture.tensor("cls_embeddings", on: stream)
      let x = try fixture.tensor("x", on: stream).trained("x")
      let features = try head.main.features(x, training: true)
      let words = try head.main.words(features)
      try fixture.expect(words, equals: "words")
      let flags = try fixture.floats("word_mask").map { $0 > 0.5 }
      let keep = stride(from: 0, to: flags.count, by: shape.words).map {
        Array(flags[$0..<$0 + shape.words])
      }
      let logits = try head.classLogits(
        try encoder.encode(words: words, keep: keep), classEmbeddings: embeddings, training: true)
      try fixture.expect(logits, equals: "logits")
      let deltas = try head.deltas(features)
      try fixture.expect(deltas, equals: "deltas")
      try weightedSum([
        (logits, try fixture.tensor("grad_logits", on: stream)),
        (deltas, try fixture.tensor("grad_deltas", on: stream)),
      ]).backward()
      try fixture.expect(x.gradient, equals: "grad_x")
      try model.expectGradients()

      try stream.withoutGradients {
        let features = try head.main.features(x, training: false)
        let text = try encoder.encode(words: try head.main.words(features), keep: nil)
        try fixture.expect(
          try head.classLogits(text, classEmbeddings: embeddings, training: false),
          equals: "eval_logits")
        try fixture.expect(try head.deltas(features), equals: "eval_deltas")
      }
    }
  }

  /// A head on pooled features of one channel.
  private func smallShape() -> BoxHeadConfiguration {
    var shape = BoxHeadConfiguration()
    shape.kind = .c4
    shape.words = 2
    return shape
  }

  private let smallWidths = BoxHeadWidths(
    input: 3, convolutions: 2, side: 2, text: TextWidths(word: 4, embedding: 4))

  @Test func zeroBackgroundAndLogitBias() throws {
    var shape = smallShape()
    shape.background = .zero
    shape.activation = .sigmoid
    (shape.temperatureTrain, shape.temperatureTest) = (25, 50)
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      let head = try BoxHead(store.root, shape, smallWidths)
      #expect(store["bg_embedding"]?.value.shape == [1, 4])
      #expect(try head.currentLogitBias() == -20)
      let text = try Tensor([1, 0, 0, 0, 0, 0, -1, 0] as [Float], shape: [2, 4], on: stream)
      let classes = try Tensor([1, 0, 0, 0, 0, 0, 1, 0] as [Float], shape: [2, 4], on: stream)
      let training = try head.classLogits(text, classEmbeddings: classes, training: true)
      expectClose(try training.floats(), [5, -20, -20, -20, -45, -20] as [Float], "training")
      let test = try head.classLogits(text, classEmbeddings: classes, training: false)
      expectClose(try test.floats(), [50, 0, 0, 0, -50, 0] as [Float], "test")
      try training.sum().backward()
      #expect(try store["cls_bias"]?.gradient?.floats() == [6])
    }
  }

  @Test func alignmentHeadHasItsOwnNames() throws {
    var shape = smallShape()
    shape.kind = .fpn
    (shape.convolutions, shape.fcWidth, shape.norm) = (1, 3, .batch)
    shape.ensemble = .split
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 1)
      _ = try BoxHead(store.root, shape, smallWidths)
      for name in [
        "shared_convs.0.conv.weight", "shared_convs.0.bn.running_var", "shared_fcs.0.bias",
        "fc_cls.weight", "fc_reg.0.weight", "fc_reg.2.bias", "bg_embedding.weight",
        "kd.shared_convs.0.bn.weight", "kd.shared_fcs.0.weight", "kd.fc_cls.bias",
      ] {
        #expect(store[name] != nil, "\(name)")
      }
      #expect(store["kd.fc_reg.0.weight"] == nil)
    }
  }

  @Test func keepsAtLeastOneWord() {
    var shape = BoxHeadConfiguration()
    shape.words = 3
    var random = CounterRandom(seed: 1)
    let kept = shape.keptWords(regions: 4000, random: &random)
    #expect(kept.allSatisfy { $0.contains(true) })
    #expect(kept.contains([true, false, false]) && kept.contains([true, true, true]))
    let share = Double(kept.joined().filter { $0 }.count) / 12000
    // Half of them, and the first word of one region in eight that lost all.
    #expect(abs(share - (0.5 + 1.0 / 24)) < 0.02)
    shape.wordDropout = 0
    #expect(shape.keptWords(regions: 2, random: &random).joined().allSatisfy { $0 })
  }
}
