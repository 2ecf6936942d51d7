import Annotations
import CLIP
import Checkpoints
import Formats
import Geometry
import Layers
import Pictures
import Tensors

/// How well a CLIP model names objects that are cut out by their boxes.
package struct ZeroShotScore: Sendable, Equatable {
  /// Objects of base classes.
  package let baseCount: Int
  /// The share of them that got their own name, in 0...1.
  package let base: Double
  /// Objects of novel classes.
  package let novelCount: Int
  /// The share of them that got their own name, in 0...1.
  package let novel: Double
  /// Names to choose from.
  package let classCount: Int

  /// The score for programs.
  package var json: JSONValue {
    [
      "base_accuracy": .number(base), "base_objects": .number(Double(baseCount)),
      "novel_accuracy": .number(novel), "novel_objects": .number(Double(novelCount)),
      "classes": .number(Double(classCount)),
    ]
  }

  /// Reads what ``json`` wrote; nil when a number is missing.
  ///
  /// - Parameter json: The object.
  package init?(_ json: JSONValue) {
    guard let base = json["base_accuracy"]?.number, let novel = json["novel_accuracy"]?.number,
      let baseCount = json["base_objects"]?.integer,
      let novelCount = json["novel_objects"]?.integer, let classCount = json["classes"]?.integer
    else { return nil }
    self.init(
      baseCount: baseCount, base: base, novelCount: novelCount, novel: novel,
      classCount: classCount)
  }

  private init(baseCount: Int, base: Double, novelCount: Int, novel: Double, classCount: Int) {
    self.baseCount = baseCount
    self.base = base
    self.novelCount = novelCount
    self.novel = novel
    self.classCount = classCount
  }

  /// One line.
  package var summary: String {
    func percent(_ share: Double, _ count: Int) -> String {
      let tenths = Int((share * 1000).rounded())
      return "\(tenths / 10).\(tenths % 10) % of \(count)"
    }
    return "named without a box head: \(percent(base, baseCount)) objects of base classes, "
      + "\(percent(novel, novelCount)) of novel classes (\(classCount, "name") to choose from)"
  }

  /// Scores the model of a Hugging Face folder, read by the ordinary loader.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - data: Annotations, images, split and templates.
  ///   - stream: Where it runs.
  ///   - progress: Gets how many images are done and how many there are; what it throws ends it.
  /// - Throws: `CheckpointError`, `DatasetError` or `FormatError` when a file does not fit;
  ///   `OpenCLError`.
  package init(
    folder: String, data: CLIPTrainingConfiguration.Data, on stream: ComputeStream,
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let found = try ZeroShotCosines(folder: folder, data: data, on: stream, progress: progress)
    let base = Set(try found.split.baseLabels(in: found.categories, of: data.validationAnnotations))
    var right = [0, 0]
    var counts = [0, 0]
    for (label, row) in zip(found.labels, found.rows) {
      let part = base.contains(label) ? 0 : 1
      counts[part] += 1
      if row.indices.max(by: { row[$0] < row[$1] }) == label { right[part] += 1 }
    }
    self.init(
      baseCount: counts[0], base: Double(right[0]) / Double(max(1, counts[0])),
      novelCount: counts[1], novel: Double(right[1]) / Double(max(1, counts[1])),
      classCount: found.categories.count)
  }
}

/// How near a CLIP model sees each object, cut out by its box, to each class name.
package struct ZeroShotCosines: Sendable {
  /// The classes in the order of the annotations.
  package let categories: [COCOAnnotations.Category]
  /// The class of each object, an index of ``categories``.
  package let labels: [Int]
  /// The cosines of each object with all class names.
  package let rows: [[Float]]
  let split: OpenVocabularySplit
  /// Bounds the memory of the crops.
  private static let imagesAtATime = 32

  /// Looks at all objects with the model of a Hugging Face folder, read by the ordinary loader.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - data: Annotations, images, split and templates.
  ///   - cropScale: What boxes are enlarged by, about their centres, before they are cut out.
  ///   - stream: Where it runs.
  ///   - progress: Gets how many images are done, of how many.
  /// - Throws: `CheckpointError`, `DatasetError` or `FormatError` when a file does not fit;
  ///   `OpenCLError`.
  package init(
    folder: String, data: CLIPTrainingConfiguration.Data, cropScale: Float = 1,
    on stream: ComputeStream, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let weights = try CLIPWeights(folder: folder)
    let annotations = try DatasetError.naming("data.validation_annotations") {
      try COCOAnnotations(path: data.validationAnnotations)
    }
    let names = annotations.categories.map(\.name)
    categories = annotations.categories
    split = try TrainingData.split(
      classSplit: data.classSplit, of: annotations.categories, in: annotations.path)
    let text = try TextEncoder(
      weights, store: ParameterStore(stream: stream, seed: 0) { _ in true })
    let image = try ImageEncoder(
      weights, store: ParameterStore(stream: stream, seed: 0) { _ in true })
    let tokenizer = try Tokenizer(folder: folder)
    var labels: [Int] = []
    var rows: [[Float]] = []
    try stream.withoutGradients {
      let classes = try ClassEmbeddings.encode(
        names, tokenizer: tokenizer, encoder: text, output: .final,
        templates: { PromptTemplates.texts(for: $0, templates: data.templates) })
      for start in stride(from: 0, to: annotations.images.count, by: Self.imagesAtATime) {
        try progress(start, annotations.images.count)
        let end = min(start + Self.imagesAtATime, annotations.images.count)
        var crops: [(image: Image, box: Box)] = []
        for record in annotations.images[start..<end] where !record.objects.isEmpty {
          let picture = try record.picture(in: data.validationImages)
          let (width, height) = (Float(picture.width), Float(picture.height))
          for object in record.objects {
            let box = object.box.enlarged(by: cropScale, width: width, height: height)
            crops.append((picture, box))
            labels.append(object.label)
          }
        }
        guard !crops.isEmpty else { continue }
        let features = try image.imageFeatures(
          try CLIPCrops.cut(
            crops, longSide: data.longSide, size: weights.configuration.imageSize, on: stream)
        ).l2Normalized()
        let cosines = try features.matrixProduct(classes, transposeRight: true).floats()
        rows += crops.indices.map { Array(cosines[$0 * names.count..<($0 + 1) * names.count]) }
      }
    }
    try progress(annotations.images.count, annotations.images.count)
    self.labels = labels
    self.rows = rows
  }
}
