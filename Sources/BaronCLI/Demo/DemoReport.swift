import DemoWorld
import Formats
import Foundation
import OpenCL
import Reporting
import Training
import Workbench

/// The demo's `report.html`: numbers, curves, pictures and the kernels' profile in one file.
struct DemoReport {
  private static let kernelRows = 25

  let demo: DemoConfiguration
  let folder: DemoFolder
  let context: Context
  let result: DemoResult
  let roof: Roof

  /// Draws, measures and writes.
  ///
  /// - Throws: What detection, training steps or the disk throw.
  func write() throws {
    var page = HTMLReport(
      title: "Finding classes without boxes",
      subtitle: "baron demo, seed \(demo.seed), \(result.device)")
    story(&page)
    numbers(&page)
    teacher(&page)
    curves(&page)
    try gallery(&page)
    classes(&page)
    try profile(&page)
    page.heading("How to repeat it")
    page.preformatted(
      "baron demo \(folder.path) --world \(result.kind.rawValue) --seed \(demo.seed) --overwrite")
    page.details(summary: "The configuration of the demo") { $0.preformatted(demo.yaml()) }
    try AtomicFile.write(Data(page.html().utf8), to: folder.report)
  }

  private func story(_ page: inout HTMLReport) {
    let kind = result.kind
    page.paragraph(
      "The world is drawn: pictures of 96 x 96 pixels with objects of \(kind.classes.count) "
        + "classes whose colour says nothing. \(kind.base.count) classes are base: the detectors "
        + "get their boxes. \(kind.novel.count) are novel "
        + "(\(kind.novel.map(\.name).joined(separator: ", "))): their objects are in the "
        + "training pictures too, but no detector ever sees a box of one.")
    if let names = Self.twoNames(kind) { page.paragraph(names) }
    page.paragraph(
      "A small CLIP model, the teacher, learned from captions of parts of the pictures, which name "
        + "all classes. The detectors turn each region into pseudo words for its frozen text "
        + "encoder, and differ only in what they learn from the teacher's image encoder. They had "
        + "the same pictures, steps and seed, and are scored on "
        + "\(demo.world.evaluationImages, "other picture"), all classes together.")
  }

  /// How a world is made in which shapes have two names.
  private static func twoNames(_ kind: WorldKind) -> String? {
    let pairs = kind.classes.filter { $0.ground == .striped }.compactMap { one in
      kind.classes.first { $0.glyph == one.glyph && $0.ground == .dotted }.map { (one, $0) }
    }
    guard !pairs.isEmpty else { return nil }
    func list(_ isNovel: Bool) -> String {
      pairs.filter { $0.0.isNovel == isNovel }.map { "\($0.name) or \($1.name)" }
        .joined(separator: ", ")
    }
    let controls = kind.classes.filter { $0.ground == nil }.map(\.name).joined(separator: ", ")
    return "Most shapes have two names, one on striped and one on dotted ground: of base classes "
      + "\(list(false)), of novel classes \(list(true)). A plain halo hides the ground from a tight "
      + "crop, and no caption names it. The controls (\(controls)) have a shape of their own."
  }

  private func numbers(_ page: inout HTMLReport) {
    page.heading("What they find")
    page.figure(
      svg: SVGBars(
        title: "Average precision at IoU 0.5", yLabel: "AP50",
        categories: result.rows.map(\.variant.name),
        groups: [
          .init(name: "base classes", values: result.rows.map(\.score.base)),
          .init(name: "novel classes", values: result.rows.map(\.score.novel)),
        ]
      ).svg(),
      caption: "Higher is better. Boxes of novel classes were never shown.")
    page.table(columns: DemoResult.columns, rows: result.cells, caption: "AP50 in percent")
    if !result.nameCells.isEmpty {
      page.table(
        columns: DemoResult.nameColumns, rows: result.nameCells,
        caption: "The right one of the two names of a shape, percent of the objects that got "
          + "either (chance is 50 %), and AP50 of the novel controls")
    }
    page.paragraph(result.reading)
  }

  private func teacher(_ page: inout HTMLReport) {
    page.heading("The teacher")
    if let score = result.teacher {
      page.paragraph("Objects cut out of the scoring pictures, \(score.summary).")
    }
    if let probe = result.probe {
      page.table(
        columns: [.text("what it sees"), .number("base classes"), .number("novel classes")],
        rows: [("the box of an object", probe.tight), ("twice its size", probe.enlarged)].map {
          [$0, DemoResult.text($1.base), DemoResult.text($1.novel)]
        }, caption: "The right one of the two names, percent of all objects")
    }
    let records = (try? MetricLog.records(in: "\(folder.teacher)/metrics.jsonl")) ?? []
    page.figure(
      svg: SVGPlot(
        title: "Contrastive loss of the teacher", xLabel: "iteration", yLabel: "loss",
        series: [.init(name: "loss", points: Self.points(records) { $0.totalLoss })]
      ).svg(), caption: "Symmetric contrastive loss of pairs of crops and captions.")
  }

  private static func points(
    _ records: [MetricRecord], _ value: (MetricRecord) -> Double?
  ) -> [(x: Double, y: Double)] {
    records.compactMap { record in value(record).map { (Double(record.iteration), $0) } }
  }

  private func curves(_ page: inout HTMLReport) {
    page.heading("Training curves")
    let plots: [(title: String, caption: String, value: (MetricRecord) -> Double?)] = [
      (
        "Classification loss", "Base classes and background, as the detector names its regions.",
        { $0.losses["loss_cls"] }
      ),
      (
        "Loss of bags", "Bags of regions (or regions one by one) against the teacher's crops.",
        { ($0.losses["loss_bag"] ?? $0.losses["loss_crop"]).flatMap { $0 > 0 ? $0 : nil } }
      ),
      (
        "Individual loss", "Tokens against patches, with the weight of each detector.",
        { $0.losses["loss_single"] ?? $0.losses["loss_crop_patch"] }
      ),
    ]
    let records = result.rows.map { (name: $0.variant.name, records: $0.variant.records) }
    for plot in plots {
      let series = records.map { item in
        SVGPlot.Series(name: item.name, points: Self.points(item.records, plot.value))
      }.filter { !$0.points.isEmpty }
      guard !series.isEmpty else { continue }
      page.figure(
        svg: SVGPlot(title: plot.title, xLabel: "iteration", yLabel: "loss", series: series).svg(),
        caption: plot.caption)
    }
  }

  private func gallery(_ page: inout HTMLReport) throws {
    let pictures = try DemoGallery(
      count: demo.report.pictures, rows: result.rows, folder: folder.evaluationWorld(demo),
      kind: result.kind
    ).pictures()
    guard !pictures.isEmpty else { return }
    page.heading("Pictures")
    page.paragraph(
      "Left what is there, then of each detector its surest finds: as many as there are objects, "
        + "one a place. Novel classes have a star. Scores are not drawn: as no box of a novel "
        + "class was ever shown, nothing has taught a detector how sure it may be of one.")
    page.gallery(pictures, columnsPerRow: result.rows.count + 1)
  }

  private func classes(_ page: inout HTMLReport) {
    page.details(summary: "AP50 of every class") { page in
      let classes = result.rows.first?.score.classes ?? []
      page.table(
        columns: [.text("class"), .text("group"), .number("objects")]
          + result.rows.map { .number($0.variant.name) },
        rows: classes.indices.map { index in
          [classes[index].name, classes[index].group?.rawValue ?? "", "\(classes[index].objects)"]
            + result.rows.map { row in
              row.score.classes[index].averagePrecision50.map { DemoResult.percent(100 * $0) }
                ?? "-"
            }
        })
    }
  }

  /// Steps of the last detector, which has everything that the method is made of.
  private func profile(_ page: inout HTMLReport) throws {
    let steps = demo.report.profileSteps
    guard steps > 0, let variant = result.rows.last(where: { $0.variant.name != "none" })?.variant
    else { return }
    let measured = try StepProfile.measure(
      .detector(variant.configuration), on: context, warmup: 2, steps: steps)
    let uses = KernelUse.collect(measured.records)
    page.heading("Where the time goes")
    page.paragraph(
      "\(steps, "training step") of \(variant.name) from random weights, "
        + String(format: "%.0f ms each. ", 1e3 * measured.wallSeconds / Double(steps))
        + "The roof is the best of multiply-adds and of copying that was measured on this device "
        + "in the same run.")
    page.table(
      columns: KernelTable.columns,
      rows: Array(KernelTable.rows(uses, roof: roof).prefix(Self.kernelRows)),
      caption: "Kernels by cost")
    page.details(summary: "All kernels, phases and memory") { page in
      page.preformatted(measured.text(roof: roof, byPhase: false, style: .plain))
    }
  }
}
