import Annotations
import Formats
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
  /// What is looked for when a request names no words; nil takes ``classes``.
  private let words: [ClassName]?
  /// From which scores on objects are shown when a request names none.
  let scores: ShownScores
  /// The words that training had boxes of; nil where nobody knows.
  let trained: [String]?
  /// Which state of the text encoder is compared.
  let feature: String
  private let plainTrained: Set<String>

  init(_ options: Server.Options) {
    let location = options.location
    name = location.name
    program = options.program
    iteration = location.iteration
    classes = (try? location.classes()) ?? []
    scores = options.scores
    trained = options.trained
    plainTrained = Set((options.trained ?? []).map(ClassName.plain))
    feature = location.configuration.model.head.feature == .final ? "final" : "last_block"
    words = options.words
  }

  /// What a request asks for.
  ///
  /// - Parameters:
  ///   - words: Its words; nil takes the model's own.
  ///   - onlyAsked: Whether nothing else competes.
  ///   - scores: From which scores on objects are shown; nil takes the usual.
  /// - Returns: The query; nil where there are no words.
  func query(
    _ words: [String]? = nil, onlyAsked: Bool = false, scores: ShownScores? = nil
  ) -> ObjectQuery? {
    let asked = words.map { $0.map { ClassName($0) } } ?? self.words
    guard asked != nil || !classes.isEmpty else { return nil }
    return ObjectQuery(
      asked, own: classes.map(\.name), trained: trained ?? [], onlyAsked: onlyAsked,
      scores: scores ?? self.scores)
  }

  /// Whether training had boxes of a word: true, false, or null where nobody knows.
  func wasTrained(_ word: String) -> JSONValue {
    trained == nil ? .null : .bool(plainTrained.contains(ClassName.plain(word)))
  }

  /// Least scores by group.
  static func json(_ scores: ShownScores) -> JSONValue {
    ["trained": .number(scores.base), "others": .number(scores.novel)]
  }

  /// All of it for the page and for programs.
  func json(_ limits: ServerLimits) -> JSONValue {
    [
      "name": .string(name), "program": .string(program),
      "iteration": iteration.map { .number(Double($0)) } ?? .null,
      "classes": .array(
        classes.map {
          ["name": .string($0.name), "trained": wasTrained($0.name)]
        }),
      "words": .array((query()?.names ?? []).map { .string($0) }),
      "thresholds": Self.json(scores),
      "limits": [
        "body_bytes": .number(Double(limits.bodyBytes)), "pixels": .number(Double(limits.pixels)),
        "words": .number(Double(limits.words)), "objects": .number(Double(limits.objects)),
        "seconds": .number(limits.seconds),
      ],
    ]
  }
}
