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

/// The first `count` columns of the rows of a stored queue, and the ids in the last column.
private func storedQueue(
  _ fixture: Fixture, _ key: String, on stream: ComputeStream
) throws -> (rows: Tensor?, images: [Int32]) {
  let (values, shape) = (try fixture.floats(key), try fixture.shape(key))
  var features: [Float] = []
  var images: [Int32] = []
  for row in 0..<shape[0] {
    let cells = values[row * shape[1]..<(row + 1) * shape[1]]
    guard let id = cells.last, id >= 0 else { continue }
    features += cells.dropLast()
    images.append(Int32(id))
  }
  let rows =
    images.isEmpty
    ? nil : try Tensor(features, shape: [images.count, shape[1] - 1], on: stream)
  return (rows, images)
}

/// Compares a queue's valid rows with a stored one.
private func expectQueue(
  _ queue: EmbeddingQueue, _ fixture: Fixture, _ key: String, on stream: ComputeStream
) throws {
  let wanted = try storedQueue(fixture, key, on: stream)
  #expect(queue.images == wanted.images, "\(key)")
  expectClose(
    try queue.rows?.floats() ?? [], try wanted.rows?.floats() ?? [],
    relative: fixture.relative, absolute: fixture.absolute, key)
}

/// Names of the peer's queues.
private let studentBags = "clip_text_features"
private let teacherBags = "clip_image_features"
private let studentRegions = "clip_word_features"
private let teacherRegions = "clip_patch_features"

/// The peer's settings.
func settings(_ fixture: Fixture) throws -> BagSettings {
  func length(_ key: String) throws -> Int {
    try #require(fixture.params["queue_lengths"]?[key]?.integer, "\(key)")
  }
  var settings = BagSettings()
  settings.bagWeight = Float(try fixture.number("bag_weight"))
  settings.bagTemperature = Float(try fixture.number("bag_temp"))
  settings.regionWeight = Float(try fixture.number("single_weight"))
  settings.regionTemperature = Float(try fixture.number("single_temp"))
  settings.bagQueueLength = QueueLengths(
    student: try length(studentBags), teacher: try length(teacherBags))
  settings.regionQueueLength = QueueLengths(
    student: try length(studentRegions), teacher: try length(teacherRegions))
  return settings
}

@Suite(
  "Alignment losses against the peer",
  .enabled(if: Fixture.available, "the fixture folder is missing: set BARON_FIXTURES"))
struct AlignmentTests {
  @Test("queues over three updates")
  func queues() throws {
    let fixture = try Fixture("baron/queues.safetensors")
    try TestDevice.withStream { stream in
      for name in (fixture.params["lengths"]?.object ?? [:]).keys.sorted() {
        let length = try #require(fixture.params["lengths"]?[name]?.integer)
        var queue = EmbeddingQueue(name, capacity: length)
        var step = 0
        while fixture.has("in\(step)_\(name)") {
          let (values, shape) = (
            try fixture.floats("in\(step)_\(name)"), try fixture.shape("in\(step)_\(name)")
          )
          let rows = (0..<shape[0]).map { Array(values[$0 * shape[1]..<($0 + 1) * shape[1]]) }
          try queue.push(
            try Tensor(
              rows.flatMap { $0.dropLast() }, shape: [shape[0], shape[1] - 1], on: stream),
            images: rows.map { Int32($0.last ?? -1) })
          try expectQueue(queue, fixture, "got\(step)_\(name)", on: stream)
          step += 1
        }
        #expect(step > 0)
      }
    }
  }

  @Test("sine encoding and its projection", arguments: Fixture.files("baron", prefix: "sine_"))
  func position(name: String) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream { stream in
      let shape = try fixture.shape("y")
      let store = ParameterStore(stream: stream, seed: 0)
      let embedding = try PositionEmbedding(
        store.root, words: shape[1], width: shape[2], features: try fixture.integer("num_feats"))
      for parameter in store.parameters {
        try parameter.value.overwrite(with: try fixture.floats(parameter.name))
      }
      let centres = try fixture.floats("boxes_cxcywh")
      let boxes = stride(from: 0, to: centres.count, by: 4).map { index in
        let half = (centres[index + 2] / 2, centres[index + 3] / 2)
        return Box(
          x1: centres[index] - half.0, y1: centres[index + 1] - half.1,
          x2: centres[index] + half.0, y2: centres[index + 1] + half.1)
      }
      let result = try embedding(boxes, on: stream)
      try fixture.expect(result, equals: "y")
      try result.backward(from: try fixture.tensor("grad_y", on: stream))
      for parameter in store.parameters {
        try fixture.expect(parameter.gradient, equals: "grad_\(parameter.name)")
      }
    }
  }

  @Test("InfoNCE on given features", arguments: Fixture.files("baron", prefix: "infonce_"))
  func infoNCE(name: String) throws {
    let fixture = try Fixture(name)
    try TestDevice.withStream { stream in
      var alignment = BagAlignment(try settings(fixture))
      func restore(_ queue: WritableKeyPath<BagAlignment, EmbeddingQueue>, _ key: String)
        throws
      {
        let stored = try storedQueue(fixture, "queue_before_\(key)", on: stream)
        alignment[keyPath: queue].restore(rows: stored.rows, images: stored.images)
      }
      try restore(\.bags.student, studentBags)
      try restore(\.bags.teacher, teacherBags)
      try restore(\.individuals.student, studentRegions)
      try restore(\.individuals.teacher, teacherRegions)
      let ids = try fixture.integers("image_ids")
      let lengths = try fixture.integers("seq_length").map(Int.init)
      let sequenceImages = try fixture.integers("seq_image").map { ids[Int($0)] }
      let owner = lengths.enumerated().flatMap { [Int32](repeating: Int32($0), count: $1) }
      let text = try fixture.tensor("text_features", on: stream).trained("text")
      let tokens = try fixture.tensor("word_tokens", on: stream).trained("tokens")
      let words = try StudentEmbeddings.meanWords(
        tokens, counts: try fixture.integers("words_per_box").map(Int.init))
      try fixture.expect(words, equals: "word_features")
      let patches = try TeacherEmbeddings.patches(
        of: try fixture.tensor("image_tokens", on: stream),
        boxes: try boxes(fixture, "normed_boxes"), crops: owner, on: stream)
      try fixture.expect(patches, equals: "patch_features")
      let losses = try alignment.losses(
        student: (text, words),
        teacher: (try fixture.tensor("image_features", on: stream), patches),
        keys: BagAlignment.Keys(
          bags: try fixture.integers("sequence_key"), sequenceImages: sequenceImages,
          regions: try fixture.integers("box_key"),
          occurrenceImages: owner.map { sequenceImages[Int($0)] }))
      try fixture.expect(losses.bag, equals: "loss_bag")
      try fixture.expect(losses.individual, equals: "loss_single")
      try losses.bag.adding(losses.individual).backward()
      try fixture.expect(text.gradient, equals: "grad_text_features")
      try fixture.expect(tokens.gradient, equals: "grad_word_tokens")
      for (queue, key) in [
        (alignment.bags.student, studentBags), (alignment.bags.teacher, teacherBags),
        (alignment.individuals.student, studentRegions),
        (alignment.individuals.teacher, teacherRegions),
      ] {
        try expectQueue(queue, fixture, "queue_after_\(key)", on: stream)
      }
    }
  }
}
