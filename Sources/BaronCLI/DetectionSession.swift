import Datasets
import Evaluation
import Formats
import Foundation
import Reporting
import Training

/// Detects on files one after the other, writes pictures and results, and reports.
struct DetectionSession {
  let detector: ObjectDetector
  /// The names in the user's order, which gives category ids from 1.
  let names: [String]
  let files: [String]
  let folder: OutputFolder
  let scoreThreshold: Float
  let limit: Int
  let printsJSON: Bool

  /// Runs over all files.
  ///
  /// - Throws: `DetectError` when not a single image can be read; what the device or disk throws.
  func run() throws {
    let ids = Dictionary(names.enumerated().map { ($1, $0 + 1) }) { first, _ in first }
    let line = ProgressLine(label: "detect", total: files.count)
    var folder = folder
    var images: [JSONValue] = []
    var unreadable: [String] = []
    var firstReason: String?
    try DetectionResultsWriter.write(to: "\(folder.path)/detections.json") { writer in
      for (index, file) in files.enumerated() {
        defer { line.update(step: index + 1) }
        let image: Image
        do {
          image = try ImageDecoder.decode(path: file)
        } catch let error as DatasetError {
          firstReason = firstReason ?? "\(error)"
          // A lone file's reason is the error of the whole command.
          if files.count > 1 { line.note("warning: \(error)") }
          unreadable.append(file)
          continue
        }
        let id = index + 1
        let found = Array(try detector.detect(image, id: id, above: 0).prefix(limit))
        for object in found where object.score > detector.scoreThreshold {
          try writer.append(
            ScoredBox(
              imageID: id, categoryID: ids[name(of: object)] ?? 0,
              box: BoxXYWH(
                x: Double(object.box.x1), y: Double(object.box.y1),
                width: Double(object.box.width), height: Double(object.box.height)),
              score: Double(object.score)))
        }
        let shown = found.filter { $0.score >= scoreThreshold }
        let picture = folder.picture(of: file)
        try write(image, shown, to: picture)
        images.append([
          "id": .number(Double(id)), "file_name": .string(file),
          "width": .number(Double(image.width)), "height": .number(Double(image.height)),
        ])
        if printsJSON {
          print(json(file, id: id, image, shown, picture).text())
        } else {
          line.note(text(file, shown, best: found.first))
        }
      }
    }
    line.finish()
    try writeImages(images, ids: ids)
    for file in unreadable.prefix(files.count > 1 ? unreadable.count : 0) {
      FileHandle.standardError.write(Data("not read: \(file)\n".utf8))
    }
    guard !images.isEmpty else {
      throw DetectError.nothingReadable(
        count: files.count, first: firstReason ?? "")
    }
    if !printsJSON {
      print(
        "\(images.count) of \(files.count) images; pictures and detections.json in \(folder.path)")
    }
  }

  private func name(of object: ObjectDetector.Found) -> String { detector.vocabulary[object.label] }

  private func write(_ image: Image, _ shown: [ObjectDetector.Found], to path: String) throws {
    let boxes = shown.map {
      LabeledBox(box: $0.box, label: name(of: $0), score: Double($0.score))
    }
    let picture = PictureSheet.annotated(image, boxes)
    if path.hasSuffix(".jpg") {
      try picture.writeJPEG(path)
    } else {
      try picture.writePNG(path)
    }
  }

  /// The ids of images and categories, in the layout of COCO annotations.
  private func writeImages(_ images: [JSONValue], ids: [String: Int]) throws {
    let document: JSONValue = [
      "images": .array(images),
      "categories": .array(
        names.map { ["id": .number(Double(ids[$0] ?? 0)), "name": .string($0)] }),
    ]
    try AtomicFile.write(
      Data((document.text(pretty: true) + "\n").utf8), to: "\(folder.path)/images.json")
  }

  private func text(
    _ file: String, _ shown: [ObjectDetector.Found], best: ObjectDetector.Found?
  ) -> String {
    guard shown.isEmpty else {
      var counts: [(name: String, count: Int, best: Float)] = []
      for object in shown {
        if let place = counts.firstIndex(where: { $0.name == name(of: object) }) {
          counts[place].count += 1
        } else {
          counts.append((name(of: object), 1, object.score))
        }
      }
      let parts = counts.map { item in
        "\(item.count) \(item.name) (\(Self.score(item.best)))"
      }
      return "\(file): \(parts.joined(separator: ", "))"
    }
    guard let best else { return "\(file): nothing" }
    return "\(file): nothing from \(Self.score(scoreThreshold)) on; the best is "
      + "\"\(name(of: best))\" with \(Self.score(best.score)): lower --score-threshold to see it"
  }

  private static func score(_ value: Float) -> String {
    String(format: value < 0.01 ? "%.2g" : "%.2f", value)
  }

  private func json(
    _ file: String, id: Int, _ image: Image, _ shown: [ObjectDetector.Found], _ picture: String
  ) -> JSONValue {
    [
      "image": .string(file), "id": .number(Double(id)), "picture": .string(picture),
      "width": .number(Double(image.width)), "height": .number(Double(image.height)),
      "objects": .array(
        shown.map { object in
          let box = object.box
          return [
            "name": .string(name(of: object)), "score": .number(Double(object.score)),
            "box": .array([box.x1, box.y1, box.x2, box.y2].map { .number(Double($0)) }),
          ]
        }),
    ]
  }
}
