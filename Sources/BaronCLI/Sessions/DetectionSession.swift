import Annotations
import Evaluation
import Formats
import Foundation
import Labels
import Pictures
import Reporting
import Training

/// Detects on files batch by batch, writes pictures and results, and reports.
struct DetectionSession {
  let detector: ObjectDetector
  /// What is looked for; the order of its names gives category ids from 1.
  let query: ObjectQuery
  let files: [String]
  let folder: OutputFolder
  let limit: Int
  let printsJSON: Bool
  /// Whether each shown object gets a picture of its own.
  let writesCrops: Bool
  /// Whether each image is written with what is shown on it.
  let writesPictures: Bool
  /// The formats of other programs that what is shown is written in.
  let formats: [LabelFormat]
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

  private var names: [String] { query.names }

  /// Files that were decoded together.
  private struct Decoded: Sendable {
    let range: Range<Int>
    let results: [Result<Image, any Error>]

    var images: [Image] { results.compactMap { try? $0.get() } }
  }

  /// What is known when all files are done.
  private struct Outcome {
    var images: [JSONValue] = []
    var unreadable: [String] = []
    var firstReason: String?
  }

  /// Runs over all files: while the device looks at some, the next are decoded and the last written.
  ///
  /// - Throws: `DetectError` when not a single image can be read; what the device or disk throws.
  func run() throws {
    let ids = Dictionary(names.enumerated().map { ($1, $0 + 1) }) { first, _ in first }
    let line = ProgressLine(label: "detect", total: files.count)
    var folder = folder
    var colors = LabelPalette()
    if let warning = VocabularyNames.warning(of: names) { Console.warn(warning) }
    if writesPictures { warnOfLetters() }
    var outcome = Outcome()
    var writers = try formats.map { try $0.writer(to: folder.path, names: names) }
    try DetectionResultsWriter.write(to: "\(folder.path)/detections.json") { results in
      var own = results
      let groups = ImageDecoder.groups(of: files, most: batch)
      try Overlap.run {
        groups.next().map { Decoded(range: $0, results: ImageDecoder.decode(Array(files[$0]))) }
      } work: { decoded in
        (decoded, try detector.detect(decoded.images, above: 0))
      } finish: { decoded, found in
        for entry in try entries(decoded, found, &outcome, line) {
          try write(entry, ids: ids, to: &own)
          let shown = try show(entry, in: &folder, &colors, line)
          for index in writers.indices { try writers[index].append(shown) }
        }
        line.update(step: decoded.range.upperBound)
      }
      results = own
    }
    line.finish()
    for file in outcome.unreadable.prefix(files.count > 1 ? files.count : 0) {
      Console.say("not read: \(PrintedText.escaped(file))")
    }
    guard !outcome.images.isEmpty else {
      folder.discard("detections.json")
      throw DetectError.nothingReadable(count: files.count, first: outcome.firstReason ?? "")
    }
    for index in writers.indices { try writers[index].finish() }
    try writeImages(outcome.images, ids: ids)
    if !printsJSON {
      let others = (writesPictures ? ["pictures"] : []) + formats.map(\.rawValue)
      let written = others.isEmpty ? "" : others.joined(separator: ", ") + " and "
      try Console.print(
        "\(outcome.images.count) of \(files.count, "image"); \(written)detections.json in "
          + folder.path)
    }
  }

  /// The files that were read, with what was found; notes those that were not.
  private func entries(
    _ decoded: Decoded, _ found: [[ObjectDetector.Found]], _ outcome: inout Outcome,
    _ line: ProgressLine
  ) throws -> [Entry] {
    var found = found[...]
    var entries: [Entry] = []
    for (index, result) in zip(decoded.range, decoded.results) {
      switch result {
      case .success(let image):
        let objects = found.popFirst() ?? []
        entries.append(
          Entry(
            id: index + 1, file: files[index], image: image,
            found: Array(query.wanted(objects).prefix(limit)),
            places: Array(query.places(objects) { $0 }.prefix(limit))))
        outcome.images.append([
          "id": .number(Double(index + 1)), "file_name": .string(files[index]),
          "width": .number(Double(image.width)), "height": .number(Double(image.height)),
        ])
      case .failure(let error as PictureError):
        outcome.firstReason = outcome.firstReason ?? "\(error)"
        // A lone file's reason is the error of the whole command.
        if files.count > 1 { line.warn("\(error)") }
        outcome.unreadable.append(files[index])
      case .failure(let error): throw error
      }
    }
    return entries
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
  ) throws -> LabeledPicture {
    let shown = entry.places.filter { query.isSure($0) }
    let picture = writesPictures ? folder.picture(of: entry.file) : nil
    let scale = PictureSheet.enlargement(of: entry.image)
    if let picture {
      let boxes = shown.map {
        LabeledBox(box: $0.box, label: name(of: $0), score: Double($0.score), mask: $0.mask)
      }
      try Self.write(
        PictureSheet.annotated(entry.image, boxes, enlarging: scale, colors: &colors), to: picture)
    }
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
      line.note(PrintedText.escaped(text(entry.file, shown, best: entry.places.first)))
    }
    return LabeledPicture(
      id: entry.id, file: entry.file, width: entry.image.width, height: entry.image.height,
      objects: try shown.map { try label(of: $0) })
  }

  private func label(of object: ObjectDetector.Found) throws -> LabeledPicture.Object {
    let name = name(of: object)
    guard let place = names.firstIndex(of: name) else {
      throw FormatError(folder.path, "the name \"\(name)\" is not among those that were asked for")
    }
    return LabeledPicture.Object(
      label: place, box: object.box, score: object.score, mask: object.mask)
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
    let threshold = ScoreText.of(query.leastScore(of: name(of: best)))
    return "\(file): nothing from \(threshold) on; the best is \"\(name(of: best))\" with "
      + "\(ScoreText.of(Double(best.score))): lower --score-threshold to see it"
  }

  private func json(
    _ entry: Entry, _ shown: [ObjectDetector.Found], _ picture: String?, scale: Int
  ) -> JSONValue {
    [
      "image": .string(entry.file), "id": .number(Double(entry.id)),
      "picture": picture.map { .string($0) } ?? .null, "picture_scale": .number(Double(scale)),
      "width": .number(Double(entry.image.width)),
      "height": .number(Double(entry.image.height)),
      "objects": .array(shown.map { .object($0.fields(named: name(of: $0))) }),
    ]
  }
}
