import Detection
import Formats
import Geometry
import Layers
import Masks
import Tensors
import TestSupport
import Testing

/// Encodes a sentence as the unit mean of its words.
private struct MeanEncoder: PseudoTextEncoder {
  func encode(words: Tensor, keep: [[Bool]]?) throws -> Tensor {
    let (rows, count, width) = (words.shape[0], words.shape[1], words.shape[2])
    var offsets: [Int32] = [0]
    var indices: [Int32] = []
    var weights: [Float] = []
    for row in 0..<rows {
      let kept = (0..<count).filter { keep?[row][$0] ?? true }
      indices += kept.map { Int32(row * count + $0) }
      weights += kept.map { _ in 1 / Float(kept.count) }
      offsets.append(Int32(indices.count))
    }
    return try words.reshaped([rows * count, width])
      .combinedRows(offsets: offsets, indices: indices, weights: weights).l2Normalized()
  }
}

@Suite(.serialized)
struct FasterRCNNTests {
  /// A detector of a few thousand parameters.
  private func tinyPyramid() -> DetectorConfiguration {
    var detector = DetectorConfiguration()
    detector.backbone.stemWidth = 4
    detector.backbone.stageWidths = [2, 2, 3, 4]
    detector.backbone.blocks = [1, 1, 1, 1]
    detector.neck.channels = 8
    limit(&detector)
    (detector.head.convolutions, detector.head.fcWidth, detector.head.words) = (1, 10, 3)
    detector.head.detections.scoreThreshold = 0
    return detector
  }

  private func limit(_ detector: inout DetectorConfiguration) {
    detector.rpn.batchSize = 32
    (detector.rpn.preNMSTrain, detector.rpn.postNMSTrain) = (60, 40)
    (detector.rpn.preNMSTest, detector.rpn.postNMSTest) = (60, 30)
    detector.head.sampling.rois = 24
    detector.head.backgroundWeight = 1
  }

  private let text = TextWidths(word: 6, embedding: 6)

  private func tinySingleMap() -> DetectorConfiguration {
    var detector = DetectorConfiguration.singleMap
    detector.backbone.stemWidth = 4
    detector.backbone.stageWidths = [2, 2, 3, 4]
    detector.backbone.blocks = [1, 1, 1, 1]
    limit(&detector)
    detector.head.words = 2
    detector.head.activation = .sigmoid
    detector.head.background = .zero
    detector.head.backgroundWeight = 0
    detector.head.sigmoidBias = -3
    detector.head.temperatureTrain = 5
    return detector
  }

  private func batch(on stream: ComputeStream) throws -> DetectionBatch {
    DetectionBatch(
      images: try Tensor(
        randomFloats(2 * 64 * 96 * 3, seed: 1), shape: [2, 64, 96, 3], on: stream),
      frames: [
        ImageView(
          imageID: 7, originalWidth: 45, originalHeight: 40, width: 90, height: 60),
        ImageView(imageID: 9, width: 60, height: 64),
      ],
      groundTruth: [
        TargetBoxes(
          boxes: [Box(x1: 10, y1: 8, x2: 50, y2: 40), Box(x1: 40, y1: 20, x2: 80, y2: 58)],
          labels: [0, 2]),
        TargetBoxes(boxes: [Box(x1: 5, y1: 20, x2: 40, y2: 60)], labels: [0]),
      ])
  }

  private func vocabulary(on stream: ComputeStream) throws -> ClassVocabulary {
    ClassVocabulary(
      embeddings: try Tensor(randomFloats(4 * 6, seed: 2), shape: [4, 6], on: stream)
        .l2Normalized(), isBase: [true, false, true, true])
  }

  private func check(_ shape: DetectorConfiguration, rate: Float) throws {
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 4)
      let detector = try FasterRCNN(store.root, shape, text: text)
      let batch = try batch(on: stream)
      let vocabulary = try vocabulary(on: stream)
      func losses(_ iteration: Int) throws -> [String: Tensor] {
        try detector.detectionLosses(
          try detector.startDetection(
            batch, classes: 4, random: StepRandom(seed: 11, iteration: iteration)),
          vocabulary: vocabulary, textEncoder: MeanEncoder())
      }
      var history: [Float] = []
      for _ in 0..<10 {
        let parts = try losses(0)
        #expect(parts.keys.sorted() == ["loss_bbox", "loss_cls", "loss_rpn_bbox", "loss_rpn_cls"])
        let total = try weightedTotal(parts)
        history.append(try #require(try total.floats().first))
        try total.backward()
        for parameter in store.trained {
          let gradient = try #require(parameter.gradient, "\(parameter.name) has no gradient")
          let values = zip(try parameter.value.floats(), try gradient.floats()).map {
            $0 - rate * $1
          }
          try parameter.value.overwrite(with: values)
          parameter.value.node?.clearGradient()
        }
      }
      #expect(history.allSatisfy { $0.isFinite })
      #expect(history[9] < 0.97 * history[0], "\(history)")

      try stream.withoutGradients {
        // Every random choice is a function of seed, iteration and image.
        let (first, again) = (try losses(5), try losses(5))
        for (name, tensor) in first {
          #expect(try tensor.floats() == again[name]?.floats(), "\(name)")
        }
      }
      let found = try detector.detect(
        batch.images, frames: batch.frames, vocabulary: vocabulary, textEncoder: MeanEncoder())
      try #require(found.count == 2)
      for (detections, frame) in zip(found, batch.frames) {
        #expect(!detections.isEmpty && detections.count <= shape.head.detections.detectionsPerImage)
        #expect(detections.map(\.score) == detections.map(\.score).sorted(by: >))
        for detection in detections {
          #expect((0..<4).contains(detection.label))
          #expect(detection.box.x1 >= 0 && detection.box.y1 >= 0)
          #expect(detection.box.x2 <= Float(frame.width) / frame.scaleX + 1e-3)
          #expect(detection.box.y2 <= Float(frame.height) / frame.scaleY + 1e-3)
        }
      }
    }
  }

  /// Both numbers counted again from what was sampled.
  @Test func positivesAreCounted() throws {
    try TestDevice.withStream { stream in
      let detector = try FasterRCNN(
        ParameterStore(stream: stream, seed: 4).root, tinyPyramid(), text: text)
      let batch = try batch(on: stream)
      let random = StepRandom(seed: 11, iteration: 0)
      let positives = try detector.startDetection(batch, classes: 4, random: random).positives()
      let truths = try TruthBoxes(
        boxes: batch.groundTruth.map(\.boxes.corners),
        classes: batch.groundTruth.map { $0.labels.map { Int32($0) } }, on: stream)
      let maps = try detector.features(batch.images, training: true)
      let network = detector.proposalNetwork
      let grid = try network.grid(maps)
      let anchors = try network.sample(
        grid, maps: maps, frames: batch.frames, truths: truths,
        random: batch.frames.map { random.numbers("rpn", image: $0.imageID) })
      let (rows, matches) = (try anchors.sample.rows.integers(), try anchors.matches.integers())
      let wanted = rows.enumerated().count { place, row in
        row >= 0 && matches[place / anchors.sample.rows.shape[1] * grid.total + Int(row)] >= 0
      }
      let regions = try detector.configuration.head.sampling.sample(
        try network.proposals(
          try network(maps), grid, frames: batch.frames,
          limits: detector.configuration.rpn.limits(training: true)),
        truths: truths, background: 4, readsPositives: false,
        random: batch.frames.map { random.numbers("regions", image: $0.imageID) })
      let objects = try regions.targets().labels.integers().count { $0 != 4 }
      #expect(positives == ["positive_anchors": wanted, "positive_regions": objects])
      // Each of the three objects is a region of its own.
      #expect(wanted > 0 && objects >= 3, "\(positives)")
    }
  }

  private func weightedTotal(_ parts: [String: Tensor]) throws -> Tensor {
    let tensors = parts.sorted { $0.key < $1.key }.map(\.value)
    return try tensors.dropFirst().reduce(tensors[0]) { try $0.adding($1) }
  }

  @Test func pyramidLearns() throws { try check(tinyPyramid(), rate: 0.02) }

  @Test func singleMapLearns() throws { try check(tinySingleMap(), rate: 0.02) }

  @Test func masksAreLearnedAndFound() throws {
    var shape = tinyPyramid()
    shape.mask.enabled = true
    (shape.mask.convolutions, shape.mask.channels) = (1, 6)
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 4)
      let detector = try FasterRCNN(store.root, shape, text: text)
      var batch = try batch(on: stream)
      for (image, frame) in batch.frames.enumerated() {
        batch.groundTruth[image].masks = try batch.groundTruth[image].boxes.map { box in
          let corners = [box.x1, box.y1, box.x2, box.y1, box.x1, box.y2].map(Double.init)
          return MaskCrop(
            try RunLengthMask(width: frame.width, height: frame.height, polygons: [corners]),
            in: ImageView(width: frame.width, height: frame.height))
        }
      }
      var history: [Float] = []
      for _ in 0..<12 {
        let loss = try #require(
          try detector.detectionLosses(
            try detector.startDetection(
              batch, classes: 4, random: StepRandom(seed: 11, iteration: 0)),
            vocabulary: try vocabulary(on: stream), textEncoder: MeanEncoder())["loss_mask"])
        history.append(try loss.floats()[0])
        try loss.backward()
        for parameter in store.trained {
          guard let gradient = parameter.gradient else { continue }
          try parameter.value.overwrite(
            with: zip(try parameter.value.floats(), try gradient.floats()).map { $0 - 0.05 * $1 })
          parameter.value.node?.clearGradient()
        }
      }
      #expect(history[11] < 0.95 * history[0], "\(history)")
      let found = try detector.detect(
        batch.images, frames: batch.frames, vocabulary: try vocabulary(on: stream),
        textEncoder: MeanEncoder())
      for (objects, frame) in zip(found, batch.frames) {
        for object in objects {
          let mask = try #require(object.mask)
          #expect(mask.width == frame.originalWidth && mask.height == frame.originalHeight)
          // One pixel around the box at most.
          let bounds = mask.bounds
          #expect(mask.area == 0 || Float(bounds.x1) >= object.box.x1 - 2)
          #expect(mask.area == 0 || Float(bounds.x2) <= object.box.x2 + 2)
        }
      }
    }
  }

  @Test func alignmentHeadTakesPartInDetection() throws {
    var shape = tinyPyramid()
    shape.head.ensemble = .split
    try TestDevice.withStream { stream in
      let store = ParameterStore(stream: stream, seed: 4)
      let detector = try FasterRCNN(store.root, shape, text: text)
      let batch = try batch(on: stream)
      let found = try detector.detect(
        batch.images, frames: batch.frames, vocabulary: try vocabulary(on: stream),
        textEncoder: MeanEncoder())
      #expect(found.contains { !$0.isEmpty })
    }
  }

  @Test func namesAreThoseOfTheReference() throws {
    try TestDevice.withStream { stream in
      let pyramid = ParameterStore(stream: stream, seed: 1)
      _ = try FasterRCNN(pyramid.root, tinyPyramid(), text: text)
      for name in [
        "backbone.conv1.weight", "backbone.layer4.0.downsample.1.running_var",
        "neck.lateral_convs.3.conv.weight", "neck.fpn_convs.0.bn.weight", "rpn_head.rpn_conv.bias",
        "rpn_head.rpn_cls.0.weight", "rpn_head.rpn_cls.2.bias", "rpn_head.rpn_reg.weight",
        "roi_head.bbox_head.shared_convs.0.conv.weight", "roi_head.bbox_head.bg_embedding.bias",
      ] {
        #expect(pyramid[name] != nil, "\(name)")
      }
      let single = ParameterStore(stream: stream, seed: 1)
      _ = try FasterRCNN(single.root, tinySingleMap(), text: text)
      for name in [
        "rpn_head.rpn_cls.weight", "roi_head.shared_head.layer4.0.downsample.0.weight",
        "roi_head.bbox_head.bg_embedding", "roi_head.bbox_head.cls_bias",
      ] {
        #expect(single[name] != nil, "\(name)")
      }
      #expect(single["backbone.layer4.0.conv1.weight"] == nil)
      #expect(single["neck.lateral_convs.0.conv.weight"] == nil)
    }
  }
}
