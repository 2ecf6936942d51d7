import Foundation
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Contrastive loss")
struct ContrastiveLossTests {
  @Test(
    "forward and backward against a double reference", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let sizes = [(1, 0), (1, 1), (2, 3), (15, 17), (16, 16), (17, 15), (67, 0), (131, 67)]
      for (rows, queue) in sizes {
        let columns = 7
        let sample = ContrastiveCase(rows: rows, queue: queue, columns: columns, temperature: 20)
        let wanted = sample.reference()
        let queries = try Tensor(
          sample.queries, shape: [rows, columns], on: stream
        ).trained("queries")
        let keys = try Tensor(sample.keys, shape: [rows, columns], on: stream).trained("keys")
        let loss = try queries.contrastiveLoss(
          keys: keys, queue: try Tensor(sample.entries, shape: [queue, columns], on: stream),
          temperature: 20, groups: sample.groups, images: sample.images,
          queueImages: sample.queueImages)
        #expect(loss.shape == [])
        expectClose(try loss.floats(), [wanted.loss], "\(rows) rows, queue of \(queue)")
        try loss.scaled(by: 3).backward()
        expectClose(
          try queries.gradient?.floats() ?? [], wanted.queries.map { 3 * $0 },
          "queries, \(rows) rows, queue of \(queue)")
        expectClose(
          try keys.gradient?.floats() ?? [], wanted.keys.map { 3 * $0 },
          "keys, \(rows) rows, queue of \(queue)")
        // Only the keys are trained, as from the teacher to the student.
        let student = try Tensor(sample.keys, shape: [rows, columns], on: stream).trained("keys")
        try queries.detached().contrastiveLoss(
          keys: student, queue: try Tensor(sample.entries, shape: [queue, columns], on: stream),
          temperature: 20, groups: sample.groups, images: sample.images,
          queueImages: sample.queueImages
        ).backward()
        expectClose(try student.gradient?.floats() ?? [], wanted.keys, "keys only, \(rows) rows")
      }
    }
  }

  @Test("without rows the loss is 0")
  func empty() throws {
    try TestDevice.withStream { stream in
      let nothing = try Tensor([Float](), shape: [0, 4], on: stream)
      let loss = try nothing.contrastiveLoss(
        keys: nothing, temperature: 1, groups: [], images: [])
      #expect(try loss.floats() == [0])
    }
  }

  @Test("NaN features give a NaN loss", arguments: TestDevice.families)
  func invalid(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let queries = try Tensor([.nan, 1] as [Float], shape: [2, 1], on: stream)
      let keys = try Tensor([1, 1] as [Float], shape: [2, 1], on: stream)
      let loss = try queries.contrastiveLoss(
        keys: keys, temperature: 1, groups: [0, 1], images: [0, 0])
      #expect(try loss.floats().allSatisfy(\.isNaN))
    }
  }

  @Test("hand-computed bag loss", arguments: TestDevice.families)
  func byHand(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (temperature, wanted) in [(2, 1.06596108), (30, 3.62606857)] as [(Float, Double)] {
        let student = try Tensor(
          [1, 0, 0, 1, 0.6, 0.8, 0.8, -0.6] as [Float], shape: [4, 2], on: stream
        ).trained("student")
        let teacher = try Tensor(
          [0.8, 0.6, 0.6, 0.8, 0, 1, 1, 0] as [Float], shape: [4, 2], on: stream)
        let imageQueue = try Tensor([0, 1, -1, 0] as [Float], shape: [2, 2], on: stream)
        let textQueue = try Tensor([0.6, 0.8, 0, -1] as [Float], shape: [2, 2], on: stream)
        let (groups, images): ([Int32], [Int32]) = ([0, 1, 1, 2], [7, 7, 7, 9])
        let loss = try student.contrastiveLoss(
          keys: teacher, queue: imageQueue, temperature: temperature, groups: groups,
          images: images, queueImages: [7, 5]
        ).adding(
          try teacher.contrastiveLoss(
            keys: student, queue: textQueue, temperature: temperature, groups: groups,
            images: images, queueImages: [9, 3])
        ).scaled(by: 0.5)
        expectClose(try loss.floats(), [wanted], relative: 1e-6, "temperature \(temperature)")
        guard temperature == 2 else { continue }
        try loss.backward()
        expectClose(
          try student.gradient?.floats() ?? [],
          [
            -0.027968, -0.108941, -0.077127, -0.175576, 0.241549, -0.201252, -0.207996, 0.101528,
          ], relative: 0, absolute: 2e-6, "gradient")
      }
    }
  }
}

@Suite(
  "Contrastive loss against peers",
  .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"))
struct ContrastiveLossFixtureTests {
  @Test(
    "bags and regions", arguments: TestDevice.families, Fixture.files("baron", prefix: "infonce"))
  func peer(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let ids = try fixture.integers("image_ids")
      let sequenceImages = try fixture.integers("seq_image").map { ids[Int($0)] }
      let text = try fixture.tensor("text_features", on: stream).trained("text")
      let bags = try Self.loss(
        fixture, student: text, teacher: "image_features", queue: "clip_text_features",
        groups: "sequence_key", images: sequenceImages, name: "bag")
      try fixture.expect(bags, equals: "loss_bag")
      try bags.backward()
      try fixture.expect(text.gradient, equals: "grad_text_features")

      let lengths = try fixture.integers("seq_length")
      let boxImages = zip(sequenceImages, lengths).flatMap {
        [Int32](repeating: $0, count: Int($1))
      }
      let tokens = try fixture.tensor("word_tokens", on: stream).trained("tokens")
      var offsets: [Int32] = [0]
      var weights: [Float] = []
      for words in try fixture.integers("words_per_box") {
        offsets.append(offsets[offsets.count - 1] + words)
        weights += [Float](repeating: 1 / Float(words), count: Int(words))
      }
      let words = try tokens.combinedRows(
        offsets: offsets, indices: Array(0..<Int32(weights.count)), weights: weights
      ).l2Normalized()
      try fixture.expect(words, equals: "word_features")
      let regions = try Self.loss(
        fixture, student: words, teacher: "patch_features", queue: "clip_word_features",
        groups: "box_key", images: boxImages, name: "single")
      try fixture.expect(regions, equals: "loss_single")
      try regions.backward()
      try fixture.expect(tokens.gradient, equals: "grad_word_tokens")
    }
  }

  /// Both directions, weighted; the teacher's queue is named after its features.
  private static func loss(
    _ fixture: Fixture, student: Tensor, teacher: String, queue studentQueue: String,
    groups: String, images: [Int32], name: String
  ) throws -> Tensor {
    let target = try fixture.tensor(teacher, on: student.stream)
    let groups = try fixture.integers(groups)
    let temperature = Float(try fixture.number("\(name)_temp"))
    func direction(_ queries: Tensor, _ keys: Tensor, _ queue: String) throws -> Tensor {
      let width = queries.shape[1]
      let stored = try fixture.tensor("queue_before_\(queue)", on: queries.stream)
      let queueImages = try stored.sliced(axis: 1, width..<width + 1).floats().map { Int32($0) }
      return try queries.contrastiveLoss(
        keys: keys, queue: try stored.sliced(axis: 1, 0..<width), temperature: temperature,
        groups: groups, images: images, queueImages: queueImages)
    }
    return try direction(student, target, "clip_\(teacher)")
      .adding(try direction(target, student, studentQueue))
      .scaled(by: Float(try fixture.number("\(name)_weight") / 2))
  }
}

/// Random rows with repeated groups and images, and their loss in double precision.
private struct ContrastiveCase {
  let rows: Int
  let queue: Int
  let columns: Int
  let temperature: Double
  let queries: [Float]
  let keys: [Float]
  let entries: [Float]
  let groups: [Int32]
  let images: [Int32]
  let queueImages: [Int32]

  init(rows: Int, queue: Int, columns: Int, temperature: Double) {
    (self.rows, self.queue, self.columns) = (rows, queue, columns)
    self.temperature = temperature
    queries = randomFloats(rows * columns, seed: 1)
    keys = randomFloats(rows * columns, seed: 2)
    entries = randomFloats(queue * columns, seed: 3)
    groups = (0..<rows).map { Int32($0 / 3) }
    // Numbers that a float could not tell apart.
    images = (0..<rows).map { 2_000_000_000 + Int32($0 % 4) }
    queueImages = (0..<queue).map { 2_000_000_000 + Int32($0 % 5) }
  }

  func reference() -> ContrastiveReference {
    ContrastiveReference(
      queries: queries.map(Double.init), keys: keys.map(Double.init), rows: rows,
      queue: entries.map(Double.init), temperature: temperature,
      isHidden: { query, key in
        key < rows
          ? key != query && groups[key] == groups[query]
          : queueImages[key - rows] == images[query]
      })
  }
}
