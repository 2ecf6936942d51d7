import Formats
import Foundation

/// Turns PASCAL VOC annotations into a COCO annotation file.
///
/// VOC counts pixels from 1 and both corners belong to the box, so a box from 1 to the image's width is
/// [0, width] here; labelling tools that write continuous coordinates need `isZeroBased`. Boxes are
/// clipped to the image. A difficult object becomes a crowd that is to be ignored: training sets it
/// aside and scoring neither asks for it nor counts it as a false alarm (spec evaluation 5.4, 5.6).
/// File names in the result are relative to the converted folder; ``VOCPictures`` finds them.
package struct VOCConverter {
  /// The classes of the challenge in its own order; others follow by name.
  package static let challengeClasses = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
  ]

  /// What was converted.
  package struct Summary: Sendable, Equatable {
    /// The number of images.
    package let images: Int
    /// The number of boxes, difficult ones included.
    package let boxes: Int
    /// The number of difficult objects.
    package let difficult: Int
    /// The class names by id, from 1.
    package let classes: [String]
    /// What was odd, one line each.
    package let warnings: [String]
  }

  private let folder: String
  private let imageSet: String?
  private let isZeroBased: Bool

  package init(folder: String, imageSet: String? = nil, isZeroBased: Bool = false) {
    self.folder = folder
    self.imageSet = imageSet
    self.isZeroBased = isZeroBased
  }

  /// Converts the folder.
  ///
  /// - Parameter path: The file to write.
  /// - Returns: What was converted.
  /// - Throws: ``DatasetError`` for a folder without annotations or a malformed file, `FormatError`
  ///   when the result cannot be written.
  package func write(to path: String) throws -> Summary {
    var records: [VOCRecord] = []
    var fileNames: [String] = []
    var pictures = VOCPictures()
    for part in try parts() {
      let prefix = part.isEmpty ? "" : part + "/"
      pictures.enter("\(folder)/\(prefix)JPEGImages")
      for file in try files(of: part) {
        var record = try VOCRecord(path: "\(folder)/\(file)")
        guard let name = pictures.complete(&record, of: "\(folder)/\(file)") else { continue }
        records.append(record)
        fileNames.append("\(prefix)JPEGImages/\(name)")
      }
    }
    guard !records.isEmpty else {
      let lost = pictures.warnings.last.map { ": \($0)" }
      throw fault(
        folder,
        lost.map { "has no annotation file that can be used\($0)" }
          ?? "has no annotation files; name a folder that holds Annotations/*.xml")
    }
    let found = Set(records.flatMap { $0.objects.map(\.name) })
    let isChallenge = found.isSubset(of: Self.challengeClasses)
    let classes = isChallenge ? Self.challengeClasses : found.sorted()
    let ids = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0 + 1) })
    var annotations: [JSONValue] = []
    var difficult = 0
    for (image, record) in records.enumerated() {
      for object in record.objects {
        let box = object.clipped(width: record.width, height: record.height, isZeroBased)
        if object.isDifficult { difficult += 1 }
        annotations.append([
          "id": .number(Double(annotations.count + 1)), "image_id": .number(Double(image + 1)),
          "category_id": .number(Double(ids[object.name] ?? 0)),
          "bbox": .array(box.map { .number($0) }), "area": .number(box[2] * box[3]),
          "iscrowd": object.isDifficult ? 1 : 0, "ignore": object.isDifficult ? 1 : 0,
        ])
      }
    }
    let root: JSONValue = [
      "images": .array(
        records.enumerated().map { number, record in
          [
            "id": .number(Double(number + 1)), "file_name": .string(fileNames[number]),
            "width": .number(Double(record.width)), "height": .number(Double(record.height)),
          ]
        }),
      "annotations": .array(annotations),
      "categories": .array(
        classes.enumerated().map { number, name in
          ["id": .number(Double(number + 1)), "name": .string(name)]
        }),
    ]
    try AtomicFile.write(Data((root.text() + "\n").utf8), to: path)
    return Summary(
      images: records.count, boxes: annotations.count, difficult: difficult, classes: classes,
      warnings: pictures.warnings)
  }

  /// The folders with annotations, relative to the converted one; empty names that one itself.
  private func parts() throws -> [String] {
    let files = FileManager.default
    if files.fileExists(atPath: "\(folder)/Annotations") { return [""] }
    guard let names = try? files.contentsOfDirectory(atPath: folder) else {
      throw fault(folder, "is no folder that can be read")
    }
    return names.sorted().filter { files.fileExists(atPath: "\(folder)/\($0)/Annotations") }
  }

  /// The annotation files of a part by name, relative to the converted folder.
  private func files(of part: String) throws -> [String] {
    let root = part.isEmpty ? "" : part + "/"
    guard let imageSet else {
      let names = try? FileManager.default.contentsOfDirectory(
        atPath: "\(folder)/\(root)Annotations")
      return (names ?? []).filter { $0.hasSuffix(".xml") }.sorted().map {
        "\(root)Annotations/\($0)"
      }
    }
    let list = "\(folder)/\(root)ImageSets/Main/\(imageSet).txt"
    guard let text = try? RegularFile.text(list) else {
      throw fault(list, "cannot be read; name a list of ImageSets/Main or leave the image set out")
    }
    // Lists of one class have a second column, which is not needed.
    return text.split(separator: "\n").compactMap { $0.split(separator: " ").first }.map {
      "\(root)Annotations/\($0).xml"
    }
  }

  private func fault(_ path: String, _ reason: String) -> DatasetError {
    .record(file: path, place: "", field: "", reason: reason)
  }
}
