import Baron
import Detection
import Geometry
import OpenCL
import Tensors

extension BenchCase {
  /// Kernel families that the yardstick has no case for.
  static var ownCases: [BenchCase] {
    [
      elementwise("ours/softmax_1024x1204", [1024, 1204], passes: 2) { x, _ in
        { _ = try x.softmax() }
      },
      activations(
        "ours/batch_norm_64x400x544/forward_backward", [1, 400, 544, 64], passes: 6,
        prepare: batchNorm),
      activations("ours/max_pool_64x400x544", [1, 400, 544, 64], passes: 1.25) { x, _ in
        { _ = try x.maxPool(kernel: 3, stride: 2, padding: 1) }
      },
      activations("ours/upsample_256x200x272", [1, 200, 272, 256], passes: 2.25) { x, values in
        let top = try values.activation([1, 100, 136, 256], on: x.stream)
        return { _ = try x.addingUpsampled(top) }
      },
      activations("ours/column_sums_54400x256", [54400, 256], passes: 1) { x, _ in
        { _ = try x.columnSums() }
      },
      elementwise("ours/top_k_2000_of_163200", [163_200], passes: 1) { x, _ in
        { _ = try x.topK(2000) }
      },
      elementwise("ours/decode_boxes_163200", [163_200, 4], passes: 3) { x, values in
        let corners = values.boxes(163_200, sides: 16...256, width: 1088, height: 800).corners
        let anchors = try Tensor(corners, shape: x.shape, on: x.stream)
        return {
          _ = try anchors.decodedBoxes(
            x, coding: BoxCoding(), imageSize: (width: 1088, height: 800))
        }
      },
      activations("ours/gather_rows_1232x512", [1232, 512], passes: 2) { x, values in
        let rows = try Tensor(values.integers(1232, below: 1232), shape: [1232], on: x.stream)
        return { _ = try x.gatheredRows(rows) }
      },
      elementwise("ours/embedding_1232_of_49408x512", [49408, 512], passes: 0.05) { x, values in
        let tokens = values.integers(1232, below: 49408)
        return { _ = try x.embedding(indices: tokens, shape: [16, 77]) }
      },
      elementwise("ours/adamw_41M", [41_000_000], passes: 7) { x, _ in
        let gradient = try Tensor(repeating: 1e-3, shape: x.shape, on: x.stream)
        let moments = try (0..<2).map { _ in
          try Tensor(repeating: 0, shape: x.shape, on: x.stream)
        }
        return {
          try Optimizers.adamW(
            parameter: x, gradient: gradient, firstMoment: moments[0], secondMoment: moments[1],
            step: 1, rate: 1e-4, weightDecay: 1e-2)
        }
      },
      elementwise("ours/smooth_l1_128x4", [128, 4], passes: 3) { x, values in
        let target = try values.tensor(x.shape, on: x.stream)
        let leaf = x.trained("deltas")
        return forwardAndBackward([leaf]) { try leaf.smoothL1(target, beta: 1, divisor: 512) }
      },
      elementwise("ours/scale_exponential_1600x512", [1600, 512], passes: 4) { x, values in
        let exponent = try Tensor([2.66], shape: [], on: x.stream).trained("exponent")
        let leaf = x.trained("features")
        return forwardAndBackward([leaf, exponent]) {
          try leaf.scaled(byExponentialOf: exponent).sum()
        }
      },
      contrast, positions, imageInput,
    ]
  }

  private static func batchNorm(
    _ x: Tensor, _ values: inout BenchValues
  ) throws -> () throws -> Void {
    let channels = [64]
    let rows = try ["weight", "bias"].map {
      try Tensor(repeating: 1, shape: channels, on: x.stream).trained($0)
    }
    let statistics = try (0..<2).map { _ in
      try Tensor(repeating: 1, shape: channels, on: x.stream)
    }
    let gradient = try values.activation(x.shape, on: x.stream)
    let leaf = x.trained("input")
    return {
      for leaf in rows + [leaf] { leaf.node?.clearGradient() }
      try leaf.batchNorm(
        weight: rows[0], bias: rows[1], runningMean: statistics[0],
        runningVariance: statistics[1], relu: true
      ).backward(from: gradient)
    }
  }

  private static var contrast: BenchCase {
    let (rows, queue, width) = (128, 1024, 512)
    return BenchCase(
      name: "ours/contrastive_128x1152", gflop: 6e-9 * Double(rows * (rows + queue) * width),
      bytes: nil, shape: [("queries", [rows, width]), ("queue", [queue, width])]
    ) { stream in
      var values = BenchValues()
      let units = try [rows, rows, queue].map {
        try values.tensor([$0, width], on: stream).l2Normalized()
      }
      let leaf = units[0].trained("queries")
      let numbers = (0..<rows).map { Int32($0) }
      return forwardAndBackward([leaf]) {
        try leaf.contrastiveLoss(
          keys: units[1], queue: units[2], temperature: 30, groups: numbers, images: numbers,
          queueImages: (0..<queue).map { Int32(rows + $0) })
      }
    }
  }

  private static var positions: BenchCase {
    BenchCase(
      name: "ours/positions_512", gflop: nil, bytes: 4 * 512 * 516, shape: [("boxes", [512, 4])]
    ) { stream in
      var values = BenchValues()
      let boxes = (0..<4 * 512).map { _ in values.number(in: 0...1) }
      return {
        _ = try Tensor.sinePositions(boxes: boxes, features: 128, temperature: 20, on: stream)
      }
    }
  }

  private static var imageInput: BenchCase {
    let pixels = 3 * 640 * 480
    return BenchCase(
      name: "ours/image_input_640x480_to_1067x800", gflop: nil,
      bytes: Double(pixels) + 12 * 1088 * 800, shape: [("pixels", [480, 640, 3])]
    ) { stream in
      let image = ImageInput(
        pixels: (0..<pixels).map { UInt8(truncatingIfNeeded: $0 &* 31) },
        view: ImageView(originalWidth: 640, originalHeight: 480, width: 1067, height: 800))
      let norm = PixelNormalisation(
        means: [123.675, 116.28, 103.53], deviations: [58.395, 57.12, 57.375])
      return { _ = try Tensor.imageBatch([image], normalisation: norm, on: stream) }
    }
  }

  /// What the device reaches at most.
  static var roofCases: [BenchCase] {
    [
      BenchCase(
        name: "roof/multiply_add", gflop: 1e-9 * Roof.operations(rounds: Roof.rounds), bytes: nil,
        shape: [("chains", [Roof.chains]), ("rounds", [Roof.rounds])]
      ) { stream in { _ = try Roof.multiplyAdds(rounds: Roof.rounds, on: stream) } },
      elementwise("roof/copy_64MiB", [1 << 24], passes: 2) { x, _ in { _ = try Roof.copy(x) } },
    ]
  }
}
