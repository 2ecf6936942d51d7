import Formats
import Masks
import Training

/// The JSON of found objects.
struct DetectionAnswer {
  let found: Engine.Found
  /// What was looked for.
  let query: ObjectQuery
  let model: ServedModel
  let digest: String
  let seconds: Double

  /// The document.
  var json: JSONValue {
    [
      "picture": [
        "width": .number(Double(found.width)), "height": .number(Double(found.height)),
        "sha256": .string(digest),
      ],
      "words": .array(
        query.names.map { ["name": .string($0), "trained": model.wasTrained($0)] }),
      "thresholds": ServedModel.json(query.scores), "seen": .bool(found.wasSeen),
      "seconds": .number((seconds * 1e5).rounded() / 1e5),
      "objects": .array(found.objects.map(object)),
    ]
  }

  private func object(_ object: NamedObject) -> JSONValue {
    let box = object.found.box
    let name = query.labels[object.found.label]
    var fields: [String: JSONValue] = [
      "name": .string(name), "score": Self.number(object.found.score),
      "trained": model.wasTrained(name),
      "box": .array([box.x1, box.y1, box.x2, box.y2].map(Self.number)),
    ]
    if let mask = object.found.mask {
      fields["segmentation"] = [
        "size": .array([.number(Double(mask.height)), .number(Double(mask.width))]),
        "counts": .string(mask.text),
      ]
    }
    if !object.next.isEmpty {
      fields["next"] = .array(
        object.next.map {
          ["name": .string(query.labels[$0.label]), "score": Self.number($0.score)]
        })
    }
    return .object(fields)
  }

  private static func number(_ value: Float) -> JSONValue { .number(Double(value)) }
}
