import Evaluation
import Formats
import Foundation
import Pictures
import Reporting
import Training

/// Detects on files batch by batch, writes pictures and results, and reports.
struct DetectionSession {
  let detector: ObjectDetector
  /// The names in the user's order, which gives category ids from 1.
  let names: [String]
  let files: [String]
  let folder: OutputFolder
  let shown: ShownObjects
  let limit: Int
  let printsJSON: Bool
  /// Whether each shown object gets a picture of its own.
  let writesCrops: Bool
  /// Images that are read and looked at together.
  let batch: Int

  /// A file and what came of it.
  private struct Entry {
    let id: Int
    let file: String
    let image: Image
    /// All objects of the names, for evaluations.
    let found: [ObjectDetector.Found]
    /// One object a place, however sure.
    let places: [ObjectDetector.Found]
  }

  /// Runs over all files.
  ///
  /// - Throws: `DetectError` when not a single image can be read; what the device or disk throws.
  func run() throws {
    let ids = Dictionary(names.enumerated().map { ($1, $0 + 1) }) { first, _ in first }
    let line = ProgressLine(label: "detect", total: files.count)
    var folder = folder
    var colors = LabelPalette()
    warnOfLetters()
    var images: [JSONValue] = []
    var unreadable: [String] = []
    var firstReason: String?
    try DetectionResultsWriter.write(to: "\(folder.path)/detections.json") { writer in
      for range in ImageDecoder.groups(of: files, most: batch) {
        var pictures: [(index: Int, image: Image)] = []
        for (index, result) in zip(range, ImageDecoder.decode(Array(files[range]))) {
          switch result {
          case .success(let image): pictures.append((index, image))
          case .failure(let error as PictureError):
            firstReason = firstReason ?? "\(error)"
            // A lone file's reason is the error of the whole command.
            if files.count > 1 { line.warn("\(error)") }
            unreadable.append(files[index])
          case .failure(let error): throw error
          }
        }
        let found = try detector.detect(pictures.map(\.image), above: 0)
        for (picture, objects) in zip(pictures, found) {
          let entry = Entry(
            id: picture.index + 1, file: files[picture.index], image: picture.image,
            found: Array(shown.wanted(objects, of: detector.vocabulary).prefix(limit)),
            places: Array(shown.places(objects, of: detector.vocabulary).prefix(limit)))
          try write(entry, ids: ids, to: &writer)
          images.append([
            "id": .number(Double(entry.id)), "file_name": .string(entry.file),
            "width": .number(Double(entry.image.width)),
            "height": .number(Double(entry.image.height)),
          ])
          try show(entry, in: &folder, &colors, line)
        }
        line.update(step: range.upperBound)
      }
    }
    line.finish()
    for file in unreadable.prefix(files.count > 1 ? unreadable.count : 0) {
      Console.say("not read: \(file)")
    }
    guard !images.isEmpty else {
      folder.discard("detections.json")
      throw DetectError.nothingReadable(count: files.count, first: firstReason ?? "")
    }
    try writeImages(images, ids: ids)
    if !printsJSON {
      try Console.print(
        "\(images.count) of \(files.count) images; pictures and detections.json in \(folder.path)")
    }
  }

  /// Adds the detections of an image above the run's own threshold to the results.
  private func write(
    _ entry: Entry, ids: [String: Int], to writer: inout DetectionResultsWriter
  ) throws {
    for object in entry.found where object.score > detector.scoreThreshold {
      try writer.append(
        object.scoredBox(image: entry.id, category: ids[name(of: object)] ?? 0),
        mask: object.mask)
    }
  }

  /// Writes the pictures of an image and reports what is on it.
  private func show(
    _ entry: Entry, in folder: inout OutputFolder, _ colors: inout LabelPalette,
    _ line: ProgressLine
  ) throws {
    let shown = entry.places.filter { self.shown.isSure($0, of: detector.vocabulary) }
    let picture = folder.picture(of: entry.file)
    let boxes = shown.map {
      LabeledBox(box: $0.box, label: name(of: $0), score: Double($0.score), mask: $0.mask)
    }
    let scale = PictureSheet.enlargement(of: entry.image)
    try Self.write(
      PictureSheet.annotated(entry.image, boxes, enlarging: scale, colors: &colors), to: picture)
    if writesCrops {
      for object in shown {
        try Self.write(
          entry.image.cropped(to: object.box),
          to: try folder.crop(of: entry.file, name: name(of: object)))
      }
    }
    if printsJSON {
      try Console.print(json(entry, shown, picture, scale: scale).text())
    } else {
      line.note(text(entry.file, shown, best: entry.places.first))
    }
  }

  /// Says which names cannot be drawn as they are.
  private func warnOfLetters() {
    let unable = SystemFont.shared.unable(toWrite: names)
    guard let first = unable.first else { return }
    Console.warn(
      "no font here has all letters of \"\(first)\"\(unable.count > 1 ? " and \(unable.count - 1) more" : ""); "
        + "pictures show \"?\" instead: install one that has, fonts-noto-cjk for example, or name a "
        + "folder of fonts in BARON_FONTS")
  }

  private func name(of object: ObjectDetector.Found) -> String { detector.vocabulary[object.label] }

  private static func write(_ picture: Image, to path: String) throws {
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
        "\(item.count) \(item.name) (\(ScoreText.of(Double(item.best))))"
      }
      return "\(file): \(parts.joined(separator: ", "))"
    }
    guard let best else { return "\(file): nothing" }
    let threshold = ScoreText.of(self.shown.threshold(of: name(of: best)))
    return "\(file): nothing from \(threshold) on; the best is \"\(name(of: best))\" with "
      + "\(ScoreText.of(Double(best.score))): lower --score-threshold to see it"
  }

  private func json(
    _ entry: Entry, _ shown: [ObjectDetector.Found], _ picture: String, scale: Int
  ) -> JSONValue {
    [
      "image": .string(entry.file), "id": .number(Double(entry.id)), "picture": .string(picture),
      "picture_scale": .number(Double(scale)),
      "width": .number(Double(entry.image.width)),
      "height": .number(Double(entry.image.height)),
      "objects": .array(shown.map(object)),
    ]
  }

  private func object(_ object: ObjectDetector.Found) -> JSONValue {
    let box = object.box
    var fields: [String: JSONValue] = [
      "name": .string(name(of: object)), "score": .number(Double(object.score)),
      "box": .array([box.x1, box.y1, box.x2, box.y2].map { .number(Double($0)) }),
    ]
    if let mask = object.mask {
      fields["segmentation"] = [
        "size": .array([.number(Double(mask.height)), .number(Double(mask.width))]),
        "counts": .string(mask.text),
      ]
    }
    return .object(fields)
  }
}
