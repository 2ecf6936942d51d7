import Annotations
import CLIP
import Checkpoints
import Formats

/// What a detector looks for.
package enum Vocabulary: Sendable, Equatable {
  /// The classes of the run's training or validation annotations by ascending id.
  case dataSet([String])
  /// Whatever a user names.
  case classes([ClassName])

  /// The names that results show.
  package var names: [String] {
    switch self {
    case .dataSet(let names): names
    case .classes(let classes): classes.map(\.name)
    }
  }

  /// The classes, those of a data set without synonyms.
  package var classes: [ClassName] {
    switch self {
    case .dataSet(let names): names.map { ClassName($0) }
    case .classes(let classes): classes
    }
  }
}

/// Where the embeddings of a run's classes come from: the file `clip.class_embeddings`, or the text
/// encoder.
struct ClassEmbeddingSource {
  let embedder: ClassEmbedder
  private let feature: EmbeddingFeature
  private let width: Int
  private let file: ClassEmbeddingsFile?
  /// Which file a data set's classes stand in, for errors.
  private let annotations: String
  /// Annotations whose classes the rows of a file without names may be, the likeliest first.
  private let candidates: [String]

  /// Opens the file, if the configuration names one.
  init(_ configuration: RunConfiguration, encoder: TextEncoder) throws {
    embedder = try ClassEmbedder(
      folder: configuration.clip.folder, encoder: encoder, templates: configuration.clip.templates)
    feature = configuration.model.head.feature == .final ? .final : .lastBlock
    width = feature.width(of: encoder.configuration)
    let path = configuration.clip.classEmbeddings
    file = try path.isEmpty ? nil : ClassEmbeddingsFile(path: path)
    let data = configuration.data
    annotations = data.trainAnnotations.isEmpty ? data.validationAnnotations : data.trainAnnotations
    candidates = [data.validationAnnotations, data.trainAnnotations].filter { !$0.isEmpty }
  }

  /// One unit row a class.
  ///
  /// A data set's classes must be those of the file, row by row. Other names are taken from a file
  /// that has all of them, and are encoded otherwise: rows of two sources do not compare. The rows
  /// of a file without names are those of the run's annotations, if there are as many.
  func embeddings(of vocabulary: Vocabulary, note: (String) -> Void) throws -> EmbeddingMatrix {
    switch vocabulary {
    case .dataSet(let names):
      guard let file else { return try embedder.embed(names.map { ClassName($0) }, feature) }
      return try rows(of: names, in: file)
    case .classes(let classes):
      guard let file else { return try embedder.embed(classes, feature) }
      if let rows = try rows(of: classes, in: file, note: note) { return rows }
      return try embedder.embed(classes, feature)
    }
  }

  /// The rows that the file holds of classes, or nil.
  func stored(_ classes: [ClassName]) throws -> EmbeddingMatrix? {
    try file.flatMap { try rows(of: classes, in: $0) { _ in } }
  }

  /// The rows that the text encoder gives; whoever asks often keeps them.
  func encode(_ classes: [ClassName]) throws -> EmbeddingMatrix {
    try embedder.encode(classes, feature)
  }

  private func rows(of names: [String], in file: ClassEmbeddingsFile) throws -> EmbeddingMatrix {
    let matrix = try file.matrix(feature, width: width)
    func refuse(_ reason: String) -> CheckpointError {
      .file(path: file.path, reason: "clip.class_embeddings " + reason)
    }
    guard matrix.count == names.count else {
      throw refuse(
        "has \(matrix.count, "row"), the data set \(names.count, "class"); give one row for each "
          + "class of its annotations (\(annotations)) by ascending id")
    }
    let written = file.classes?.map(\.name) ?? names
    for (index, (name, wanted)) in zip(written, names).enumerated()
    where ClassName.plain(name) != ClassName.plain(wanted) {
      throw refuse(
        "names row \(index) \"\(name)\", the data set's class there is \"\(wanted)\"; write the "
          + "rows in the order of its annotations (\(annotations))")
    }
    return matrix
  }

  /// The rows of names that the file has, or nil with a note when it lacks one.
  private func rows(
    of classes: [ClassName], in file: ClassEmbeddingsFile, note: (String) -> Void
  ) throws -> EmbeddingMatrix? {
    let matrix = try file.matrix(feature, width: width)
    guard let known = try file.classes ?? names(of: matrix.count, in: file, note: note) else {
      return nil
    }
    let places = Dictionary(
      known.enumerated().map { (ClassName.plain($1.name), $0) }
    ) { first, _ in first }
    var groups: [[Int]] = []
    for entry in classes {
      var group: [Int] = []
      // A class's row stands for its synonyms too.
      var covered: Set<String> = []
      for name in entry.all where !covered.contains(ClassName.plain(name)) {
        guard let place = places[ClassName.plain(name)] else {
          note(
            "\(file.path) (clip.class_embeddings) has no \"\(name)\": the whole vocabulary is "
              + "encoded with templates instead")
          return nil
        }
        if !group.contains(place) { group.append(place) }
        covered.formUnion(known[place].all.map(ClassName.plain))
      }
      groups.append(group)
    }
    return matrix.unitMeans(of: groups)
  }

  /// The classes of the run's annotations, when a file without names has a row for each of them; nil
  /// with a note when it has not.
  private func names(
    of rows: Int, in file: ClassEmbeddingsFile, note: (String) -> Void
  ) throws -> [ClassName]? {
    var reasons: [String] = []
    for path in candidates {
      do {
        let names = try COCOAnnotations.Category.list(ofFile: path).map(\.name)
        guard names.count == rows else {
          reasons.append("\(path) has \(names.count, "class")")
          continue
        }
        // A file whose synonyms are no vocabulary still has names.
        let written = (try? VocabularyNames(file: path))?.classes ?? []
        let known = Dictionary(written.map { ($0.name, $0) }) { first, _ in first }
        return names.map { known[$0] ?? ClassName($0) }
      } catch let error as DatasetError {
        reasons.append("\(error)")
      }
    }
    note(
      "\(file.path) (clip.class_embeddings) holds no names, and its "
        + "\(rows, "row") \(rows.verb("fits", "fit")) no annotations"
        + (reasons.isEmpty ? "" : " (\(reasons.joined(separator: "; ")))")
        + ": the vocabulary is encoded with templates instead")
    return nil
  }
}
