import Detection
import Foundation
import ONNX

/// RoIAlign over the levels of a pyramid.
enum RegionGraph {
  /// Pooled regions, one level after the other.
  struct Pooled {
    /// `[R, C, size, size]`, in the order of ``order``.
    let features: GraphValue
    /// Which region stands at each place.
    let order: GraphValue

    /// Rows that stand in the order of the pooled regions, brought into that of the boxes.
    func restored(_ rows: GraphValue) -> GraphValue {
      let places = GraphValue.range(order.length(0))
      return rows.gathered(
        order.graph.node("ScatterElements", [order, order, places], .int64, ["axis": .integer(0)]))
    }
  }

  /// Pools boxes.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[R, 4]` in pixels of the resized picture.
  ///   - maps: The detector's maps, finest first.
  ///   - pooling: How.
  static func pooled(
    _ boxes: GraphValue, from maps: [GraphValue], _ pooling: RegionPooling
  ) -> Pooled {
    guard pooling.strides.count > 1 else {
      return Pooled(
        features: aligned(boxes, maps[0], stride: pooling.strides[0], pooling),
        order: GraphValue.range(boxes.length(0)))
    }
    let level = levels(of: boxes, pooling)
    let members = pooling.strides.indices.map { index in
      level.equals(level.number(Double(index))).trueIndices
    }
    let features = pooling.strides.indices.map { index in
      aligned(
        boxes.gathered(members[index]), maps[index], stride: pooling.strides[index], pooling)
    }
    return Pooled(
      features: GraphValue.concatenated(features, axis: 0),
      order: GraphValue.concatenated(members, axis: 0))
  }

  /// The level of each box: floor(log2(sqrt(area) / finest + 1e-6)) within those that there are.
  private static func levels(of boxes: GraphValue, _ pooling: RegionPooling) -> GraphValue {
    let extent = boxes.sliced(1, 2..<4) - boxes.sliced(1, 0..<2)
    let area = extent.at(0, axis: 1) * extent.at(1, axis: 1)
    let ratio = area.mapped("Sqrt") / Double(pooling.finestSize) + 1e-6
    let steps = (1..<pooling.strides.count).map { step in
      ratio.isAtLeast(ratio.number(exp2(Double(step)))).cast(to: .int64)
    }
    return steps.dropFirst().reduce(steps[0], +)
  }

  private static func aligned(
    _ boxes: GraphValue, _ map: GraphValue, stride: Int, _ pooling: RegionPooling
  ) -> GraphValue {
    let graph = boxes.graph
    let first = graph.node(
      "Expand", [graph.constant([0], .int64), boxes.length(0).unsqueezed([0])], .int64)
    return graph.node(
      "RoiAlign", [map, boxes, first], map.type,
      [
        "output_height": .integer(pooling.size), "output_width": .integer(pooling.size),
        "sampling_ratio": .integer(pooling.samplingRatio),
        "spatial_scale": .float(1 / Float(stride)), "mode": .text("avg"),
        "coordinate_transformation_mode": .text("half_pixel"),
      ])
  }
}
