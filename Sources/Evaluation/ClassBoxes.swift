/// The objects and detections of one class, by ascending image; detections best score first.
struct ClassBoxes: Sendable {
  struct Object: Sendable {
    var image: Int
    var box: BoxXYWH
    var area: Double
    /// Neither to be found nor a false alarm.
    var isIgnored: Bool
    /// A crowd: it can be matched again and again, by overlap over the detection's area.
    var absorbsMany: Bool
  }

  struct Candidate: Sendable {
    var image: Int
    var box: BoxXYWH
    var score: Double
    /// No false alarm when it matches nothing.
    var isExempt: Bool
  }

  var objects: [Object] = []
  var candidates: [Candidate] = []

  /// Brings both lists into the order that matching needs; equal keys keep their order.
  mutating func sort() {
    objects = Self.stablySorted(objects) { $0.image == $1.image ? nil : $0.image < $1.image }
    candidates = Self.stablySorted(candidates) { left, right in
      if left.image != right.image { return left.image < right.image }
      return left.score == right.score ? nil : left.score > right.score
    }
  }

  /// Sorts; `precedes` gives nil for equal elements.
  static func stablySorted<Element>(
    _ elements: [Element], by precedes: (Element, Element) -> Bool?
  ) -> [Element] {
    let order = elements.indices.sorted { precedes(elements[$0], elements[$1]) ?? ($0 < $1) }
    return order.map { elements[$0] }
  }
}

/// Which detections of a results file are scored against a ground truth.
struct DetectionSelection {
  /// Whether detections of categories that the ground truth does not list are left out silently.
  var dropsUnknownCategories = false
  /// The ids of the images that count; nil for all.
  var imageIDs: Set<Int>?

  /// Whether each image of a ground truth counts, by position.
  func images(of truth: GroundTruth) -> [Bool] {
    truth.images.map { imageIDs?.contains($0.id) ?? true }
  }

  /// Checks that every detection names an image and a category of the ground truth.
  func check(_ results: DetectionResults, against truth: GroundTruth) throws {
    func stray(_ field: String, _ ids: some Sequence<Int>, _ known: [Int: Int]) throws {
      var count = 0
      var first: Int?
      for id in ids where known[id] == nil {
        count += 1
        first = first ?? id
      }
      guard let first else { return }
      throw EvaluationError.unknownReference(
        file: results.source, list: "results", field: field, count: count, first: first,
        groundTruth: truth.source)
    }
    try stray("image_id", results.boxes.lazy.map(\.imageID), truth.imagePositions)
    if !dropsUnknownCategories {
      try stray("category_id", results.boxes.lazy.map(\.categoryID), truth.categoryPositions)
    }
  }
}
