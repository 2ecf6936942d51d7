import Formats
import Masks

/// JSON lines, one for each picture.
struct PictureLines: LabelWriter {
  /// What a line says of an object besides its name, score and box.
  enum Kind {
    /// Its pixels as COCO's run lengths, if it has a mask.
    case objects
    /// Its outlines.
    case outlines
  }

  private let file: PendingFile
  private let names: [String]
  private let kind: Kind

  init(path: String, names: [String], kind: Kind) throws {
    file = try PendingFile(path)
    self.names = names
    self.kind = kind
  }

  mutating func append(_ picture: LabeledPicture) throws {
    try file.append(Self.line(picture, names: names, kind: kind).text() + "\n")
  }

  mutating func finish() throws { try file.finish() }

  private static func line(
    _ picture: LabeledPicture, names: [String], kind: Kind
  ) -> JSONValue {
    [
      "image": .string(picture.file), "id": .number(Double(picture.id)),
      "width": .number(Double(picture.width)), "height": .number(Double(picture.height)),
      "objects": .array(
        picture.objects.map { object in
          var fields = object.fields(named: names[object.label])
          if kind == .outlines {
            fields["segmentation"] = nil
            fields["polygons"] = .array(
              object.polygons.map { .array($0.map(JSONValue.number)) })
          }
          return .object(fields)
        }),
    ]
  }
}

extension LabeledPicture.Object {
  /// Name, score, box and mask as JSON.
  ///
  /// - Parameter name: The name of its class.
  package func fields(named name: String) -> [String: JSONValue] {
    var fields: [String: JSONValue] = [
      "name": .string(name), "score": .number(Double(score)),
      "box": .array([box.x1, box.y1, box.x2, box.y2].map { .number(Double($0)) }),
    ]
    if let mask {
      fields["segmentation"] = [
        "size": .array([.number(Double(mask.height)), .number(Double(mask.width))]),
        "counts": .string(mask.text),
      ]
    }
    return fields
  }
}
