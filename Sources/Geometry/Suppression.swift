/// One box an object, whatever its class.
package enum Suppression {
  /// Boxes that overlap by a larger IoU are taken for one object.
  package static let sameObject: Float = 0.5

  /// The boxes that no surer one covers, surest first; of equally sure ones the first stays.
  ///
  /// - Parameters:
  ///   - boxes: Boxes of one picture.
  ///   - limit: The most that stay.
  /// - Returns: Their places in `boxes`. The work grows with the boxes times those that stay.
  package static func survivors(of boxes: [ScoredBox], limit: Int = .max) -> [Int] {
    let order = boxes.indices.sorted { left, right in
      boxes[left].score != boxes[right].score
        ? boxes[left].score > boxes[right].score : left < right
    }
    var kept: [Int] = []
    for index in order where kept.count < limit {
      let box = boxes[index].box
      if kept.allSatisfy({ boxes[$0].box.iou(with: box) <= sameObject }) { kept.append(index) }
    }
    return kept
  }
}
