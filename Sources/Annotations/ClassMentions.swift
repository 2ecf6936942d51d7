import Formats

/// The names by which texts mention the classes of a COCO or LVIS annotation file.
///
/// A class is mentioned by its name and, in LVIS, by its synonyms: in lower case, with blanks for
/// underscores and without what stands in parentheses to tell namesakes apart ("bow_(weapon)" is
/// "bow"). A name inside a longer word counts, as in the published filter: "dogs" mentions "dog".
package struct ClassMentions: Sendable {
  /// How many classes there are.
  package let classCount: Int
  /// The tree of all names: the child of a node (upper bits) by a byte (lower 8 bits).
  private var children: [UInt32: UInt32] = [:]
  /// The nodes at which a name ends.
  private var ends: Set<UInt32> = []

  /// Reads the classes of an annotation file.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``DatasetError`` for a missing, truncated or malformed file or one without classes.
  package init(path: String) throws {
    let classes = try VocabularyJSON.categories(try RecordCursor.open(path)) ?? []
    guard !classes.isEmpty else {
      throw DatasetError.record(
        file: path, place: "", field: "categories",
        reason: "is empty or missing; give a COCO or LVIS annotation file")
    }
    self.init(classes.map(\.name.all))
  }

  /// Takes the names of classes.
  ///
  /// - Parameter classes: The names of each class.
  package init(_ classes: [[String]]) {
    classCount = classes.count
    for name in classes.joined() { insert(Self.plain(name)) }
  }

  /// A name as a text would have it.
  static func plain(_ name: String) -> String {
    name.lowercased().replacing(/\([^)]*\)/, with: " ").split { $0 == "_" || $0.isWhitespace }
      .joined(separator: " ")
  }

  private mutating func insert(_ name: String) {
    guard !name.isEmpty else { return }
    var node: UInt32 = 0
    for byte in name.utf8 {
      let step = node << 8 | UInt32(byte)
      if let child = children[step] {
        node = child
      } else {
        node = UInt32(children.count + 1)
        children[step] = node
      }
    }
    ends.insert(node)
  }

  /// Whether a text mentions a class.
  ///
  /// - Parameter text: Any text; case does not matter. Time is proportional to its length.
  /// - Returns: Whether one of the names occurs in it.
  package func occur(in text: String) -> Bool {
    let bytes = Array(text.lowercased().utf8)
    return bytes.indices.contains { start in
      var node: UInt32 = 0
      for byte in bytes[start...] {
        guard let child = children[node << 8 | UInt32(byte)] else { return false }
        if ends.contains(child) { return true }
        node = child
      }
      return false
    }
  }
}
