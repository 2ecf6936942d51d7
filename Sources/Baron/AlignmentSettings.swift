import CLIP
import Layers
import Loading
import Settings

/// The settings of a method: a section of the configuration that also knows how to build it.
package protocol AlignmentSettings: Sendable, Equatable {
  /// Whether the method is switched on.
  var isEnabled: Bool { get }

  /// The key that switched it on, with its value, and what else to give to switch it off.
  var switchedOn: (by: String, orGive: String) { get }

  /// The stream whose images it aligns.
  var stream: ImageStream { get }

  /// The most positions that one of its sentences can take (spec method 1.8).
  ///
  /// - Parameter words: Words per region K.
  /// - Returns: All words, start and end.
  func longestSentence(words: Int) -> Int

  /// What no single key can know.
  ///
  /// - Parameters:
  ///   - words: Words per region K.
  ///   - contextLength: Positions that the text encoder takes.
  /// - Returns: Whole keys with the reason why their values do not go together.
  func conflicts(words: Int, contextLength: Int) -> [(key: String, reason: String)]

  /// Builds the method.
  ///
  /// - Parameter parts: What methods are made of.
  /// - Throws: `CheckpointError` when the CLIP folder does not fit; `OpenCLError`.
  func method(_ parts: AlignmentParts) throws -> any AlignmentMethod

  /// Rows of all queues of a replica once they are full.
  var queueRows: Int { get }
}

/// What methods are made of; parts with weights are built when a method first asks for them.
package final class AlignmentParts {
  /// Words per region K.
  package let words: Int
  /// The text encoder, on the student's stream.
  package let text: TextEncoder
  /// The text encoder's tokenizer.
  package let tokenizer: Tokenizer
  private let scope: ParameterScope
  private let makeTeacher: () throws -> ImageEncoder
  private var teacher: ImageEncoder?
  private var positions: [String: PositionEmbedding] = [:]

  /// Collects the parts: `scope` is where the methods' own parameters are named, `teacher` builds the
  /// image encoder.
  package init(
    _ scope: ParameterScope, words: Int, text: TextEncoder, tokenizer: Tokenizer,
    teacher: @escaping () throws -> ImageEncoder
  ) {
    self.scope = scope
    self.words = words
    self.text = text
    self.tokenizer = tokenizer
    makeTeacher = teacher
  }

  /// The image encoder on the teacher's stream, the same for every method.
  package func imageEncoder() throws -> ImageEncoder {
    let encoder = try teacher ?? makeTeacher()
    teacher = encoder
    return encoder
  }

  /// The position embedding whose parameters are named at a place, the same for every method that
  /// names it.
  package func position(_ place: String) throws -> PositionEmbedding {
    let embedding =
      try positions[place]
      ?? PositionEmbedding(
        scope / place / "positional_embed", words: words, width: text.configuration.text.width)
    positions[place] = embedding
    return embedding
  }
}

/// Rows of the queues of a loss, the student's and the teacher's.
package struct QueueLengths: Sendable, Equatable {
  /// Rows of the queue of the student's embeddings.
  package var student: Int
  /// Rows of the queue of the teacher's embeddings.
  package var teacher: Int

  package init(student: Int, teacher: Int) {
    self.student = student
    self.teacher = teacher
  }

  /// Rows of both.
  var sum: Int { student + teacher }
}

extension QueueLengths: ExpressibleByIntegerLiteral {
  /// Two queues of one length.
  package init(integerLiteral length: Int) {
    self.init(student: length, teacher: length)
  }
}

extension QueueLengths: SettingsValue {
  package static var expectation: String { "a whole number" }

  /// One number for both, or a section with `student` and `teacher`.
  package init?(node: SettingsNode) {
    if let length = Int(node: node) {
      self.init(integerLiteral: length)
      return
    }
    guard case .section(let entries) = node, entries.count == 2,
      let student = entries.first(where: { $0.key == "student" }).flatMap({ Int(node: $0.value) }),
      let teacher = entries.first(where: { $0.key == "teacher" }).flatMap({ Int(node: $0.value) })
    else { return nil }
    self.init(student: student, teacher: teacher)
  }

  package var settingText: String {
    student == teacher
      ? student.settingText : "{student: \(student), teacher: \(teacher)}"
  }
}

extension ValueRule where Value == QueueLengths {
  /// Any lengths of queues.
  static var lengths: Self {
    let length = ValueRule<Int>.atLeast(0)
    return Self(
      "\(length.expected), or {student: ROWS, teacher: ROWS} for queues of two lengths"
    ) { length.accepts($0.student) && length.accepts($0.teacher) }
  }
}
