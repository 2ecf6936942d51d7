import Annotations
import Formats
import Foundation

/// Which classes of a data set are base and which are wanted by name alone.
package struct ClassWishes: Sendable, Equatable {
  /// Classes that are trained with boxes, in the file's order.
  package let base: [String]
  /// Classes that are found without, in the user's order; then those of the file without a box.
  package let novel: [String]
  /// What was decided, one line each.
  package let notes: [String]

  /// Decides: every class of the file is base, unless it is wanted by name or has no box.
  ///
  /// - Parameters:
  ///   - names: The names that are wanted.
  ///   - annotations: The training set with the boxes of all classes.
  /// - Throws: `DatasetError` when no class is left that has boxes.
  package init(_ names: [String], in annotations: COCOAnnotations) throws {
    var notes: [String] = []
    let known = annotations.categories.map(\.name)
    let byPlainName = Dictionary(known.map { (ClassName.plain($0), $0) }) { first, _ in first }
    var wanted: [String] = []
    for name in names {
      // The file's spelling counts: it is what boxes are filtered by.
      let own = byPlainName[ClassName.plain(name)] ?? name
      if own != name { notes.append("\"\(name)\" is \"\(own)\" of the annotations") }
      if !known.contains(own),
        let near = NearestName.of(name, among: known, isNear: { 4 * $0 <= $1 })
      {
        notes.append(
          "\"\(name)\" is not in the annotations, but \"\(near)\" is: correct the name if that is "
            + "meant, or both will be looked for")
      }
      if !wanted.contains(own) { wanted.append(own) }
    }
    let counts = ClassCounts(annotations, split: nil).rows
    let boxes = Dictionary(counts.map { ($0.name, $0.boxes) }) { first, _ in first }
    let hidden = wanted.filter { boxes[$0, default: 0] > 0 }
    if !hidden.isEmpty {
      notes.append(
        "boxes of \(hidden.joined(separator: ", ")) are left out of training, as these are wanted "
          + "by name")
    }
    let rest = known.filter { !wanted.contains($0) }
    let empty = rest.filter { boxes[$0] == 0 }
    if !empty.isEmpty {
      notes.append(
        "\(empty.joined(separator: ", ")): no box in the annotations, so wanted by name too")
    }
    base = rest.filter { boxes[$0] != 0 }
    novel = wanted + empty
    self.notes = notes
    guard !base.isEmpty else {
      throw DatasetError.record(
        file: annotations.path, place: "", field: "categories",
        reason: "no class with boxes is left to learn from; leave some out of --find")
    }
  }

  /// The file of the split, as `data.class_split` takes it.
  package var json: JSONValue {
    [
      "base": .array(base.map { .string($0) }), "novel": .array(novel.map { .string($0) }),
    ]
  }
}
