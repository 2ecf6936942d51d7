import Annotations
import CLIP
import Checkpoints
import Formats
import Foundation
import Layers

/// From somebody's pictures, names and models to a configuration: what `baron init` does.
package struct DataSetup {
  let annotations: String
  let images: String?
  let validation: String?
  let validationImages: String?
  /// Names of classes that are wanted without boxes.
  let names: [String]
  let clip: String
  let startWeights: String?
  let epochs: Double?
  /// The share of the pictures that is set aside without a validation set.
  let fraction: Double
  /// The file of the configuration, which others are named after.
  let output: String

  package init(
    annotations: String, images: String?, validation: String?, validationImages: String?,
    names: [String], clip: String, startWeights: String?, epochs: Double?, fraction: Double,
    output: String
  ) {
    self.annotations = annotations
    self.images = images
    self.validation = validation
    self.validationImages = validationImages
    self.names = names
    self.clip = clip
    self.startWeights = startWeights
    self.epochs = epochs
    self.fraction = fraction
    self.output = output
  }

  private static func stem(of output: String) -> String {
    URL(filePath: output).deletingPathExtension().relativePath
  }

  /// The file of base and novel names that belongs to a configuration.
  ///
  /// - Parameter output: The configuration's file.
  package static func splitFile(of output: String) -> String { "\(stem(of: output)).classes.json" }

  /// Reads everything, writes the split and what must be converted, and chooses the values.
  ///
  /// - Parameters:
  ///   - device: The device's name and the bytes of its memory.
  ///   - note: Gets a line for each decision that is worth one.
  /// - Throws: ``DataSetupError`` with all that is missing; `DatasetError`, `CheckpointError` or
  ///   `FormatError` for a file that cannot be used.
  package func draft(
    device: (name: String, bytes: Int), note: (String) -> Void
  ) throws -> ConfigurationDraft {
    let models = try requireAll()
    let stem = Self.stem(of: output)
    var training = try Activity.during("reading \(annotations)") {
      try DatasetInput(
        annotations, images: images, use: .training, isWhole: validation == nil,
        writingTo: stem)
    }
    for line in training.notes { note(line) }
    var index = try AnnotationIndex(path: training.annotations)
    for line in index.warnings { note("\(training.annotations): \(line)") }
    training = training.located(index, note: note)
    for line in index.completeSizes(from: training.images) { note(line) }
    let wishes = try ClassWishes(names, in: COCOAnnotations(index))
    for line in wishes.notes { note(line) }
    var held = try validationInput(of: training, stem: stem, note: note)
    if held == nil, fraction > 0, index.imageCount > 1 {
      (training, held) = try setAside(index, of: training, stem: stem, note: note)
      index = try AnnotationIndex(path: training.annotations)
      _ = index.completeSizes(from: training.images)
    }
    let split = Self.splitFile(of: output)
    try AtomicFile.write(Foundation.Data((wishes.json.text(pretty: true) + "\n").utf8), to: split)
    let base = try COCOAnnotations(index, keeping: wishes.base)
    return ConfigurationDraft(
      .init(
        training: training, validation: held, statistics: DataStatistics(base), classes: wishes,
        splitFile: split, clipFolder: clip, clip: models.clip, start: models.start,
        device: device, epochs: epochs))
  }

  /// Looks at what does not depend on anything else, all of it before the first complaint.
  private func requireAll() throws -> (clip: CLIPConfiguration, start: StartWeights?) {
    var reasons: [String] = []
    func need(_ option: String, _ path: String?) {
      guard let path, !FileManager.default.fileExists(atPath: path) else { return }
      reasons.append("--\(option) \(path): no such file or folder")
    }
    func attempt<Result>(_ option: String, _ body: () throws -> Result) -> Result? {
      do { return try body() } catch {
        reasons.append("--\(option): \(error)")
        return nil
      }
    }
    need("annotations", annotations)
    need("images", images)
    need("validation", validation)
    need("validation-images", validationImages)
    let model = attempt("clip") { try CLIPWeights(folder: clip).configuration }
    let start = startWeights.flatMap { path in
      attempt("start-weights") { try StartWeights(start: path) }
    }
    guard let model, reasons.isEmpty else { throw DataSetupError(reasons: reasons) }
    return (model, start)
  }

  private func validationInput(
    of training: DatasetInput, stem: String, note: (String) -> Void
  ) throws -> DatasetInput? {
    let source = validation ?? (training.hasValidation ? annotations : nil)
    guard let source else { return nil }
    let held = try DatasetInput(
      source, images: validationImages ?? (validation == nil ? nil : images ?? training.images),
      use: .validation, isWhole: validation == nil, writingTo: stem)
    for line in held.notes { note(line) }
    return held.located(try AnnotationIndex(path: held.annotations), note: note)
  }

  /// Divides the pictures by chance, the same ones each time; no class loses its last box.
  private func setAside(
    _ index: AnnotationIndex, of training: DatasetInput, stem: String, note: (String) -> Void
  ) throws -> (training: DatasetInput, validation: DatasetInput) {
    let count = max(1, min(index.imageCount - 1, Int(fraction * Double(index.imageCount))))
    var order = Array(0..<index.imageCount)
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    for place in stride(from: order.count - 1, to: 0, by: -1) {
      // A linear congruential generator: which pictures is of no account, that they stay so is.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      order.swapAt(place, Int((state >> 33) % UInt64(place + 1)))
    }
    let held = Self.spared(order, index, atMost: count)
    let labels = Set(index.categories.indices)
    let paths = (train: "\(stem).train.json", held: "\(stem).val.json")
    // A file that was just written of another layout is divided in its place.
    let source =
      training.annotations == paths.train ? try moved(training.annotations, stem) : index
    _ = try AnnotationSplitter(source, isCompact: false).write([
      .init(path: paths.train, labels: labels, images: Set(order).subtracting(held)),
      .init(path: paths.held, labels: labels, images: held),
    ])
    note(
      "\(held.count) of \(index.imageCount, "picture") \(held.count.verb("is", "are")) set aside to be "
        + "scored on: \(paths.held); \(paths.train) has the others")
    return (
      training.with(annotations: paths.train), training.with(annotations: paths.held)
    )
  }

  /// The first pictures of an order that training can do without.
  private static func spared(
    _ order: [Int], _ index: AnnotationIndex, atMost count: Int
  ) -> Set<Int> {
    var labels = [[Int]](repeating: [], count: index.imageCount)
    var boxes = [Int](repeating: 0, count: index.categories.count)
    for (image, label) in zip(index.annotations.images, index.annotations.labels) where label >= 0 {
      labels[Int(image)].append(Int(label))
      boxes[Int(label)] += 1
    }
    var held: Set<Int> = []
    for image in order where held.count < count {
      let own = Dictionary(labels[image].map { ($0, 1) }, uniquingKeysWith: +)
      guard own.allSatisfy({ boxes[$0.key] > $0.value }) else { continue }
      for (label, number) in own { boxes[label] -= number }
      held.insert(image)
    }
    // Where every picture has the last box of a class one must go all the same.
    return held.isEmpty ? Set(order.prefix(1)) : held
  }

  private func moved(_ path: String, _ stem: String) throws -> AnnotationIndex {
    let target = "\(stem).all.json"
    guard rename(path, target) == 0 else { throw FormatError(target, "cannot be written") }
    return try AnnotationIndex(path: target)
  }
}

/// What is missing before anything is read; the description is one line.
package struct DataSetupError: Error, CustomStringConvertible {
  let reasons: [String]

  /// All reasons.
  package var description: String { reasons.joined(separator: "; ") }
}
