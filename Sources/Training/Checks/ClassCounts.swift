import Annotations
import Formats

/// The boxes of each class of a training set, by size.
package struct ClassCounts: Sendable, Equatable {
  /// Areas in square pixels of the original pictures up to which an object is small or medium, as COCO
  /// has them.
  private static let bounds = (small: 32.0 * 32, medium: 96.0 * 96)

  /// One class.
  package struct Row: Sendable, Equatable {
    /// The class's name.
    package let name: String
    /// `base`, `novel` or empty for a class of neither list.
    package let group: String
    /// Boxes of small, medium and large objects, crowds and unusable ones not counted.
    package internal(set) var small = 0
    package internal(set) var medium = 0
    package internal(set) var large = 0

    /// All boxes.
    package var boxes: Int { small + medium + large }
  }

  /// The classes by ascending id, then those of the split that the file does not list.
  package let rows: [Row]

  /// Counts.
  ///
  /// - Parameters:
  ///   - annotations: The training set with the boxes of all classes.
  ///   - split: Base and novel names, or nil where they cannot be read.
  package init(_ annotations: COCOAnnotations, split: OpenVocabularySplit?) {
    let base = Set(split?.base ?? [])
    let novel = Set(split?.novel ?? [])
    func group(_ name: String) -> String {
      base.contains(name) ? "base" : novel.contains(name) ? "novel" : ""
    }
    var rows = annotations.categories.map { Row(name: $0.name, group: group($0.name)) }
    for image in annotations.images {
      for object in image.objects {
        if object.area < Self.bounds.small {
          rows[object.label].small += 1
        } else if object.area < Self.bounds.medium {
          rows[object.label].medium += 1
        } else {
          rows[object.label].large += 1
        }
      }
    }
    let listed = Set(annotations.categories.map(\.name))
    rows += ((split?.base ?? []) + (split?.novel ?? [])).filter { !listed.contains($0) }
      .map { Row(name: $0, group: group($0)) }
    self.rows = rows
  }

  /// For programs.
  package var json: JSONValue {
    .array(
      rows.map {
        [
          "name": .string($0.name), "group": .string($0.group),
          "boxes": .number(Double($0.boxes)), "small": .number(Double($0.small)),
          "medium": .number(Double($0.medium)), "large": .number(Double($0.large)),
        ]
      })
  }
}
