import Formats
import Geometry

/// How often the right one of two names was given to a shape that has two; chance is one half.
package struct NameChoice: Sendable, Equatable {
  /// An object of a picture, or what was found there.
  package struct Finding: Sendable {
    let image: Int
    let name: String
    let box: Box
    let score: Double

    package init(image: Int, name: String, box: Box, score: Double = 1) {
      self.image = image
      self.name = name
      self.box = box
      self.score = score
    }
  }

  /// Objects of one part of the classes.
  package struct Count: Sendable, Equatable {
    /// Objects that either name was given to.
    package fileprivate(set) var found = 0
    /// Those that got the right one.
    package fileprivate(set) var right = 0

    /// The share that got the right name, in percent; nil when none was found.
    package var percent: Double? { found == 0 ? nil : 100 * Double(right) / Double(found) }
  }

  /// Objects of base classes.
  package private(set) var base = Count()
  /// Objects of novel classes.
  package private(set) var novel = Count()
  private let other: [String: String]
  private let novelNames: Set<String>

  private init?(_ kind: WorldKind) {
    let pairs = kind.classes.flatMap { one in
      kind.classes.filter { $0.glyph == one.glyph && $0 != one }.map { (one.name, $0.name) }
    }
    guard !pairs.isEmpty else { return nil }
    other = Dictionary(pairs) { first, _ in first }
    novelNames = Set(kind.novel.map(\.name))
  }

  private mutating func count(_ name: String, isRight: Bool) {
    let part = novelNames.contains(name) ? \NameChoice.novel : \.base
    self[keyPath: part].found += 1
    if isRight { self[keyPath: part].right += 1 }
  }

  /// Counts a detector's choices: of the findings that overlap an object by an IoU above 0.5 and have
  /// one of its two names, the surest decides.
  ///
  /// - Parameters:
  ///   - kind: The world; nil comes of one in which no shape has two names.
  ///   - objects: What is there.
  ///   - findings: What was found.
  package init?(kind: WorldKind, objects: [Finding], findings: [Finding]) {
    self.init(kind)
    let found = Dictionary(grouping: findings, by: \.image)
    for object in objects {
      guard let wrong = other[object.name] else { continue }
      func best(_ name: String) -> Double {
        (found[object.image] ?? []).filter { $0.name == name && $0.box.iou(with: object.box) > 0.5 }
          .map(\.score).max() ?? 0
      }
      let scores = (right: best(object.name), wrong: best(wrong))
      guard max(scores.right, scores.wrong) > 0 else { continue }
      count(object.name, isRight: scores.right > scores.wrong)
    }
  }

  /// Counts a teacher's choices: the nearer of an object's two names.
  ///
  /// - Parameters:
  ///   - kind: The world; nil comes of one in which no shape has two names.
  ///   - names: The classes.
  ///   - labels: The class of each object.
  ///   - cosines: How near the teacher sees each object to each class.
  package init?(kind: WorldKind, names: [String], labels: [Int], cosines: [[Float]]) {
    self.init(kind)
    for (label, row) in zip(labels, cosines) {
      guard let wrong = other[names[label]].flatMap(names.firstIndex(of:)) else { continue }
      count(names[label], isRight: row[label] > row[wrong])
    }
  }

  /// The counts for programs.
  package var json: JSONValue {
    func value(_ count: Count) -> JSONValue {
      ["found": .number(Double(count.found)), "right": .number(Double(count.right))]
    }
    return ["base": value(base), "novel": value(novel)]
  }
}
