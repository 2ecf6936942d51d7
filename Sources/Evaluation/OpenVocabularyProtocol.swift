import Annotations

/// How the classes of a data set are divided, which also chooses the protocol.
package enum ClassSplit: Sendable, Equatable {
  /// Plain COCO, no groups.
  case none
  /// OV-COCO with class lists by name (spec evaluation 5.2).
  case names(base: [String], novel: [String])
  /// OV-COCO with class lists by category id.
  case categories(base: [Int], novel: [Int])
  /// OV-COCO as released: one ground truth file per group, over the same images and categories.
  case files(base: String, novel: String)
  /// OV-LVIS: rare, common and frequent classes as the ground truth names them (spec evaluation 5.5).
  case frequency
  /// PASCAL VOC by the rule of its devkit, no groups (spec evaluation 5.6).
  case voc
}

/// A class's place in an open-vocabulary split.
package enum ClassGroup: String, Sendable, Equatable, CaseIterable {
  /// Trained with boxes.
  case base
  /// Never seen with boxes.
  case novel
  /// LVIS: in fewer than 10 training images; the novel classes of OV-LVIS.
  case rare
  /// LVIS: in 10 to 99 training images.
  case common
  /// LVIS: in 100 training images or more.
  case frequent

  init(_ frequency: COCOAnnotations.Frequency) {
    self =
      switch frequency {
      case .rare: .rare
      case .common: .common
      case .frequent: .frequent
      }
  }
}

/// Base and novel classes as positions in a ground truth's categories.
struct OpenVocabularyGroups: Equatable {
  let base: [Int]
  let novel: [Int]

  /// Whether all its classes are those of the OV-COCO benchmark, each in its group.
  func areOfBenchmark(in truth: GroundTruth) -> Bool {
    let benchmark = OpenVocabularySplit.openVocabularyCOCO
    func names(_ positions: [Int]) -> Set<String> {
      Set(positions.map { truth.categories[$0].name })
    }
    return names(base).isSubset(of: benchmark.base) && names(novel).isSubset(of: benchmark.novel)
  }

  init(names base: [String], novel: [String], in truth: GroundTruth) throws {
    let positions = Dictionary(
      truth.categories.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { $1 })
    try self.init(
      base: Self.resolve(base, positions, group: "base", truth),
      novel: Self.resolve(novel, positions, group: "novel", truth), truth)
  }

  init(categories base: [Int], novel: [Int], in truth: GroundTruth) throws {
    let positions = truth.labels
    try self.init(
      base: Self.resolve(base, positions, group: "base", truth),
      novel: Self.resolve(novel, positions, group: "novel", truth), truth)
  }

  private init(base: [Int], novel: [Int], _ truth: GroundTruth) throws {
    if let shared = base.first(where: Set(novel).contains) {
      throw EvaluationError.classInBothGroups(name: truth.categories[shared].name)
    }
    // A data set may have classes of one group alone.
    guard !base.isEmpty || !novel.isEmpty else {
      throw EvaluationError.emptyList(file: truth.source, list: "base classes")
    }
    self.base = base
    self.novel = novel
  }

  /// All positions in both groups, ascending.
  var positions: [Int] { (base + novel).sorted() }

  private static func resolve<Key: Hashable>(
    _ keys: [Key], _ positions: [Key: Int], group: String, _ truth: GroundTruth
  ) throws -> [Int] {
    let unknown = keys.filter { positions[$0] == nil }
    if let first = unknown.first {
      throw EvaluationError.unknownClasses(
        group: group, count: unknown.count, first: "\(first)", groundTruth: truth.source)
    }
    var seen = Set<Key>()
    if let twice = keys.first(where: { !seen.insert($0).inserted }) {
      throw EvaluationError.duplicate(
        file: truth.source, list: "\(group) classes", value: "\(twice)")
    }
    return keys.compactMap { positions[$0] }
  }
}
