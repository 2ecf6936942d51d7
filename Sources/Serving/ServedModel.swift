import Annotations
import Formats
import Geometry
import Training

/// What a server says of its model.
struct ServedModel: Sendable {
  /// What people call it.
  let name: String
  /// The program that serves it.
  let program: String
  let iteration: Int?
  /// The classes of its data set; empty when they are not known.
  let classes: [ModelBundle.NamedClass]
  /// The words that are looked for when a request names none.
  let ownWords: [String]
  /// The least score when a request names none.
  let usualThreshold: Float
  /// Scores worth showing, as the run found them.
  let thresholds: RunThresholds?
  /// Which state of the text encoder is compared.
  let feature: String
  private let groups: [String: Bool?]

  init(
    _ location: ModelLocation, classes: [ModelBundle.NamedClass], words: [String],
    threshold: Float, program: String
  ) {
    name = location.name
    self.program = program
    iteration = location.iteration
    self.classes = classes
    ownWords = words
    usualThreshold = threshold
    thresholds = location.thresholds
    feature = location.configuration.model.head.feature == .final ? "final" : "last_block"
    groups = Dictionary(classes.map { (ClassName.plain($0.name), $0.isBase) }) { first, _ in first }
  }

  /// Whether training had boxes of a word: true, false, or null where nobody knows.
  func wasTrained(_ word: String) -> JSONValue {
    guard classes.contains(where: { $0.isBase != nil }) else { return .null }
    return .bool((groups[ClassName.plain(word)] ?? false) ?? false)
  }

  /// The model's own words that are not among those of a request.
  func others(than words: [String]) -> [String] {
    let asked = Set(words.map(ClassName.plain))
    return classes.map(\.name).filter { !asked.contains(ClassName.plain($0)) }
  }

  /// All of it for the page and for programs.
  func json(_ limits: ServerLimits) -> JSONValue {
    [
      "name": .string(name), "program": .string(program),
      "iteration": iteration.map { .number(Double($0)) } ?? .null,
      "classes": .array(
        classes.map {
          ["name": .string($0.name), "trained": $0.isBase.map { .bool($0) } ?? .null]
        }),
      "words": .array(ownWords.map { .string($0) }),
      "threshold": .number(Double(usualThreshold)),
      "thresholds": thresholds.map {
        ["trained": .number($0.base), "others": .number($0.novel)]
      } ?? .null,
      "same_place": .number(Double(Suppression.sameObject)),
      "limits": [
        "body_bytes": .number(Double(limits.bodyBytes)), "pixels": .number(Double(limits.pixels)),
        "words": .number(Double(limits.words)), "objects": .number(Double(limits.objects)),
        "seconds": .number(limits.seconds),
      ],
    ]
  }
}
