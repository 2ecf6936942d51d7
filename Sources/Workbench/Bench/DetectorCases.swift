import Detection
import Formats
import Geometry
import Layers
import OperatorChecks
import Tensors
import Training

extension BenchCase {
  /// Faster R-CNN on ResNet-50 with a feature pyramid, 800x1088, random weights.
  static var detectorCases: [BenchCase] {
    [
      trainStep("frcnn/train_step", norm: .batch),
      trainStep("frcnn/train_step_frozen_norm", norm: .frozen),
      backbone,
    ]
  }

  private static let images = [1, 800, 1088, 3]
  private static let classes = 80

  private static var backbone: BenchCase {
    BenchCase(
      name: "frcnn/backbone_forward", gflop: nil, bytes: nil, shape: [("input", images)]
    ) { stream in
      var values = BenchValues()
      let store = ParameterStore(stream: stream, seed: 0)
      var shape = ResNetConfiguration()
      shape.norm = .frozen
      let stages = [1, 2, 3, 4]
      let network = try ResNet(store.root / "backbone", shape, outputStages: stages)
      let pyramid = try FeaturePyramid(
        store.root / "neck", inputs: stages.map { shape.width(of: $0) }, width: 256, norm: nil)
      try calm(store)
      let input = try values.tensor(images, on: stream)
      return {
        try stream.withoutGradients {
          _ = try pyramid(try network(input, training: false), training: false)
        }
      }
    }
  }

  private static func trainStep(_ name: String, norm: NormMode) -> BenchCase {
    BenchCase(
      name: name, gflop: nil, bytes: nil, shape: [("images", images), ("classes", [classes + 1])],
      note: "box head: two linear layers of the peer's sizes, classes by cosine instead of a "
        + "linear layer, one set of deltas after a hidden layer instead of one per class"
    ) { stream in
      var values = BenchValues()
      let store = ParameterStore(stream: stream, seed: 0)
      let detector = try FasterRCNN(
        store.root, configuration(norm: norm),
        text: TextWidths(word: wordWidth, embedding: wordWidth))
      if norm == .frozen { try calm(store) }
      let update = try ParameterUpdate(
        store, rule: .sgd(momentum: 0.9), clipping: .none, weightDecay: 1e-4)
      let boxes = values.boxes(10, sides: 32...128, width: 1088, height: 800)
      let batch = DetectionBatch(
        images: try values.tensor(images, on: stream),
        frames: [ImageView(imageID: 1, width: images[2], height: images[1])],
        groundTruth: [
          TargetBoxes(
            boxes: boxes,
            labels: values.integers(10, below: classes).map(Int.init)
          )
        ])
      let vocabulary = ClassVocabulary(
        embeddings: try values.tensor([classes, wordWidth], on: stream).l2Normalized(),
        isBase: [Bool](repeating: true, count: classes))
      return {
        try update.begin()
        let losses = try detector.detectionLosses(
          try detector.startDetection(
            batch, classes: classes, random: StepRandom(seed: 0, iteration: 0)),
          vocabulary: vocabulary, textEncoder: WordSum()
        ).sorted { $0.key < $1.key }.map(\.value)
        try update.differentiate(losses.dropFirst().reduce(losses[0]) { try $0.adding($1) })
        _ = try update.apply(iteration: 0, learningRate: 1e-5)
      }
    }
  }

  private static let wordWidth = 512

  /// The yardstick's detector as far as ours can be it.
  private static func configuration(norm: NormMode) -> DetectorConfiguration {
    var detector = DetectorConfiguration()
    detector.backbone.norm = norm
    detector.neck.norm = nil
    detector.rpn.detached = false
    detector.rpn.postNMSTrain = 2000
    detector.head.convolutions = 0
    detector.head.words = 2
    detector.head.wordDropout = 0
    detector.head.backgroundWeight = 1
    return detector
  }

  /// Makes the residual branches of an untrained network small, so that activations stay finite.
  private static func calm(_ store: ParameterStore) throws {
    for parameter in store.parameters where parameter.name.hasSuffix("bn3.weight") {
      try parameter.overwrite(with: [Float](repeating: 0.2, count: parameter.value.count))
    }
  }
}

/// Adds a region's words up: the box head without a text transformer.
private struct WordSum: PseudoTextEncoder {
  func encode(words: Tensor, keep: [[Bool]]?) throws -> Tensor {
    let (regions, count, width) = (words.shape[0], words.shape[1], words.shape[2])
    return try words.reshaped([regions * count, width]).combinedRows(
      offsets: (0...regions).map { Int32($0 * count) },
      indices: (0..<regions * count).map { Int32($0) }
    ).l2Normalized()
  }
}
