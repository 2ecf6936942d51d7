import Detection
import Geometry
import Tensors

extension OperatorFamily {
  /// Pooling of regions.
  static var regions: OperatorFamily {
    let shape = [1, 9, 11, 6]
    let rois: [Float] = [0, 4, 6, 30, 28, 0, -3, 10, 17, 47, 0, 20, 1, 43, 9]
    let reference = HostReference.RoIAlign(
      shapes: [shape], scales: [0.25], rois: rois, height: 4, width: 4, ratio: 2)
    func tensor(on stream: ComputeStream) throws -> Tensor {
      try Tensor(rois, shape: [3, 5], on: stream)
    }
    let checks: [OperatorCheck] = [
      OperatorCheck(
        name: "RoIAlign", operators: ["roiAlign"], shapes: [shape], activations: 1,
        device: {
          try Tensor.roiAlign(
            levels: [$0[0]], scales: [0.25], rois: try tensor(on: $0[0].stream), height: 4,
            width: 4, samplingRatio: 2)
        }, host: { reference.forward($0) }),
      OperatorCheck(
        name: "RoIAlign, gradient", operators: ["roiAlignInputGradient"], shapes: [[3, 4, 4, 6]],
        hasGradient: false, activations: 1,
        device: {
          try $0[0].roiAlignInputGradient(
            rois: try tensor(on: $0[0].stream), map: shape, scale: 0.25, samplingRatio: 2)
        }, host: { reference.backward($0[0])[0] }),
    ]
    return OperatorFamily(
      checks: checks, cases: [pooling(backward: false), pooling(backward: true)])
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
      let rois = try Tensor.regions([Region]([boxes]), on: stream)
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
}

extension HostReference {
  /// RoIAlign sample by sample in float64.
  package struct RoIAlign {
    /// Shapes `[N, H, W, C]` of the maps.
    let shapes: [[Int]]
    let scales: [Float]
    /// Image, x1, y1, x2, y2 of each region.
    let rois: [Float]
    let height: Int
    let width: Int
    /// Samples per bin and axis; 0 takes the extent of a bin.
    let ratio: Int
    let aligned: Bool
    /// Side of a region that takes the finest map twice.
    let finest: Float

    package init(
      shapes: [[Int]], scales: [Float], rois: [Float], height: Int, width: Int, ratio: Int,
      aligned: Bool = true, finest: Float = 56
    ) {
      self.shapes = shapes
      self.scales = scales
      self.rois = rois
      (self.height, self.width) = (height, width)
      self.ratio = ratio
      self.aligned = aligned
      self.finest = finest
    }

    /// The features of the maps.
    package func forward(_ maps: [[Double]]) -> [Double] {
      let channels = shapes[0][3]
      var result = [Double](repeating: 0, count: rois.count / 5 * height * width * channels)
      visit { level, source, target, weight in
        for c in 0..<channels {
          result[target + c] += weight * maps[level][source + c]
        }
      }
      return result
    }

    /// The gradients of the maps from that of the features.
    package func backward(_ gradient: [Double]) -> [[Double]] {
      let channels = shapes[0][3]
      var result = shapes.map { [Double](repeating: 0, count: $0.reduce(1, *)) }
      visit { level, source, target, weight in
        for c in 0..<channels {
          result[level][source + c] += weight * gradient[target + c]
        }
      }
      return result
    }

    /// Every (level, offset in the map, offset in the result, weight).
    private func visit(_ body: (Int, Int, Int, Double) -> Void) {
      for r in 0..<rois.count / 5 {
        let roi = rois[5 * r..<5 * r + 5].map { Double($0) }
        let side = ((roi[3] - roi[1]) * (roi[4] - roi[2])).squareRoot()
        var level = 0
        while level + 1 < shapes.count, side / Double(finest) + 1e-6 >= Double(2 << level) {
          level += 1
        }
        let (shape, scale) = (shapes[level], Double(scales[level]))
        let rows = taps(roi[2] * scale, roi[4] * scale, bins: height, size: shape[1])
        let columns = taps(roi[1] * scale, roi[3] * scale, bins: width, size: shape[2])
        for i in 0..<height {
          for j in 0..<width {
            let target = ((r * height + i) * width + j) * shape[3]
            for (y, down) in rows[i] {
              for (x, across) in columns[j] {
                let source = ((Int(roi[0]) * shape[1] + y) * shape[2] + x) * shape[3]
                body(level, source, target, down * across)
              }
            }
          }
        }
      }
    }

    /// The cells that each bin of an axis reads and their weights, divided by the samples.
    private func taps(_ low: Double, _ high: Double, bins: Int, size: Int) -> [[(Int, Double)]] {
      let start = low - (aligned ? 0.5 : 0)
      let extent = aligned ? high - low : max(high - low, 1)
      let bin = extent / Double(bins)
      let samples = ratio > 0 ? ratio : max(0, Int(bin.rounded(.up)))
      return (0..<bins).map { index in
        (0..<samples).flatMap { k -> [(Int, Double)] in
          var position = start + Double(index) * bin + (Double(k) + 0.5) * bin / Double(samples)
          guard position >= -1, position <= Double(size) else { return [] }
          position = min(max(position, 0), Double(size - 1))
          let cell = min(Int(position), size - 1)
          let fraction = position - Double(cell)
          let share = 1 / Double(samples)
          return [(cell, (1 - fraction) * share), (min(cell + 1, size - 1), fraction * share)]
        }
      }
    }
  }
}
