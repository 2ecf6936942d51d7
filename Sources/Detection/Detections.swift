import Foundation
import Geometry
import Masks
import Settings

/// One found object.
package struct DetectedObject: Sendable, Equatable {
  /// Where, in pixels of the original image.
  package var box: Box
  /// Its class, counted from 0.
  package var label: Int
  /// How sure, 0 to 1.
  package var score: Float
  /// Its pixels in the original image; nil without a mask head.
  package var mask: RunLengthMask?
  /// Which of the image's proposals it is.
  package var proposal: Int

  package init(box: Box, label: Int, score: Float, proposal: Int = 0) {
    self.box = box
    self.label = label
    self.score = score
    self.proposal = proposal
  }
}

/// Which (proposal, class) pairs become detections (spec detector 2.9): keys of the section `head`.
package struct DetectionRule: Sendable, Equatable {
  /// Detections need a higher score, in 0...1.
  package var scoreThreshold = 0.01
  /// A detection that overlaps a better one of its class by a larger IoU is dropped.
  package var nmsThreshold: Float = 0.5
  /// Most detections of an image.
  package var detectionsPerImage = 100
  /// Whether sigmoid scores leave out the logit bias and meet the threshold, as in the reference; no
  /// key.
  package var usesReferenceSigmoid = false
  /// Classes that nobody asked for: their best detections are kept beside those that count, to tell
  /// where another class is surer, and have no masks; no key.
  package var rivals: Set<Int> = []

  /// Creates the rule of OV-COCO with CLIP as teacher.
  package init() {}

  /// Selects the detections of one image.
  ///
  /// Every pair whose rank passes the threshold is a candidate; classes do not suppress each other.
  /// Equal ranks: the lower proposal, then the lower class, comes first. Candidates leave a heap in
  /// falling order and meet only the boxes kept in their class, so the work ends with the last
  /// detection kept.
  ///
  /// - Parameters:
  ///   - ranks: `[R, columns]` row by row: what candidates are ordered by.
  ///   - columns: Length of a row.
  ///   - classes: How many of the columns are classes; the rest is ignored.
  ///   - boxes: The R boxes, shared by all classes.
  ///   - threshold: Ranks must be larger.
  ///   - score: The reported score of a rank.
  /// - Returns: At most ``detectionsPerImage`` detections, and as many of ``rivals``, best first.
  package func select(
    ranks: [Float], columns: Int, classes: Int, boxes: [Box], threshold: Float,
    score: (Float) -> Float = { $0 }
  ) -> [DetectedObject] {
    precondition(ranks.count == boxes.count * columns, "ranks do not match the boxes")
    var candidates: [CandidateHeap.Candidate] = []
    for row in boxes.indices {
      for column in 0..<classes where ranks[row * columns + column] > threshold {
        candidates.append((ranks[row * columns + column], Int32(row * columns + column)))
      }
    }
    var heap = CandidateHeap(candidates)
    var kept: [Int: [Box]] = [:]
    var result: [DetectedObject] = []
    var (counted, uncounted) = (0, 0)
    while counted < detectionsPerImage, let best = heap.removeBest() {
      let (row, label) = Int(best.index).quotientAndRemainder(dividingBy: columns)
      let isRival = rivals.contains(label)
      if isRival, uncounted >= detectionsPerImage { continue }
      let box = boxes[row]
      guard !kept[label, default: []].contains(where: { $0.iou(with: box) > nmsThreshold }) else {
        continue
      }
      kept[label, default: []].append(box)
      result.append(
        DetectedObject(box: box, label: label, score: score(best.rank), proposal: row))
      if isRival { uncounted += 1 } else { counted += 1 }
    }
    return result
  }

  /// Turns class logits into detections.
  ///
  /// Sigmoid scores saturate in float32 and would tie, so the logits order the candidates, the
  /// trained bias enters only the reported score, and no threshold applies; the reference's own
  /// behaviour is ``usesReferenceSigmoid``.
  ///
  /// - Parameters:
  ///   - logits: `[R, C + 1]` row by row, without bias.
  ///   - classes: Number of classes C.
  ///   - logitBias: Added for the reported score.
  ///   - boxes: The R boxes.
  /// - Returns: At most ``detectionsPerImage`` detections, best first.
  package func selectSigmoid(
    logits: [Float], classes: Int, logitBias: Float, boxes: [Box]
  ) -> [DetectedObject] {
    if usesReferenceSigmoid {
      return select(
        ranks: logits.map(Self.sigmoid), columns: classes + 1, classes: classes, boxes: boxes,
        threshold: Float(scoreThreshold))
    }
    return select(
      ranks: logits, columns: classes + 1, classes: classes, boxes: boxes,
      threshold: -.infinity, score: { Self.sigmoid($0 + logitBias) })
  }

  /// The score of a logit.
  package static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
}

extension DetectionRule: SettingsSection {
  package mutating func visit<Visitor: KeyVisitor>(_ keys: inout Visitor) throws(Visitor.Failure) {
    try keys.field("score_threshold", &scoreThreshold, .number(0...1))
    try keys.field("nms_threshold", &nmsThreshold, .number(0...1))
    try keys.field("detections_per_image", &detectionsPerImage, .atLeast(1))
  }
}

/// A binary heap of candidates: the highest rank first, equal ranks by rising index.
private struct CandidateHeap {
  typealias Candidate = (rank: Float, index: Int32)

  private var items: [Candidate]

  init(_ candidates: [Candidate]) {
    items = candidates
    for parent in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(parent) }
  }

  mutating func removeBest() -> Candidate? {
    guard let best = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty {
      items[0] = last
      sink(0)
    }
    return best
  }

  private static func precedes(_ a: Candidate, _ b: Candidate) -> Bool {
    a.rank != b.rank ? a.rank > b.rank : a.index < b.index
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while 2 * parent + 1 < items.count {
      var child = 2 * parent + 1
      if child + 1 < items.count, Self.precedes(items[child + 1], items[child]) { child += 1 }
      guard Self.precedes(items[child], items[parent]) else { return }
      items.swapAt(child, parent)
      parent = child
    }
  }
}
