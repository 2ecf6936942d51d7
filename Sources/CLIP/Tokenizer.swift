import Formats
import Foundation

/// CLIP's byte-pair tokenizer: texts to token ids.
///
/// Source: spec clip 3.7. A tokenizer never changes; it may be shared between tasks.
package struct Tokenizer: Sendable {
  /// What happens to a text that does not fit into the context.
  package enum Overflow: Sendable {
    /// An error: for class prompts, which must not lose words.
    case reject
    /// The tail is cut and the end id takes the last place: for captions.
    case truncate
  }

  /// How long the rows of a batch become.
  package enum Padding: Sendable {
    /// As long as the context.
    case context
    /// As long as the longest row.
    case longest
  }

  /// The number of token ids.
  package let vocabularySize: Int
  /// The id that starts a text.
  package let startID: Int
  /// The id that ends a text.
  package let endID: Int
  private let vocabulary: BytePairVocabulary

  /// Reads the tokenizer of a Hugging Face model folder.
  ///
  /// - Parameter folder: The folder's path, with `vocab.json` and `merges.txt` or else `tokenizer.json`.
  /// - Throws: `FormatError` or ``TokenizerError`` when a file is missing, damaged or does not fit
  ///   the other.
  package init(folder: String) throws {
    let files = Self.files(of: folder)
    self.init(
      files.count == 1
        ? try BytePairVocabulary(tokenizer: files[0])
        : try BytePairVocabulary(vocabulary: files[0], merges: files[1]))
  }

  /// The files of a folder that the tokenizer is read from.
  ///
  /// - Parameter folder: The folder's path.
  /// - Returns: Their paths.
  static func files(of folder: String) -> [String] {
    let pair = ["\(folder)/vocab.json", "\(folder)/merges.txt"]
    let single = "\(folder)/tokenizer.json"
    return !pair.allSatisfy(RegularFile.exists) && RegularFile.exists(single) ? [single] : pair
  }

  /// Reads the tokenizer from CLIP's own merge table `bpe_simple_vocab_16e6.txt.gz`.
  ///
  /// - Parameter mergeTable: The file's path.
  /// - Throws: `FormatError` or ``TokenizerError`` when the file is missing or damaged.
  package init(mergeTable: String) throws {
    self.init(try BytePairVocabulary(mergeTable: mergeTable))
  }

  private init(_ vocabulary: BytePairVocabulary) {
    self.vocabulary = vocabulary
    vocabularySize = vocabulary.size
    startID = vocabulary.startID
    endID = vocabulary.endID
  }

  /// The ids of a text without start and end.
  ///
  /// - Parameter text: Any text; it is cleaned first.
  /// - Returns: As many ids as the text needs, none for an empty text.
  package func ids(_ text: String) -> [Int] {
    var ids: [Int] = []
    TextSplitter.split(TextCleaning.clean(text)) { piece in
      switch piece {
      case .start: ids.append(startID)
      case .end: ids.append(endID)
      case .word(let scalars): vocabulary.append(scalars, to: &ids)
      }
    }
    return ids
  }

  /// The rows that the text encoder takes: start, ids, end, zeros.
  ///
  /// - Parameters:
  ///   - texts: The texts, one a row.
  ///   - contextLength: The most ids of a row, start and end included; at least 2.
  ///   - overflow: What happens to a longer text.
  ///   - padding: How long the rows become.
  /// - Returns: Rows of equal length; none for no texts.
  /// - Throws: ``TokenizerError`` when a text is too long and `overflow` is `reject`.
  package func encode(
    _ texts: [String], contextLength: Int = 77, overflow: Overflow, padding: Padding = .context
  ) throws -> [[Int32]] {
    precondition(contextLength >= 2, "a context of \(contextLength) has no room for start and end")
    var rows = try texts.map { text in
      var row = [startID] + ids(text) + [endID]
      if row.count > contextLength {
        guard overflow == .truncate else {
          throw TokenizerError.tooLong(text: text, count: row.count, limit: contextLength)
        }
        row = row.prefix(contextLength - 1) + [endID]
      }
      return row.map { Int32($0) }
    }
    let length = padding == .context ? contextLength : rows.map(\.count).max() ?? 0
    for index in rows.indices {
      rows[index] += [Int32](repeating: 0, count: length - rows[index].count)
    }
    return rows
  }
}

/// A text or a vocabulary that the tokenizer cannot use.
package enum TokenizerError: Error, CustomStringConvertible, Equatable {
  /// A class prompt has more ids than the context has places.
  case tooLong(text: String, count: Int, limit: Int)
  /// A class name leaves no room for its sentences.
  case nameTooLong(name: String, count: Int, limit: Int)
  /// A vocabulary file is damaged or does not fit the other one.
  case vocabulary(path: String, reason: String)

  /// One line: what, where, value, remedy.
  package var description: String {
    switch self {
    case .tooLong(let text, let count, let limit):
      "the text \"\(text.prefix(40))…\" has \(count, "token"), the context \(limit); shorten the "
        + "name"
    case .nameTooLong(let name, let count, let limit):
      "the name \"\(name.count > 40 ? "\(name.prefix(40))…" : name)\" makes a sentence of \(count) "
        + "tokens, the context has \(limit); shorten it"
    case .vocabulary(let path, let reason): "\(path): \(reason)"
    }
  }
}
