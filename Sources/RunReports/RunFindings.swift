import Evaluation
import Formats
import Foundation
import Reporting
import Training

/// What an evaluation's detections show: precision and recall, errors, confusions, the worst pictures.
struct RunFindings {
  private static let mostConfused = 14
  private static let pictures = 12

  private let analysis: DetectionAnalysis
  let worst: WorstPictures
  private let iteration: Int

  /// Analyses detections.
  ///
  /// - Parameters:
  ///   - configuration: The run's configuration.
  ///   - detections: The results file.
  ///   - iteration: After how many iterations it was made.
  ///   - warn: Gets a line when pictures cannot be read.
  /// - Throws: `DatasetError` or `EvaluationError` when annotations and detections cannot be read.
  init(
    _ configuration: RunConfiguration, detections: String, iteration: Int,
    warn: (String) -> Void
  ) throws {
    let validation = try ValidationRun(configuration)
    analysis = try validation.analysis(of: detections)
    self.iteration = iteration
    worst = WorstPictures(analysis, validation, count: Self.pictures, warn: warn)
  }

  func write(to page: inout HTMLReport) {
    curves(&page)
    errors(&page)
    confusion(&page)
    gallery(&page)
  }

  private func curves(_ page: inout HTMLReport) {
    let groups = analysis.groups.filter { !$0.curve.points.isEmpty }
    guard !groups.isEmpty else { return }
    page.heading("Precision and recall")
    page.figures([
      (
        svg: SVGPlot(
          title: "Precision over recall", xLabel: "recall", yLabel: "precision",
          series: groups.map { group in
            .init(
              name: group.name,
              points: Self.thinned(group.curve.points).map { ($0.recall, $0.precision) })
          }, yRange: 0...1, xTicks: Self.shares, width: RunReport.halfWidth
        ).svg(), caption: "All classes of a group together, at IoU 0.5, one detection a place."
      ),
      (
        svg: SVGPlot(
          title: "F1 by threshold", xLabel: "least score shown", yLabel: "F1",
          series: groups.map { group in
            .init(
              name: group.name,
              points: Self.thinned(group.curve.points).map { (Self.logit($0.score), $0.f1) })
          }, yRange: 0...1, xTicks: Self.scores, width: RunReport.halfWidth
        ).svg(), caption: "The scale is stretched near 0 and 1, where scores crowd."
      ),
    ])
    let best = groups.compactMap(\.best)
    guard !best.isEmpty else { return }
    page.table(
      columns: [
        .text("classes"), .number("best threshold"), .number("F1"), .number("precision"),
        .number("recall"), .number("objects"),
      ],
      rows: best.map { best in
        [best.group, ScoreText.of(best.score)]
          + [best.f1, best.precision, best.recall].map { String(format: "%.3f", $0) }
          + ["\(best.objects)"]
      },
      caption: "The thresholds that 'baron detect' takes for this run where none is given.")
  }

  private static let shares = [0, 0.2, 0.4, 0.6, 0.8, 1].map {
    SVGPlot.Tick(x: $0, label: $0 == 0 || $0 == 1 ? "\(Int($0))" : "\($0)")
  }
  private static let scores = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999].map {
    SVGPlot.Tick(x: logit($0), label: "\($0)")
  }

  /// A score on a scale that stretches both ends; what lies beyond the axis stays on its end.
  private static func logit(_ score: Double) -> Double {
    let score = max(0.001, min(0.999, score))
    return log(score / (1 - score))
  }

  /// Every so many points of a long curve, its ends always.
  private static func thinned(_ points: [ThresholdCurve.Point]) -> [ThresholdCurve.Point] {
    let limit = 300
    guard points.count > limit else { return points }
    return (0..<limit).map { points[$0 * (points.count - 1) / (limit - 1)] }
  }

  private func errors(_ page: inout HTMLReport) {
    let errors = analysis.errors
    guard errors.averagePrecisions.contains(where: { $0 != nil }) else { return }
    page.heading("Errors by kind")
    page.paragraph(
      "What AP50 would gain if the errors of one kind were mended, after TIDE (Bolya et al., 2020). "
        + "Gains do not add up: a box that is mended in one way can still be wrong in another.")
    let costs = errors.costs.flatMap { cost in cost.costs.compactMap { $0.map { 100 * $0 } } }
    page.figure(
      svg: SVGBars(
        title: "Cost of errors", yLabel: "AP50",
        categories: errors.costs.map { Self.title(of: $0.kind) },
        groups: errors.groups.enumerated().map { index, name in
          .init(name: name, values: errors.costs.map { $0.costs[index].map { 100 * $0 } })
        }, limit: max(5, costs.max() ?? 0)
      ).svg(), caption: "")
    func text(_ value: Double?) -> String { value.map { String(format: "%.1f", 100 * $0) } ?? "-" }
    page.table(
      columns: [.text("error"), .number("count")]
        + errors.groups.map { .number("\($0) AP50") },
      rows: [
        ["none mended", ""] + errors.averagePrecisions.map { text($0) }
      ]
        + errors.costs.map { cost in
          [Self.title(of: cost.kind), "\(cost.count)"]
            + cost.costs.map { value in
              value.map { String(format: "%+.1f", 100 * $0) } ?? "-"
            }
        }, caption: "After \(iteration, "iteration"), over all detections of the results file.")
    page.list(
      DetectionErrorKind.allCases.map { "\(Self.title(of: $0)): \(Self.meaning(of: $0))" })
  }

  private static func title(of kind: DetectionErrorKind) -> String {
    kind == .both ? "class and place" : kind.rawValue
  }

  private static func meaning(of kind: DetectionErrorKind) -> String {
    switch kind {
    case .wrongClass: "IoU of 0.5 or more with an object of another class"
    case .misplaced: "the right class, IoU from 0.1 to 0.5"
    case .both: "another class, IoU from 0.1 to 0.5"
    case .duplicate: "the object was found by a surer box already"
    case .background: "IoU of 0.1 or less with every object"
    case .missed: "no box of the kinds above would find the object if it were mended"
    }
  }

  private func confusion(_ page: inout HTMLReport) {
    let matrix = analysis.confusion
    let chosen = matrix.mostConfused(Self.mostConfused)
    guard !chosen.isEmpty else { return }
    page.heading("Confusions")
    let background = matrix.names.count
    let order = chosen + [background]
    let present = matrix.names.indices.count { index in
      matrix.counts[index].contains { $0 > 0 } || matrix.counts.contains { $0[index] > 0 }
    }
    let some =
      chosen.count < present
      ? " Shown are the \(chosen.count) of \(present, "class") that are confused most." : ""
    page.figure(
      svg: SVGMatrix(
        title: "Which class is taken for which",
        rows: chosen.map { matrix.names[$0] } + ["(nothing there)"],
        columns: chosen.map { matrix.names[$0] } + ["(missed)"], rowTitle: "the object is",
        columnTitle: "the detector says",
        counts: order.map { row in order.map { matrix.counts[row][$0] } }
      ).svg(),
      caption: "Detections shown by the best thresholds, paired with the objects that they overlap "
        + "by an IoU of 0.5 or more. Shades are shares of the row." + some)
  }

  private func gallery(_ page: inout HTMLReport) {
    guard !worst.photos.isEmpty else { return }
    page.heading("The worst pictures")
    page.paragraph(
      "The pictures with most missed objects and surest wrong detections, as 'baron detect' shows "
        + "them by the best thresholds.")
    page.figure(
      svg: SVGPhoto.legend([
        .right: "right, with its score", .wrong: "wrong: what it is", .missed: "missed",
      ]), caption: "")
    page.figures(worst.photos)
  }
}
