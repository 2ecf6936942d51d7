/// One number of an evaluation.
package struct Measure: Sendable, Equatable {
  /// Its name as the literature writes it: "AP", "AP50", "APs", "AR100".
  package let name: String
  /// The value from 0 to 1; nil where there is no object to measure it on.
  package let value: Double?
}

/// Means over classes; a class without objects in the size range takes no part.
struct ScoreTable {
  let options: AveragePrecisionOptions
  let classes: [ClassScore]

  private func mean(
    _ values: KeyPath<ClassScore, [Double]>, threshold: Double?, range: Int, cut: Int
  ) -> Double? {
    let count = options.thresholds.count
    var columns = Array(0..<count)
    if let threshold {
      guard let position = options.position(ofThreshold: threshold) else { return nil }
      columns = [position]
    }
    let row = (range * options.cuts.count + cut) * count
    var sum = 0.0
    var terms = 0
    for score in classes where score.objectCounts[range] > 0 {
      for column in columns { sum += score[keyPath: values][row + column] }
      terms += columns.count
    }
    return terms > 0 ? sum / Double(terms) : nil
  }

  func precision(threshold: Double? = nil, range: Int = 0, cut: Int) -> Double? {
    mean(\.precision, threshold: threshold, range: range, cut: cut)
  }

  func recall(range: Int = 0, cut: Int) -> Double? {
    mean(\.recall, threshold: nil, range: range, cut: cut)
  }

  /// The cut of the unqualified AP: 100 where it is measured (spec evaluation 5.4), else the last.
  var mainCut: Int { options.cuts.firstIndex(of: 100) ?? options.cuts.count - 1 }

  /// AP, AP50, AP75 and AP by size.
  var precisions: [Measure] {
    let last = options.cuts.count - 1
    var measures = [
      Measure(name: "AP", value: precision(cut: mainCut)),
      Measure(name: "AP50", value: precision(threshold: 0.5, cut: last)),
      Measure(name: "AP75", value: precision(threshold: 0.75, cut: last)),
    ]
    for (range, area) in options.areaRanges.enumerated().dropFirst() {
      measures.append(Measure(name: "AP\(area.name)", value: precision(range: range, cut: last)))
    }
    return measures
  }

  /// The twelve numbers of COCO.
  var coco: [Measure] {
    var measures = precisions
    for (cut, count) in options.cuts.enumerated() {
      measures.append(Measure(name: "AR\(count)", value: recall(cut: cut)))
    }
    let last = options.cuts.count - 1
    for (range, area) in options.areaRanges.enumerated().dropFirst() {
      measures.append(Measure(name: "AR\(area.name)", value: recall(range: range, cut: last)))
    }
    return measures
  }

  /// The thirteen numbers of LVIS; `groups` are the AP of rare, common and frequent classes.
  func lvis(groups: [Measure]) -> [Measure] {
    let last = options.cuts.count - 1
    return precisions + groups
      + options.areaRanges.enumerated().map { range, area in
        Measure(
          name: "AR\(area.name)@\(options.cuts[last])", value: recall(range: range, cut: last))
      }
  }
}
