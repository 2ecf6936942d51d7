import Baron
import CLIP
import Checkpoints
import Detection
import Formats
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite(
  "Caption alignment against the peer",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct CaptionAlignmentTests {
  /// The queue's rows as stored before or after the step.
  private func queue(
    _ fixture: Fixture, _ key: String, capacity: Int, on stream: ComputeStream
  ) throws -> EmbeddingQueue {
    let (values, shape) = (try fixture.floats(key), try fixture.shape(key))
    let rows = (0..<shape[0]).map { Array(values[$0 * shape[1]..<($0 + 1) * shape[1]]) }
      .filter { ($0.last ?? -1) >= 0 }
    var queue = EmbeddingQueue("captions", capacity: capacity)
    guard !rows.isEmpty else { return queue }
    queue.restore(
      rows: try Tensor(
        rows.flatMap { $0.dropLast() }, shape: [rows.count, shape[1] - 1], on: stream),
      images: rows.map { Int32($0.last ?? -1) })
    return queue
  }

  private func perImage(_ ids: [Int32], _ counts: [Int32]) -> [Int32] {
    zip(ids, counts).flatMap { [Int32](repeating: $0, count: Int($1)) }
  }

  @Test("loss, gradients and queues", arguments: Fixture.files("baron", prefix: "caption_loss_"))
  func loss(name: String) throws {
    let fixture = try Fixture(name)
    let lengths = try #require(fixture.params["queue_lengths"])
    let sentenceKey = "clip_cap_text_features"
    let captionKey = "clip_caption_features"
    let sentenceCapacity = try #require(lengths[sentenceKey]?.integer)
    let captionCapacity = try #require(lengths[captionKey]?.integer)
    try TestDevice.withStream { stream in
      var settings = CaptionSettings()
      settings.weight = Float(try fixture.number("loss_weight"))
      settings.temperature = Float(try fixture.number("norm_temp"))
      settings.sentenceQueueLength = sentenceCapacity
      settings.captionQueueLength = captionCapacity
      var alignment = CaptionAlignment(settings)
      alignment.sentenceQueue = try queue(
        fixture, "queue_before_\(sentenceKey)", capacity: sentenceCapacity, on: stream)
      alignment.captionQueue = try queue(
        fixture, "queue_before_\(captionKey)", capacity: captionCapacity, on: stream)
      let ids = try fixture.integers("image_ids")
      var leaf: Tensor?
      let sentences: Tensor
      if fixture.has("words") {
        let words = try fixture.tensor("words", on: stream, channelsLast: false).trained("words")
        leaf = words
        sentences = try self.sentences(fixture, words: words, on: stream)
        try fixture.expect(sentences, equals: "text_features")
      } else {
        sentences = try fixture.tensor("text_features", on: stream)
      }
      let loss = try alignment.loss(
        sentences: sentences,
        sentenceImages: perImage(ids, try fixture.integers("permutations_per_image")),
        captions: try fixture.tensor("caption_features", on: stream),
        captionImages: perImage(ids, try fixture.integers("captions_per_image")))
      try fixture.expect(loss, equals: "loss_caption")
      if let leaf {
        try loss.backward()
        try fixture.expect(leaf.gradient, equals: "grad_words")
      }
      for (after, key) in [
        (alignment.sentenceQueue, sentenceKey), (alignment.captionQueue, captionKey),
      ] {
        let wanted = try queue(
          fixture, "queue_after_\(key)", capacity: after.capacity, on: stream)
        #expect(after.images == wanted.images)
        expectClose(
          try after.rows?.floats() ?? [], try wanted.rows?.floats() ?? [],
          relative: fixture.relative, absolute: fixture.absolute, key)
      }
    }
  }

  /// Orders of the stored words through the position embedding and the tiny text encoder.
  private func sentences(
    _ fixture: Fixture, words: Tensor, on stream: ComputeStream
  ) throws -> Tensor {
    let name = try #require(fixture.params["weights"]?.string)
    let weights = try CLIPWeights(folder: "\(Fixture.folder)/\(name)/hf")
    let encoder = try TextEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
    let shape = try fixture.shape("words")
    let store = ParameterStore(stream: stream, seed: 0)
    let position = try PositionEmbedding(
      store.root / "pe", words: shape[1], width: shape[2],
      features: try fixture.integer("pe_num_feats"))
    for parameter in store.parameters {
      try parameter.value.overwrite(with: try fixture.floats(parameter.name))
    }
    let placed = try words.adding(try position(try boxes(fixture, "normed_boxes"), on: stream))
    // Box numbers inside the image become rows of the batch.
    var rows: [Int32] = []
    var lengths: [Int] = []
    var next = 0
    var firstBox: Int32 = 0
    let permutations = try fixture.integers("permutations")
    let permutationLengths = try fixture.integers("permutation_length")
    var permutation = 0
    for (orders, count) in zip(
      try fixture.integers("permutations_per_image"), try fixture.integers("boxes_per_image"))
    {
      for _ in 0..<orders {
        let length = Int(permutationLengths[permutation])
        rows += permutations[next..<next + length].map { $0 + firstBox }
        lengths.append(length)
        next += length
        permutation += 1
      }
      firstBox += count
    }
    let flags = try fixture.integers("word_mask")
    let keep = rows.indices.map { row in
      (0..<shape[1]).map { flags[row * shape[1] + $0] != 0 }
    }
    return try StudentEmbeddings.sequences(
      words: try placed.gatheredRows(rows), keep: keep, lengths: lengths, encoder: encoder)
  }
}
