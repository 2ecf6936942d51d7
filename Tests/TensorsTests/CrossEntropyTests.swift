import Foundation
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("Cross entropy")
struct CrossEntropyTests {
  /// Rows and columns around a vector, a GPU row and nothing.
  static let sizes = [
    (0, 5), (1, 1), (3, 15), (2, 16), (5, 17), (33, 66), (3, 127), (2, 128), (4, 129), (3, 1031),
  ]

  private func labels(_ rows: Int, _ columns: Int) -> [Int32] {
    (0..<rows).map { $0 % 5 == 3 ? -1 : Int32($0 * 7 % columns) }
  }

  @Test("softmax against a double reference", arguments: TestDevice.families)
  func softmax(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in Self.sizes {
        let x = randomFloats(rows * columns, seed: 1, in: -30...30)
        let labels = labels(rows, columns)
        let rowWeights = randomFloats(rows, seed: 2, in: 0...2)
        let classWeights = (0..<columns).map { $0 % 3 == 1 ? 0 : Float(1 + $0 % 2) }
        for excludes in [false, true] {
          var loss = 0.0
          var wanted: [Double] = []
          for row in 0..<rows {
            let scores = (0..<columns).map { column in
              excludes && classWeights[column] == 0
                ? -Double.infinity : Double(x[row * columns + column])
            }
            let label = Int(labels[row])
            guard label >= 0, !(excludes && classWeights[label] == 0) else {
              wanted += scores.map { _ in 0 }
              continue
            }
            let factor = Double(rowWeights[row]) * Double(classWeights[label]) / 7
            let total = HostReference.logSumExp(scores)
            loss += factor * (total - scores[label])
            wanted += scores.enumerated().map {
              2 * factor * (exp($1 - total) - ($0 == label ? 1 : 0))
            }
          }
          let source = try Tensor(x, shape: [rows, columns], on: stream).trained("x")
          let result = try source.softmaxCrossEntropy(
            labels: try Tensor(labels, shape: [labels.count], on: stream),
            classWeights: classWeights, rowWeights: rowWeights,
            excludesZeroWeight: excludes, divisor: 7)
          #expect(result.shape == [])
          expectClose(try result.floats(), [loss], "\(rows) x \(columns), \(excludes)")
          try result.scaled(by: 2).backward()
          expectClose(
            try source.gradient?.floats() ?? [], wanted, "gradient, \(rows) x \(columns)")
        }
      }
    }
  }

  @Test("sigmoid against a double reference", arguments: TestDevice.families)
  func sigmoid(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in Self.sizes {
        let x = randomFloats(rows * columns, seed: 1, in: -40...40)
        let labels = labels(rows, columns)
        let rowWeights = randomFloats(rows, seed: 2, in: 0...2)
        let classWeights = (0..<columns).map { Float($0 % 3) }
        var loss = 0.0
        var wanted: [Double] = []
        for row in 0..<rows {
          for column in 0..<columns {
            let target: Double = Int(labels[row]) == column ? 1 : 0
            let factor =
              labels[row] < 0
              ? 0 : Double(rowWeights[row]) * Double(classWeights[column]) / 7
            let value = Double(x[row * columns + column])
            loss += factor * HostReference.binaryLoss(value, target)
            wanted.append(2 * factor * (HostReference.sigmoid(value) - target))
          }
        }
        let source = try Tensor(x, shape: [rows, columns], on: stream).trained("x")
        let result = try source.sigmoidCrossEntropy(
          labels: try Tensor(labels, shape: [labels.count], on: stream), classWeights: classWeights,
          rowWeights: rowWeights, divisor: 7)
        expectClose(try result.floats(), [loss], "\(rows) x \(columns)")
        try result.scaled(by: 2).backward()
        expectClose(
          try source.gradient?.floats() ?? [], wanted, "gradient, \(rows) x \(columns)")
      }
    }
  }

  @Test("binary against a double reference", arguments: TestDevice.families)
  func binary(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for count in [0, 1, 15, 16, 17, 127, 129, 4095, 4096, 4097, 9001] {
        let x = randomFloats(count, seed: 1, in: -100...100)
        let targets = randomFloats(count, seed: 2, in: 0...1)
        var loss = 0.0
        var wanted: [Double] = []
        for index in 0..<count {
          loss += HostReference.binaryLoss(Double(x[index]), Double(targets[index])) / 7
          wanted.append((HostReference.sigmoid(Double(x[index])) - Double(targets[index])) / 7)
        }
        let source = try Tensor(x, shape: [count], on: stream).trained("x")
        let result = try source.binaryCrossEntropy(targets: targets, divisor: 7)
        expectClose(try result.floats(), [loss], "\(count) elements")
        try result.backward()
        expectClose(try source.gradient?.floats() ?? [], wanted, "gradient, \(count)")
      }
    }
  }

  @Test("soft targets against a double reference", arguments: TestDevice.families)
  func softTargets(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for (rows, columns) in Self.sizes {
        let x = randomFloats(rows * columns, seed: 1, in: -30...30)
        // Every fourth row has no target.
        let targets = randomFloats(rows * columns, seed: 2, in: 0...1).enumerated().map {
          $0 / columns % 4 == 1 ? 0 : $1.rounded()
        }
        var loss = 0.0
        var wanted: [Double] = []
        for row in 0..<rows {
          let range = row * columns..<(row + 1) * columns
          let (scores, goals) = (x[range].map { Double($0) }, targets[range].map { Double($0) })
          let (total, mass) = (HostReference.logSumExp(scores), goals.reduce(0, +))
          let factor = 1 / (mass + 1e-6) / Double(rows)
          for (score, goal) in zip(scores, goals) {
            loss -= factor * goal * (score - total)
            wanted.append(factor * (mass * exp(score - total) - goal))
          }
        }
        let source = try Tensor(x, shape: [rows, columns], on: stream).trained("x")
        let result = try source.softTargetCrossEntropy(
          try Tensor(targets, shape: [rows, columns], on: stream))
        expectClose(try result.floats(), [loss], "\(rows) x \(columns)")
        try result.backward()
        expectClose(
          try source.gradient?.floats() ?? [], wanted, "gradient, \(rows) x \(columns)")
      }
    }
  }

  @Test("hand-computed classification losses", arguments: TestDevice.families)
  func byHand(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let logits = try Tensor(
        [2, 9, 0, 1, 0, 5, 1, 2, 1, 1, 1, 1] as [Float], shape: [3, 4], on: stream)
      let labels = try Tensor([0, 3, 2] as [Int32], shape: [3], on: stream)
      let softmax = try logits.softmaxCrossEntropy(
        labels: labels, classWeights: [1, 0, 1, 0.7], excludesZeroWeight: true, divisor: 3)
      expectClose(try softmax.floats(), [0.59718079], relative: 1e-6, "softmax")
      let sigmoid = try logits.sigmoidCrossEntropy(
        labels: labels, classWeights: [1, 0, 1, 0], divisor: 3)
      expectClose(try sigmoid.floats(), [1.48433575], relative: 1e-6, "sigmoid")
    }
  }

  @Test("NaN logits give a NaN loss", arguments: TestDevice.families)
  func invalid(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for column in [0, 18] {
        var x = [Float](repeating: 1, count: 19)
        x[column] = .nan
        let logits = try Tensor(x, shape: [1, 19], on: stream)
        let weights = [Float](repeating: 1, count: 19)
        let three = try Tensor([3] as [Int32], shape: [1], on: stream)
        let losses = [
          try logits.softmaxCrossEntropy(labels: three, divisor: 1),
          try logits.sigmoidCrossEntropy(labels: three, classWeights: weights, divisor: 1),
          try logits.binaryCrossEntropy(targets: weights, divisor: 1),
          try logits.softTargetCrossEntropy(try Tensor(weights, shape: [1, 19], on: stream)),
        ]
        for loss in losses { #expect(try loss.floats().allSatisfy(\.isNaN)) }
      }
    }
  }
}

@Suite(
  "Cross entropy against peers",
  .enabled(if: Fixture.available, "no fixtures: set BARON_FIXTURES or BARON_SHARED"))
struct CrossEntropyFixtureTests {
  @Test(
    "weighted classes", arguments: TestDevice.families,
    Fixture.files("roi", prefix: "custom_cross_entropy"))
  func weightedClasses(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let labels = try fixture.integers("labels")
      let classWeights = try fixture.floats("class_weight")
      let rowWeights = try fixture.floats("weights")
      for name in ["avg", "mean"] {
        for kind in ["softmax", "sigmoid"] {
          // The sigmoid form's mean is over rows and columns.
          let terms = kind == "softmax" ? labels.count : labels.count * classWeights.count
          let divisor =
            name == "avg" ? Float(try fixture.number("avg_factor")) : Float(terms)
          let logits = try fixture.tensor("logits", on: stream).trained("logits")
          let loss =
            kind == "softmax"
            ? try logits.softmaxCrossEntropy(
              labels: try Tensor(labels, shape: [labels.count], on: stream),
              classWeights: classWeights, rowWeights: rowWeights,
              excludesZeroWeight: true, divisor: divisor)
            : try logits.sigmoidCrossEntropy(
              labels: try Tensor(labels, shape: [labels.count], on: stream),
              classWeights: classWeights, rowWeights: rowWeights,
              divisor: divisor)
          try fixture.expect(loss, equals: "loss_\(kind)_\(name)")
          try loss.backward()
          try fixture.expect(logits.gradient, equals: "grad_\(kind)_\(name)")
        }
      }
    }
  }

  @Test(
    "classification losses of the RoI head", arguments: TestDevice.families,
    Fixture.files("roi", prefix: "loss_"))
  func head(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let labels = try fixture.integers("labels")
      let classWeights = try fixture.floats("class_weight")
      let rowWeights = try fixture.floats("label_weights")
      let divisor = Float(labels.count)
      let logits = try fixture.tensor("logits", on: stream).trained("logits")
      let isSigmoid: Bool = try #require(fixture.params["sigmoid"]?.bool as Bool?)
      let loss =
        isSigmoid
        ? try logits.sigmoidCrossEntropy(
          labels: try Tensor(labels, shape: [labels.count], on: stream), classWeights: classWeights,
          rowWeights: rowWeights, divisor: divisor)
        : try logits.softmaxCrossEntropy(
          labels: try Tensor(labels, shape: [labels.count], on: stream), classWeights: classWeights,
          rowWeights: rowWeights,
          excludesZeroWeight: true, divisor: divisor)
      try fixture.expect(loss, equals: "loss_cls")
      try loss.backward()
      try fixture.expect(logits.gradient, equals: "grad_logits")
    }
  }

  @Test(
    "soft targets", arguments: TestDevice.families,
    Fixture.files("baron", prefix: "soft_target_ce"))
  func softTargets(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let x = try fixture.tensor("x", on: stream).trained("x")
      let loss = try x.softTargetCrossEntropy(try fixture.tensor("target", on: stream))
      try fixture.expect(loss, equals: "loss")
      try loss.backward()
      try fixture.expect(x.gradient, equals: "grad_x")
    }
  }

  @Test(
    "captions", arguments: TestDevice.families,
    Fixture.files("baron", prefix: "caption_loss_features"))
  func captions(family: DeviceFamily, file: String) throws {
    try TestDevice.withStream(family) { stream in
      let fixture = try Fixture(file)
      let images = try fixture.integers("image_ids")
      func side(_ features: Tensor, _ counts: String, _ queue: String) throws -> (Tensor, [Float]) {
        var ids = zip(images, try fixture.integers(counts)).flatMap {
          [Float](repeating: Float($0), count: Int($1))
        }
        let name = "queue_before_\(queue)"
        let width = features.shape[1]
        let stored = try fixture.tensor(name, on: stream)
        ids += try fixture.floats(name).enumerated().filter { $0.offset % (width + 1) == width }
          .map(\.element)
        let joined = try Tensor.concatenated(
          [features, try stored.sliced(axis: 1, 0..<width)], axis: 0)
        return (joined, ids)
      }
      let text = try fixture.tensor("text_features", on: stream).trained("text")
      let (rows, rowImages) = try side(
        text, "permutations_per_image", "clip_cap_text_features")
      let (columns, columnImages) = try side(
        try fixture.tensor("caption_features", on: stream), "captions_per_image",
        "clip_caption_features")
      let logits = try rows.matrixProduct(columns, transposeRight: true)
        .scaled(by: Float(try fixture.number("norm_temp")))
      let targets = try Tensor(
        rowImages.flatMap { row -> [Float] in columnImages.map { $0 == row ? 1 : 0 } },
        shape: logits.shape, on: stream)
      let loss = try logits.softTargetCrossEntropy(targets)
        .adding(try logits.transposed().softTargetCrossEntropy(try targets.transposed()))
        .scaled(by: Float(try fixture.number("loss_weight") / 2))
      try fixture.expect(loss, equals: "loss_caption")
      try loss.backward()
      try fixture.expect(text.gradient, equals: "grad_text_features")
    }
  }
}
