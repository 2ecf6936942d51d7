import Formats
import Foundation

/// Text files as YOLO's trainers read them: `labels/NAME.txt` with a line for each object, its class
/// and its box as shares of the picture (centre, width, height), or its outline where there are
/// masks; `classes.txt` and `data.yaml` list the names.
struct YOLOLabels: LabelWriter {
  private let folder: String
  private var stems = FileStems()

  init(folder: String, names: [String]) throws {
    self.folder = folder
    try FileStems.make("\(folder)/labels")
    let lines = names.map { $0.replacing("\n", with: " ") + "\n" }.joined()
    try AtomicFile.write(Data(lines.utf8), to: "\(folder)/classes.txt")
    // A JSON string is a YAML string.
    let list = names.enumerated().map { "  \($0): \(JSONValue.string($1).text())\n" }.joined()
    try AtomicFile.write(
      Data("path: .\nnames:\n\(list)".utf8), to: "\(folder)/data.yaml")
  }

  mutating func append(_ picture: LabeledPicture) throws {
    let text = picture.objects.map { Self.lines($0, of: picture) }.joined()
    try AtomicFile.write(
      Data(text.utf8), to: "\(folder)/labels/\(stems.stem(of: picture.file)).txt")
  }

  mutating func finish() {}

  /// A line; with a mask of several parts a line for each.
  private static func lines(
    _ object: LabeledPicture.Object, of picture: LabeledPicture
  ) -> String {
    let (width, height) = (Double(picture.width), Double(picture.height))
    func line(_ values: [Double]) -> String {
      "\(object.label) " + values.map { String(format: "%.6f", $0) }.joined(separator: " ") + "\n"
    }
    guard object.mask == nil else {
      return object.polygons.map { corners in
        line(corners.enumerated().map { $1 / ($0.isMultiple(of: 2) ? width : height) })
      }.joined()
    }
    let box = object.box
    return line([
      Double(box.x1 + box.x2) / 2 / width, Double(box.y1 + box.y2) / 2 / height,
      Double(box.width) / width, Double(box.height) / height,
    ])
  }
}
