import Formats

/// Ground truth, detections or class lists that cannot be scored.
package enum EvaluationError: Error, Equatable, CustomStringConvertible {
  /// A mask that is malformed or does not fit its image; the reason holds the remedy.
  case badMask(FormatError, field: String)
  /// A record without a field that scoring needs.
  case missingField(file: String, record: String, field: String, expected: String)
  /// A list that must not be empty.
  case emptyList(file: String, list: String)
  /// An id or name that stands twice in one list.
  case duplicate(file: String, list: String, value: String)
  /// Records that name an image or category which the ground truth does not have.
  case unknownReference(
    file: String, list: String, field: String, count: Int, first: Int, record: String,
    groundTruth: String)
  /// A number that is not finite where a record is made or written.
  case notFinite(file: String, record: String, field: String, value: String)
  /// Class names or category ids of a split which the ground truth does not have.
  case unknownClasses(group: String, count: Int, first: String, groundTruth: String)
  /// A class that stands in both groups of a split.
  case classInBothGroups(name: String)
  /// Masks asked of a protocol that has only boxes.
  case noMaskProtocol
  /// A category without the frequency group that the LVIS protocol averages over.
  case missingFrequency(file: String, category: String)

  /// One line: what, where, the value and the remedy.
  package var description: String {
    switch self {
    case .badMask(let error, let field):
      "\(error.source): \(field)\(error.place.isEmpty ? "" : " (\(error.place))"): \(error.reason)"
    case .missingField(let file, let record, let field, let expected):
      "\(file): \(record) has no \"\(field)\"; \(expected)"
    case .emptyList(let file, let list):
      "\(file): the list \"\(list)\" is empty; there is nothing to score, check the path"
    case .duplicate(let file, let list, let value):
      "\(file): \(value) stands twice in \"\(list)\"; make it unique"
    case .unknownReference(
      let file, let list, let field, let count, let first, let record, let groundTruth):
      "\(file): \(count) of \"\(list)\" \(count.verb("has", "have")) in \"\(field)\" an id that "
        + "\(groundTruth) does not list, first "
        + "\(first) in \(record); use the files of the same data set"
    case .notFinite(let file, let record, let field, let value):
      "\(file): \(record).\(field) is \(value); only finite numbers can be scored, "
        + "check the model's weights"
    case .unknownClasses(let group, let count, let first, let groundTruth):
      "\(groundTruth): \(count) of the \(group) classes \(count.verb("is", "are")) not among its "
        + "categories, first \(first); check the spelling, or score with another split or none"
    case .classInBothGroups(let name):
      "the class \(name) is both base and novel; remove it from one of the two"
    case .noMaskProtocol:
      "PASCAL VOC's rule scores boxes only; score masks by the COCO metric"
    case .missingFrequency(let file, let category):
      "\(file): category \(category) has no \"frequency\"; "
        + "the LVIS protocol needs r, c or f for every category"
    }
  }
}
