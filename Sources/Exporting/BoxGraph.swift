import Detection
import ONNX

/// Boxes from deltas, and suppression, as `BoxCoding.cl` and `NMS.cl` have them.
enum BoxGraph {
  /// Reference boxes moved by deltas and limited to the resized picture.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[n, 4]`.
  ///   - deltas: `[n, 4]`.
  ///   - coder: Normalisation of the deltas.
  ///   - picture: The picture.
  /// - Returns: Corners `[n, 4]`.
  static func decoded(
    _ boxes: GraphValue, deltas: GraphValue, coder: BoxCoder, picture: PictureGraph
  ) -> GraphValue {
    let graph = boxes.graph
    func row(_ values: [Float]) -> GraphValue { graph.constant(values.map(Double.init), .float) }
    let coding = coder.coding
    let limit = Double(coding.maximumLogSize)
    let moves = deltas * row(coding.deviations) + row(coding.means)
    let (low, high) = (boxes.sliced(1, 0..<2), boxes.sliced(1, 2..<4))
    let size = high - low
    let centre = (low + high) * 0.5 + moves.sliced(1, 0..<2) * size
    let growth = moves.sliced(1, 2..<4)
    let half =
      size * 0.5
      * growth.maximum(growth.number(-limit)).minimum(growth.number(limit)).mapped("Exp")
    let corners = GraphValue.concatenated([centre - half, centre + half], axis: 1)
    return clipped(corners, to: picture.size)
  }

  /// Corners `[n, 4]` limited to a size.
  static func clipped(
    _ corners: GraphValue, to size: (width: GraphValue, height: GraphValue)
  ) -> GraphValue {
    let borders = [size.width, size.height].map { $0.unsqueezed([0]) }
    return corners.maximum(corners.number(0))
      .minimum(GraphValue.concatenated(borders + borders, axis: 0))
  }

  /// Greedy suppression, class by class.
  ///
  /// - Parameters:
  ///   - boxes: Corners `[n, 4]`, shared by all classes.
  ///   - scores: `[C, n]`.
  ///   - limit: Most boxes of a class.
  ///   - overlap: A box that overlaps a better one by more is dropped.
  ///   - threshold: Scores must be larger.
  /// - Returns: int64 `[m, 3]`: 0, class, box.
  static func suppressed(
    _ boxes: GraphValue, scores: GraphValue, limit: Int, overlap: Float, threshold: Float
  ) -> GraphValue {
    let graph = boxes.graph
    return graph.node(
      "NonMaxSuppression",
      [
        boxes.unsqueezed([0]), scores.unsqueezed([0]), graph.list([limit]),
        graph.constant([Double(overlap)], .float), graph.constant([Double(threshold)], .float),
      ], .int64)
  }
}
