import Formats

/// Which classes are seen in training (base) and which only at test time (novel).
package struct OpenVocabularySplit: Sendable, Equatable {
  /// The names of the base classes.
  package let base: [String]
  /// The names of the novel classes.
  package let novel: [String]
  /// The file, or what the built-in split is called.
  package let source: String

  /// Creates a split.
  ///
  /// - Parameters:
  ///   - base: The names of the base classes.
  ///   - novel: The names of the novel classes.
  ///   - source: What errors call the split.
  /// - Throws: ``DatasetError`` when there is no base class or a name stands twice.
  package init(base: [String], novel: [String], source: String) throws {
    guard !base.isEmpty else {
      throw DatasetError.record(
        file: source, place: "", field: "base", reason: "is empty; training needs a base class")
    }
    var seen: Set<String> = []
    for name in base + novel where !seen.insert(name).inserted {
      throw DatasetError.record(
        file: source, place: "", field: novel.contains(name) ? "novel" : "base",
        reason: "the class \"\(name)\" stands twice; a class is either base or novel")
    }
    self.init(checkedBase: base, novel: novel, source: source)
  }

  private init(checkedBase: [String], novel: [String], source: String) {
    base = checkedBase
    self.novel = novel
    self.source = source
  }

  /// Reads a split from JSON `{"base": [...], "novel": [...]}`; an element is a name or an object
  /// with a `name`.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` when the file is malformed or a name stands twice.
  package init(path: String) throws {
    let root: JSONValue
    do {
      root = try JSONValue(contentsOf: path)
    } catch let error as FormatError {
      throw DatasetError.record(file: path, place: error.place, field: "", reason: error.reason)
    }
    func names(_ field: String) throws -> [String] {
      guard let list = root[field]?.array else {
        throw DatasetError.record(
          file: path, place: "", field: field,
          reason: "is missing or not a list of class names; a split is {\"base\": [names], "
            + "\"novel\": [names]}, with [] where there are none")
      }
      return try list.enumerated().map { index, element in
        guard let name = element.string ?? element["name"]?.string else {
          throw DatasetError.record(
            file: path, place: "\(field)[\(index)]", field: "name", reason: "is missing")
        }
        return name
      }
    }
    try self.init(base: try names("base"), novel: try names("novel"), source: path)
  }

  /// The split of OV-LVIS: frequent and common classes are base, rare ones novel (spec evaluation 5.5).
  ///
  /// - Parameters:
  ///   - categories: The classes of the file, with their frequencies.
  ///   - source: The file, for the error.
  /// - Throws: ``DatasetError`` when a class has no frequency.
  package init(frequenciesOf categories: [COCOAnnotations.Category], source: String) throws {
    for (place, category) in categories.enumerated()
    where category.frequency == nil {
      throw DatasetError.record(
        file: source, place: "categories[\(place)] (\(category.name))", field: "frequency",
        reason: "is not \"f\", \"c\" or \"r\"; the split of OV-LVIS needs the frequencies of LVIS "
          + "files, give a split file for others")
    }
    try self.init(
      base: categories.filter { $0.frequency != .rare }.map(\.name),
      novel: categories.filter { $0.frequency == .rare }.map(\.name), source: source)
  }

  /// The labels of the base classes.
  ///
  /// - Parameters:
  ///   - categories: The classes of the data set.
  ///   - file: Their file, for the error.
  /// - Returns: One label for each base name.
  /// - Throws: ``DatasetError`` with the nearest name when one is not among them.
  package func baseLabels(
    in categories: [COCOAnnotations.Category], of file: String
  ) throws -> [Int] { try labels(of: base, in: categories, of: file) }

  /// The labels of the novel classes.
  ///
  /// - Parameters:
  ///   - categories: The classes of the data set.
  ///   - file: Their file, for the error.
  /// - Returns: One label for each novel name.
  /// - Throws: ``DatasetError`` with the nearest name when one is not among them.
  package func novelLabels(
    in categories: [COCOAnnotations.Category], of file: String
  ) throws -> [Int] { try labels(of: novel, in: categories, of: file) }

  private func labels(
    of names: [String], in categories: [COCOAnnotations.Category], of file: String
  ) throws -> [Int] { try categories.labels(of: names, source: "\(file): \(source)") }

  /// The 48 base and 17 novel COCO classes of the OV-COCO benchmark (spec evaluation 5.1).
  package static let openVocabularyCOCO = OpenVocabularySplit(
    checkedBase: [
      "person", "bicycle", "car", "motorcycle", "train", "truck", "boat", "bench", "bird", "horse",
      "sheep", "bear", "zebra", "giraffe", "backpack", "handbag", "suitcase", "frisbee", "skis",
      "kite", "surfboard", "bottle", "fork", "spoon", "bowl", "banana", "apple", "sandwich",
      "orange", "broccoli", "carrot", "pizza", "donut", "chair", "bed", "toilet", "tv", "laptop",
      "mouse", "remote", "microwave", "oven", "toaster", "refrigerator", "book", "clock", "vase",
      "toothbrush",
    ],
    novel: [
      "airplane", "bus", "cat", "dog", "cow", "elephant", "umbrella", "tie", "snowboard",
      "skateboard", "cup", "knife", "cake", "couch", "keyboard", "sink", "scissors",
    ], source: "the OV-COCO split")
}
