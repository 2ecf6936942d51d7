import Formats

/// The annotation of one PASCAL VOC image.
struct VOCRecord: Equatable {
  struct Object: Equatable {
    var name: String
    var isDifficult: Bool
    /// xmin, ymin, xmax, ymax as the file has them.
    var corners: [Double]

    /// [x, y, width, height] in continuous pixels inside the image.
    func clipped(width: Int, height: Int, _ isZeroBased: Bool) -> [Double] {
      let shift = isZeroBased ? 0.0 : 1.0
      let x = min(max(corners[0] - shift, 0), Double(width))
      let y = min(max(corners[1] - shift, 0), Double(height))
      let right = min(max(corners[2], 0), Double(width))
      let bottom = min(max(corners[3], 0), Double(height))
      return [x, y, max(0, right - x), max(0, bottom - y)]
    }
  }

  /// The picture's name, without folders; empty when there is none.
  let fileName: String
  /// In pixels; 0 when it is not given, as labelling tools do that never opened the picture.
  var width: Int
  var height: Int
  let objects: [Object]

  /// Reads a file.
  init(path: String) throws {
    let root: MarkupElement
    do {
      root = try MappedFile.read(path) { try MarkupElement(parsing: $0, source: path) }
    } catch let error as FormatError {
      throw DatasetError.record(
        file: path, place: error.place, field: "", reason: "\(error.reason); copy the file again")
    }
    let reader = Fields(path: path)
    guard root.name == "annotation" else { throw reader.missing("annotation", place: "") }
    // Tools on Windows write whole paths.
    let name = root.child("filename")?.text ?? ""
    fileName = name.split { $0 == "/" || $0 == "\\" }.last.map(String.init) ?? ""
    width = try reader.side(root.child("size"), "width")
    height = try reader.side(root.child("size"), "height")
    objects = try root.children.filter { $0.name == "object" }.enumerated().map { number, node in
      let place = "object \(number + 1)"
      guard let box = node.child("bndbox") else { throw reader.missing("bndbox", place: place) }
      let corners = try ["xmin", "ymin", "xmax", "ymax"].map {
        try reader.number(box, $0, place: place)
      }
      guard corners[2] >= corners[0], corners[3] >= corners[1] else {
        throw reader.fault(
          "is \(corners): the right lower corner lies before the left upper one", "bndbox", place)
      }
      // Labelling tools leave the element empty.
      let difficult = node.child("difficult")?.text ?? ""
      guard ["", "0", "1"].contains(difficult) else {
        throw reader.fault("is \"\(difficult)\"; it must be 0 or 1", "difficult", place)
      }
      return Object(
        name: try reader.text(node, "name", place: place), isDifficult: difficult == "1",
        corners: corners)
    }
  }

  /// Elements of one file, with errors that name it.
  private struct Fields {
    let path: String

    func text(_ node: MarkupElement, _ name: String, place: String) throws -> String {
      guard let text = node.child(name)?.text, !text.isEmpty else {
        throw missing(name, place: place)
      }
      return text
    }

    func number(_ node: MarkupElement, _ name: String, place: String) throws -> Double {
      let text = try text(node, name, place: place)
      guard let value = Double(text), value.isFinite else {
        throw fault("is \"\(text)\"; it must be a number of pixels", name, place)
      }
      return value
    }

    /// A side of the picture; 0 when it is not given.
    func side(_ node: MarkupElement?, _ name: String) throws -> Int {
      guard let node, node.child(name)?.text.isEmpty == false else { return 0 }
      let value = try number(node, name, place: "size")
      guard let side = Int(exactly: value), side >= 0, side <= Int(Int32.max) else {
        throw fault("is \(value); it must be a whole number of pixels", name, "size")
      }
      return side
    }

    func missing(_ name: String, place: String) -> DatasetError {
      fault("is missing or empty; this is no PASCAL VOC annotation", name, place)
    }

    func fault(_ reason: String, _ field: String, _ place: String) -> DatasetError {
      .record(file: path, place: place, field: field, reason: reason)
    }
  }
}
