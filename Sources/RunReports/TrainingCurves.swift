import Foundation
import Reporting
import Training

/// Losses, rates and speed over the iterations.
struct TrainingCurves {
  private let run: RunSource

  init(_ run: RunSource) { self.run = run }

  func write(to page: inout HTMLReport) {
    guard !run.records.isEmpty else { return }
    page.heading("Training")
    page.figure(
      svg: SVGPlot(
        title: "Losses", xLabel: "iteration", yLabel: "weighted loss", series: losses
      ).svg(), caption: "The parts of the loss, each with its weight.")
    page.figures(
      plots.compactMap { plot in
        let points = points(plot.value)
        guard !points.isEmpty else { return nil }
        return (
          svg: SVGPlot(
            title: plot.title, xLabel: "iteration", yLabel: plot.unit,
            series: [.init(name: plot.name, points: points)], width: RunReport.halfWidth
          ).svg(), caption: ""
        )
      })
  }

  private struct Plot {
    let title, name, unit: String
    let value: (MetricRecord) -> Double
  }

  private var plots: [Plot] {
    [
      Plot(title: "Total loss", name: "sum", unit: "loss") { $0.totalLoss },
      Plot(title: "Learning rate", name: "rate", unit: "") { $0.learningRate },
      Plot(title: "Length of the gradient", name: "before it is bounded", unit: "L2") {
        $0.gradientNorm
      },
      Plot(title: "Speed", name: "images a second", unit: "images/s") { $0.imagesPerSecond },
    ]
  }

  private func points(_ value: (MetricRecord) -> Double) -> [(x: Double, y: Double)] {
    run.records.compactMap { record in
      let value = value(record)
      return value.isFinite ? (Double(record.iteration), value) : nil
    }
  }

  private var losses: [SVGPlot.Series] {
    let names = Set(run.records.flatMap(\.losses.keys)).sorted()
    return names.map { name in
      .init(
        name: name.replacing("loss_", with: "").replacing("_", with: " "),
        points: points { $0.losses[name] ?? .nan })
    }
  }
}
