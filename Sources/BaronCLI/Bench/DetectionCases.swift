import Tensors

extension BenchCase {
  /// Pooling of regions and suppression of overlapping boxes.
  static var detectionCases: [BenchCase] {
    [pooling(backward: false), pooling(backward: true), nms]
  }

  private static func pooling(backward: Bool) -> BenchCase {
    let map = [1, 200, 272, 256]
    let features = [512, 7, 7, 256]
    return BenchCase(
      name: "roi_align/512x256x7x7/\(backward ? "backward" : "forward")",
      gflop: 1e-9 * Double(features.reduce(4 * 8, *)),
      bytes: 4 * Double(map.reduce(1, *) + features.reduce(1, *)),
      shape: [("feature", map), ("rois", [512]), ("output", [7]), ("sampling", [2])],
      ofActivations: true
    ) { stream in
      var values = BenchValues()
      let boxes = values.boxes(512, sides: 32...256, width: 1088, height: 800)
      let rois = try Tensor(boxes.flatMap { [0] + $0 }, shape: [512, 5], on: stream)
      guard backward else {
        let feature = try values.activation(map, on: stream)
        return {
          _ = try Tensor.roiAlign(
            levels: [feature], scales: [0.25], rois: rois, height: 7, width: 7, samplingRatio: 2,
            aligned: false)
        }
      }
      let gradient = try values.activation(features, on: stream)
      return {
        _ = try gradient.roiAlignInputGradient(
          rois: rois, map: map, scale: 0.25, samplingRatio: 2, aligned: false)
      }
    }
  }

  private static var nms: BenchCase {
    BenchCase(
      name: "nms/2000", gflop: nil, bytes: 4 * 5 * 2000,
      shape: [("boxes", [2000]), ("groups", [5])]
    ) { stream in
      var values = BenchValues()
      let corners = values.boxes(2000, sides: 16...256, width: 1088, height: 800)
      let boxes = try Tensor(corners.flatMap { $0 }, shape: [2000, 4], on: stream)
      let scores = try Tensor(
        (0..<2000).map { _ in values.number(in: 0...1) }, shape: [2000], on: stream)
      let groups = try Tensor(values.integers(2000, below: 5), shape: [2000], on: stream)
      return {
        _ = try Tensor.nonMaximumSuppression(
          boxes: boxes, scores: scores, groups: groups, threshold: 0.7)
      }
    }
  }
}
