import Baron
import CLIP
import Checkpoints
import Detection
import Formats
import Geometry
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@Suite(
  "Distillation end to end against the peer",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct EndToEndAlignmentTests {
  private static func weights(_ fixture: Fixture) throws -> CLIPWeights {
    let name = try #require(fixture.params["weights"]?.string)
    return try CLIPWeights(folder: "\(Fixture.folder)/\(name)/hf")
  }

  /// The bags of one step as the peer drew them.
  private static func bags(_ fixture: Fixture, _ step: String) throws -> BagBatch {
    var bags = BagBatch()
    bags.lengths = try fixture.integers("\(step).seq_length").map(Int.init)
    bags.bagOfSequence = try fixture.integers("\(step).seq_group")
    bags.spans = zip(
      try fixture.integers("\(step).group_image"), try boxes(fixture, "\(step).spanned_boxes")
    ).map { Region(image: Int($0), box: $1) }
    bags.normalisedBoxes = try boxes(fixture, "\(step).normed_boxes")
    bags.regionKeys = try fixture.integers("\(step).box_key")
    bags.regionOfOccurrence = (0..<Int32(bags.normalisedBoxes.count)).map { $0 }
    return bags
  }

  @Test("losses, features and gradients", arguments: Fixture.files("baron", prefix: "end_to_end_"))
  func distillation(name: String) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream { stream in
      let weights = try Self.weights(fixture)
      let text = try TextEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
      let image = try ImageEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
      var alignment = BagAlignment(try settings(fixture))
      let store = ParameterStore(stream: stream, seed: 0)
      let position = try PositionEmbedding(
        store.root / "pe", words: try fixture.integer("num_words"),
        width: try fixture.integer("word_dim"), features: try fixture.integer("pe_num_feats"))
      for parameter in store.parameters {
        try parameter.value.overwrite(with: try fixture.floats(parameter.name))
      }
      for index in 0..<(try fixture.integer("steps")) {
        let step = "step\(index)"
        let bags = try Self.bags(fixture, step)
        let teacher = try TeacherEmbeddings(
          bags: bags, images: try Self.teacherImages(fixture, step, on: stream), encoder: image,
          masksCrops: fixture.params["use_attn_mask"]?.bool ?? false)
        let flags = try fixture.integers("\(step).word_mask")
        let shape = try fixture.shape("\(step).word_mask")
        let keep = (0..<shape[0]).map { row in
          (0..<shape[1]).map { flags[row * shape[1] + $0] != 0 }
        }
        for alone in ["bag", "single"] {
          // Each loss is differentiated by itself, as the peer did; the queues move on only once.
          var attempt = alignment
          let words = try fixture.tensor("\(step).words", on: stream, channelsLast: false)
            .trained("words")
          for parameter in store.parameters { parameter.value.node?.clearGradient() }
          let placed = try words.adding(try position(bags.normalisedBoxes, on: stream))
          let student = try StudentEmbeddings(
            words: placed, keep: keep, lengths: bags.lengths, encoder: text)
          let losses = try attempt.losses(
            student: (student.sequences, student.occurrences),
            teacher: (teacher.sequences, teacher.occurrences),
            keys: BagAlignment.Keys(
              bags, imageIDs: try fixture.integers("\(step).image_ids")))
          if alone == "bag" {
            try fixture.expect(student.sequences, equals: "\(step).text_features")
            try fixture.expect(teacher.sequences, equals: "\(step).image_features")
            try fixture.expect(student.occurrences, equals: "\(step).word_features")
            try fixture.expect(teacher.occurrences, equals: "\(step).patch_features")
            try fixture.expect(losses.bag, equals: "\(step).loss_bag")
            try fixture.expect(losses.individual, equals: "\(step).loss_single")
            try losses.bag.backward()
          } else {
            try losses.individual.backward()
            alignment = attempt
          }
          try fixture.expect(words.gradient, equals: "\(step).grad_words_\(alone)")
        }
      }
    }
  }

  /// The gradient of the position embedding, from the sum of both losses of the last step.
  @Test(
    "gradients of the position embedding", arguments: Fixture.files("baron", prefix: "end_to_end_"))
  func positionGradients(name: String) throws {
    let fixture = try Fixture(name)
    let last = "step\(try fixture.integer("steps") - 1)"
    try #require(
      fixture.names.contains { $0.hasPrefix("\(last).grad_pe.") } || name.contains("attn"))
    guard fixture.names.contains(where: { $0.hasPrefix("\(last).grad_pe.") }) else { return }
    try TestDevice.withStream { stream in
      let weights = try Self.weights(fixture)
      let text = try TextEncoder(weights, store: ParameterStore(stream: stream, seed: 0))
      let store = ParameterStore(stream: stream, seed: 0)
      let position = try PositionEmbedding(
        store.root / "pe", words: try fixture.integer("num_words"),
        width: try fixture.integer("word_dim"), features: try fixture.integer("pe_num_feats"))
      for parameter in store.parameters {
        try parameter.value.overwrite(with: try fixture.floats(parameter.name))
      }
      var alignment = BagAlignment(try settings(fixture))
      for index in 0..<(try fixture.integer("steps")) {
        let step = "step\(index)"
        let bags = try Self.bags(fixture, step)
        let flags = try fixture.integers("\(step).word_mask")
        let shape = try fixture.shape("\(step).word_mask")
        let keep = (0..<shape[0]).map { row in
          (0..<shape[1]).map { flags[row * shape[1] + $0] != 0 }
        }
        let words = try fixture.tensor("\(step).words", on: stream, channelsLast: false)
        let placed = try words.adding(try position(bags.normalisedBoxes, on: stream))
        let student = try StudentEmbeddings(
          words: placed, keep: keep, lengths: bags.lengths, encoder: text)
        let losses = try alignment.losses(
          student: (student.sequences, student.occurrences),
          teacher: (
            try fixture.tensor("\(step).image_features", on: stream),
            try fixture.tensor("\(step).patch_features", on: stream)
          ),
          keys: BagAlignment.Keys(bags, imageIDs: try fixture.integers("\(step).image_ids")))
        guard step == last else { continue }
        try losses.bag.adding(losses.individual).backward()
        for parameter in store.parameters {
          try fixture.expect(parameter.gradient, equals: "\(last).grad_\(parameter.name)")
        }
      }
    }
  }

  /// The detector's input with the teacher's normalisation on top, as the file describes it.
  private static func teacherImages(
    _ fixture: Fixture, _ step: String, on stream: ComputeStream
  ) throws -> Tensor {
    let settings = try #require(fixture.params["clip_image"])
    let mean = try #require(settings["mean"]?.array).compactMap { $0.number.map { Float($0) } }
    let deviation = try #require(settings["std"]?.array).compactMap {
      $0.number.map { Float($0) }
    }
    return try fixture.tensor("\(step).images", on: stream).renormalised(
      from: PixelNormalisation(
        means: [0, 0, 0], deviations: [1, 1, 1], isBGR: settings["bgr_to_rgb"]?.bool ?? false),
      to: PixelNormalisation(means: mean, deviations: deviation))
  }
}
