import Formats
import Geometry

/// A data set in COCO's layout, with an id, an area and outlines for every object.
///
/// Objects are written as they come, so that memory holds the list of pictures only.
struct COCODataSet: LabelWriter {
  private let file: PendingFile
  private let names: [String]
  private var pictures: [JSONValue] = []
  private var count = 0

  init(folder: String, names: [String]) throws {
    self.names = names
    file = try PendingFile("\(folder)/coco.json")
    try file.append(
      "{\"info\":{\"description\":\"found by baron\"},\"licenses\":[],\"annotations\":[")
  }

  mutating func append(_ picture: LabeledPicture) throws {
    pictures.append([
      "id": .number(Double(picture.id)), "file_name": .string(picture.file),
      "width": .number(Double(picture.width)), "height": .number(Double(picture.height)),
    ])
    for object in picture.objects {
      count += 1
      let place = FileBox(object.box).numbers
      let polygons = object.polygons
      let area = object.mask.map { Double($0.area) } ?? place[2] * place[3]
      let annotation: JSONValue = [
        "id": .number(Double(count)), "image_id": .number(Double(picture.id)),
        "category_id": .number(Double(object.label + 1)), "iscrowd": 0,
        "bbox": .array(place.map(JSONValue.number)), "area": .number(area),
        "segmentation": .array(polygons.map { .array($0.map(JSONValue.number)) }),
        "score": .number(Double(object.score)),
      ]
      try file.append((count == 1 ? "\n" : ",\n") + annotation.text())
    }
  }

  mutating func finish() throws {
    let categories = names.enumerated().map { index, name -> JSONValue in
      ["id": .number(Double(index + 1)), "name": .string(name), "supercategory": "none"]
    }
    try file.append("\n],\"images\":" + JSONValue.array(pictures).text())
    try file.append(",\"categories\":" + JSONValue.array(categories).text() + "}\n")
    try file.finish()
  }
}
