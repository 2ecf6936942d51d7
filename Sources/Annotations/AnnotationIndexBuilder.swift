import Formats
import Geometry

/// Puts records into columns and, when all are there, replaces the ids that they name by positions.
///
/// The rules for what files get wrong are here, the same for training and scoring; the guide
/// `docs/annotations.md` lists them.
package struct AnnotationIndexBuilder {
  /// An image as a file has it.
  package struct ImageEntry {
    package var id = 0
    /// Empty when there is none.
    package var fileName = ""
    /// 0 when it is not given.
    package var width: Int32 = 0
    package var height: Int32 = 0
    /// Ids of categories.
    package var absent: [Int] = []
    package var partial: [Int] = []
    var captions: [String] = []

    package init() {}
  }

  /// An annotation as a file has it.
  package struct AnnotationEntry {
    package var id: Int?
    package var image = 0
    package var category = 0
    package var box = FileBox.zero
    package var area: Double?
    package var flags: AnnotationIndex.Flags = []
    /// The first byte of the mask, or -1.
    package var segmentation = -1

    package init() {}
  }

  /// Labels and positions follow when all ids are known.
  private var index: AnnotationIndex
  private var imageIDs: [Int] = []
  private var categoryIDs: [Int] = []
  private var absentIDs: [Int] = []
  private var partialIDs: [Int] = []
  private var withoutArea = RecordTally()

  package init(path: String) { index = AnnotationIndex(emptyFor: path) }

  package mutating func append(_ category: COCOAnnotations.Category) {
    index.categories.append(category)
  }

  package mutating func append(_ entry: ImageEntry) {
    index.images.ids.append(entry.id)
    index.images.fileNames.append(entry.fileName)
    index.images.widths.append(entry.width)
    index.images.heights.append(entry.height)
    absentIDs += entry.absent
    partialIDs += entry.partial
    index.images.absent.ends.append(absentIDs.count)
    index.images.partial.ends.append(partialIDs.count)
  }

  package mutating func append(_ entry: AnnotationEntry) {
    index.annotations.ids.append(entry.id ?? AnnotationIndex.noID)
    imageIDs.append(entry.image)
    categoryIDs.append(entry.category)
    index.annotations.boxes.append(entry.box)
    index.annotations.areas.append(entry.area ?? .nan)
    index.annotations.flags.append(entry.flags.rawValue)
    index.annotations.segmentations.append(entry.segmentation)
    if entry.area == nil {
      withoutArea.count(index.place(ofAnnotation: index.annotationCount - 1))
    }
  }

  /// The finished index.
  ///
  /// - Throws: ``DatasetError`` for an empty list, ids or names that stand twice, or an annotation of
  ///   an image that is not listed.
  package consuming func index(quotedNumbers: RecordTally = RecordTally()) throws -> AnnotationIndex
  {
    try checkLists()
    index.categories.sort { $0.id < $1.id }
    let labels = Dictionary(
      uniqueKeysWithValues: index.categories.enumerated().map { ($0.element.id, Int32($0.offset)) })
    try resolveImages()
    let unknown = resolveLabels(labels)
    try checkNames()
    index.images.absent.resolve(absentIDs, labels)
    index.images.partial.resolve(partialIDs, labels)
    let kept = index.images.absent.values.count + index.images.partial.values.count
    let lost = absentIDs.count + partialIDs.count - kept
    index.warnings = [
      quotedNumbers.line("number stands", "numbers stand", "in quotes: read as numbers"),
      withoutArea.line("box", "boxes", "without \"area\": computed from width and height"),
      unknown.line(
        "annotation", "annotations",
        "of a category that \"categories\" does not list: left out"),
      similarNames, sharedPictures,
    ].compactMap { $0 }
    if lost > 0 {
      index.warnings.append(
        "\(lost, "id") in \"neg_category_ids\" and \"not_exhaustive_category_ids\" "
          + "\(lost.verb("is", "are")) not in "
          + "\"categories\": left out; check that both are of the same version of the data set")
    }
    return index
  }

  // MARK: Checks

  private func fault(_ place: String, _ field: String, _ reason: String) -> DatasetError {
    .record(file: index.path, place: place, field: field, reason: reason)
  }

  private func checkLists() throws {
    guard index.imageCount > 0 else { throw DatasetError.noImages(in: index.path) }
    guard !index.categories.isEmpty else {
      throw fault("", "categories", "is empty; name the classes, check that this is the right file")
    }
    // Positions are kept in 32 bits.
    guard max(index.imageCount, index.annotationCount) < Int(Int32.max) else {
      throw fault("", "annotations", "has more records than can be counted; divide the file")
    }
    try DatasetError.requireUnique(index.images.ids, "images", index.path)
    try DatasetError.requireUnique(index.categories.map(\.id), "categories", index.path)
    try DatasetError.requireUnique(index.annotations.ids, "annotations", index.path)
  }

  /// Two classes of one name would be one row of scores: every box of the second would be lost.
  private func checkNames() throws {
    var known: [String: Int] = [:]
    for (label, category) in index.categories.enumerated() {
      let name = category.name
      guard !name.isEmpty else {
        throw fault("category \(category.id)", "name", "is empty; a class needs a name")
      }
      guard let first = known.updateValue(label, forKey: name) else { continue }
      let counts = [first, label].map { number in
        let uses = index.annotations.labels.count { $0 == Int32(number) }
        return "\(index.categories[number].id) (\(uses, "annotation"))"
      }
      throw fault(
        "", "categories",
        "the name \"\(name)\" stands twice, as ids \(counts.joined(separator: " and ")); rename "
          + "one, or remove the one that is not used")
    }
  }

  /// Names that are probably one class written in two ways; they count as two.
  private var similarNames: String? {
    var known: [String: COCOAnnotations.Category] = [:]
    var pairs = RecordTally()
    for category in index.categories {
      let key = ClassName.bare(ClassName.plain(category.name))
      guard let first = known[key] else {
        known[key] = category
        continue
      }
      let ways = ClassName.differences(first.name, category.name)
      pairs.count(
        "\"\(first.name)\" (id \(first.id)) and \"\(category.name)\" (id \(category.id)) differ only in "
          + ways)
    }
    return pairs.line(
      "class name is", "class names are",
      "nearly that of another class: if they are one class, give their annotations one id")
  }

  /// Records of one picture: each has only its own annotations, the others' objects are background.
  private var sharedPictures: String? {
    var known: [String: Int] = [:]
    var shared = RecordTally()
    for (number, name) in index.images.fileNames.enumerated() where !name.isEmpty {
      guard let first = known[name] else {
        known[name] = number
        continue
      }
      shared.count(
        "images[\(number)] (id \(index.images.ids[number])), \"\(name)\", as images[\(first)]")
    }
    return shared.line(
      "image has", "images have",
      "the picture of another: objects that only the other record has count as background")
  }

  // MARK: References

  private mutating func resolveImages() throws {
    let positions = Dictionary(
      uniqueKeysWithValues: index.images.ids.enumerated().map { ($0.element, Int32($0.offset)) })
    index.annotations.images = try imageIDs.enumerated().map { number, id in
      guard let position = positions[id] else {
        throw fault(
          index.place(ofAnnotation: number), "image_id",
          "there is no image \(id) in \"images\"; check that the file is whole and not a mixture")
      }
      return position
    }
  }

  /// The annotations of categories that are not listed.
  private mutating func resolveLabels(_ labels: [Int: Int32]) -> RecordTally {
    var unknown = RecordTally()
    index.annotations.labels = categoryIDs.enumerated().map { number, id in
      if let label = labels[id] { return label }
      unknown.count("\(index.place(ofAnnotation: number)), category \(id)")
      return -1
    }
    return unknown
  }
}

extension RaggedLabels {
  /// Takes the labels of ids, list by list as ``ends`` divides them; unknown ids are left out.
  fileprivate mutating func resolve(_ ids: [Int], _ labels: [Int: Int32]) {
    var start = 0
    for (list, end) in ends.enumerated() {
      values += ids[start..<end].compactMap { labels[$0] }
      ends[list] = values.count
      start = end
    }
  }
}

extension DatasetError {
  static func noImages(in file: String) -> DatasetError {
    .record(
      file: file, place: "", field: "images", reason: "is empty; check that this is the right file")
  }

  /// Checks that no id of a list stands twice; ``AnnotationIndex/noID`` is none.
  static func requireUnique(_ ids: [Int], _ list: String, _ file: String) throws {
    // Files with ascending ids, the usual ones, need no look-up.
    guard zip(ids, ids.dropFirst()).contains(where: { $0 >= $1 }) else { return }
    let sorted = ids.sorted()
    let repeated = zip(sorted, sorted.dropFirst()).first {
      $0 == $1 && $0 != AnnotationIndex.noID
    }
    guard let id = repeated?.0, let first = ids.firstIndex(of: id),
      let second = ids[(first + 1)...].firstIndex(of: id)
    else { return }
    throw DatasetError.record(
      file: file, place: "\(list)[\(second)] (id \(id))", field: "id",
      reason: "is already the id of \(list)[\(first)]; ids must be unique")
  }
}
