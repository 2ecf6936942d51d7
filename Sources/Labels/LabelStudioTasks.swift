import Formats
import Geometry

/// Tasks for Label Studio with what was found as predictions.
///
/// Rectangles, or polygons where there are masks, in percent of the picture. The labelling interface
/// has an Image `image` and labels `label`.
struct LabelStudioTasks: LabelWriter {
  private let file: PendingFile
  private let names: [String]
  private var count = 0

  init(folder: String, names: [String]) throws {
    self.names = names
    file = try PendingFile("\(folder)/labelstudio.json")
    try file.append("[")
  }

  mutating func append(_ picture: LabeledPicture) throws {
    let results = picture.objects.enumerated().flatMap { index, object in
      self.results(object, number: index, of: picture)
    }
    let score = picture.objects.map { Double($0.score) }.max() ?? 0
    let task: JSONValue = [
      "id": .number(Double(picture.id)), "data": ["image": .string(picture.file)],
      "predictions": [
        ["model_version": "baron", "score": .number(score), "result": .array(results)]
      ],
    ]
    try file.append((count == 0 ? "\n" : ",\n") + task.text())
    count += 1
  }

  mutating func finish() throws {
    try file.append("\n]\n")
    try file.finish()
  }

  private func results(
    _ object: LabeledPicture.Object, number: Int, of picture: LabeledPicture
  ) -> [JSONValue] {
    let (width, height) = (Double(picture.width) / 100, Double(picture.height) / 100)
    func result(_ kind: String, _ part: Int, _ shape: [String: JSONValue]) -> JSONValue {
      [
        "id": .string("\(picture.id)-\(number)-\(part)"), "type": .string(kind),
        "from_name": "label", "to_name": "image", "image_rotation": 0,
        "original_width": .number(Double(picture.width)),
        "original_height": .number(Double(picture.height)),
        "score": .number(Double(object.score)),
        "value": .object(
          shape.merging([kind: .array([.string(names[object.label])])]) { first, _ in first }),
      ]
    }
    guard object.mask == nil else {
      return object.polygons.enumerated().map { part, corners in
        let points = stride(from: 0, to: corners.count, by: 2).map { place -> JSONValue in
          [.number(corners[place] / width), .number(corners[place + 1] / height)]
        }
        return result("polygonlabels", part, ["points": .array(points), "closed": true])
      }
    }
    let place = FileBox(object.box).numbers
    return [
      result(
        "rectanglelabels", 0,
        [
          "x": .number(place[0] / width), "y": .number(place[1] / height),
          "width": .number(place[2] / width), "height": .number(place[3] / height), "rotation": 0,
        ])
    ]
  }
}
