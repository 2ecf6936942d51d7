import Formats
import Foundation
import Pictures

/// Turns a part of a YOLO data set into a COCO annotation file.
///
/// A line of a label file is a class number and a box, centre and size as shares of the picture, or the
/// corners of a polygon, whose box and outline are taken. File names in the result are relative to the
/// folder that all pictures have in common. Sizes come from the pictures' headers.
package struct YOLOConverter {
  /// What was converted.
  package struct Summary: Sendable, Equatable {
    /// The number of images, those without objects included.
    package let images: Int
    /// The number of boxes.
    package let boxes: Int
    /// The class names by id, from 1.
    package let classes: [String]
    /// The folder that the file names are relative to.
    package let folder: String
    /// What was odd, one line each.
    package let warnings: [String]
  }

  private let dataset: YOLODataset

  package init(_ dataset: YOLODataset) { self.dataset = dataset }

  /// A picture with its objects.
  private struct Entry: Sendable {
    let picture: String
    let width: Int
    let height: Int
    let objects: [YOLOLabels.Object]
    let hasLabels: Bool
  }

  /// Converts a part.
  ///
  /// - Parameters:
  ///   - part: The part.
  ///   - path: The file to write.
  /// - Returns: What was converted.
  /// - Throws: ``DatasetError`` for a malformed label, a part without pictures or labels; `FormatError`
  ///   when the result cannot be written.
  package func write(_ part: YOLODataset.Part, to path: String) throws -> Summary {
    let pictures = try dataset.pictures(of: part)
    let folder = Self.commonFolder(of: pictures)
    let entries = Parallel.map(count: pictures.count, chunk: 16) { number in
      Result<Entry, any Error> { try Self.entry(of: pictures[number]) }
    }
    var kept: [Entry] = []
    var unreadable = RecordTally()
    for (picture, entry) in zip(pictures, entries) {
      do {
        kept.append(try entry.get())
      } catch let error as PictureError {
        unreadable.count("\(picture): \(error.reason)")
      }
    }
    let boxes = kept.reduce(0) { $0 + $1.objects.count }
    guard boxes > 0 else {
      throw YOLODataset.fault(
        YOLODataset.labels(of: pictures.first ?? dataset.path),
        "no picture of \"\(part.rawValue)\" has a label; labels are text files called as the "
          + "pictures are, in a folder labels beside images")
    }
    let classes = try classes(of: kept)
    try AtomicFile.write(
      Data((document(kept, classes: classes, folder: folder).text() + "\n").utf8), to: path)
    let unlabelled = kept.count { !$0.hasLabels }
    return Summary(
      images: kept.count, boxes: boxes, classes: classes, folder: folder,
      warnings: [
        unreadable.line("picture", "pictures", "cannot be read: left out"),
        unlabelled > 0
          ? "\(unlabelled, "picture") \(unlabelled.verb("has", "have")) no label file: taken as "
            + "without objects" : nil,
      ].compactMap { $0 })
  }

  private static func entry(of picture: String) throws -> Entry {
    let header = try PictureHeader(path: picture)
    let file = YOLODataset.labels(of: picture)
    let hasLabels = FileManager.default.fileExists(atPath: file)
    return Entry(
      picture: picture, width: header.width, height: header.height,
      objects: hasLabels
        ? try YOLOLabels.read(file, width: header.width, height: header.height) : [],
      hasLabels: hasLabels)
  }

  /// The names of all numbers that occur.
  private func classes(of entries: [Entry]) throws -> [String] {
    var largest = -1
    for entry in entries {
      for object in entry.objects where object.label > largest {
        largest = object.label
        guard dataset.names.isEmpty || largest < dataset.names.count else {
          throw YOLODataset.fault(
            YOLODataset.labels(of: entry.picture),
            "has class \(largest), but \(dataset.path) names \(dataset.names.count) classes, "
              + "counted from 0; add the name or correct the label")
        }
      }
    }
    guard dataset.names.isEmpty else { return dataset.names }
    throw YOLODataset.fault(
      dataset.path,
      "nothing names its \(largest + 1, "class"); write them one a line into classes.txt there")
  }

  private func document(_ entries: [Entry], classes: [String], folder: String) -> JSONValue {
    var annotations: [JSONValue] = []
    for (image, entry) in entries.enumerated() {
      for object in entry.objects {
        var record: [String: JSONValue] = [
          "id": .number(Double(annotations.count + 1)), "image_id": .number(Double(image + 1)),
          "category_id": .number(Double(object.label + 1)), "iscrowd": 0,
          "bbox": .array(object.box.map { .number($0) }),
          "area": .number(object.box[2] * object.box[3]),
        ]
        if !object.polygon.isEmpty {
          record["segmentation"] = .array([.array(object.polygon.map { .number($0) })])
        }
        annotations.append(.object(record))
      }
    }
    return [
      "images": .array(
        entries.enumerated().map { number, entry in
          [
            "id": .number(Double(number + 1)),
            "file_name": .string(String(entry.picture.dropFirst(folder.count + 1))),
            "width": .number(Double(entry.width)), "height": .number(Double(entry.height)),
          ]
        }),
      "annotations": .array(annotations),
      "categories": .array(
        classes.enumerated().map { ["id": .number(Double($0 + 1)), "name": .string($1)] }),
    ]
  }

  /// The longest path of folders that all pictures lie below.
  private static func commonFolder(of pictures: [String]) -> String {
    func folders(_ path: String) -> [Substring] {
      path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    }
    var common = folders(pictures.first ?? "")
    for picture in pictures {
      common = Array(zip(common, folders(picture)).prefix { $0 == $1 }.map(\.0))
    }
    return common.joined(separator: "/")
  }
}

/// The objects of one label file.
enum YOLOLabels {
  struct Object: Sendable, Equatable {
    /// The number of the class, from 0.
    let label: Int
    /// [x, y, width, height] in pixels inside the picture.
    let box: [Double]
    /// The outline in pixels, x and y in turn; empty for a box.
    let polygon: [Double]
  }

  /// Reads a file; boxes without area are left out.
  ///
  /// - Throws: ``DatasetError`` with the line when one is malformed.
  static func read(_ path: String, width: Int, height: Int) throws -> [Object] {
    let text = try RegularFile.text(path)
    var objects: [Object] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (number, line) in lines.enumerated() {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard !fields.isEmpty else { continue }
      func fault(_ reason: String) -> DatasetError {
        YOLODataset.fault(path, reason, place: "line \(number + 1)")
      }
      let numbers = fields.compactMap { Double($0) }
      guard numbers.count == fields.count, numbers.allSatisfy(\.isFinite),
        let label = Int(exactly: numbers[0]), (0..<100_000).contains(label)
      else { throw fault("must be a class number and shares of the picture, but is \"\(line)\"") }
      let shares = Array(numbers.dropFirst())
      guard shares.allSatisfy({ (-0.5...1.5).contains($0) }) else {
        throw fault(
          "has \(shares.first { !(-0.5...1.5).contains($0) } ?? 0), but shares of the picture lie "
            + "between 0 and 1; are these pixels?")
      }
      // A sixth number behind a box is a score.
      guard shares.count == 4 || shares.count == 5 || (shares.count >= 6 && shares.count % 2 == 0)
      else {
        throw fault("has \(shares.count, "number"); a box has 4, a polygon 6 or more in pairs")
      }
      if let object = object(label, shares, Double(width), Double(height)) {
        objects.append(object)
      }
    }
    return objects
  }

  private static func object(
    _ label: Int, _ shares: [Double], _ width: Double, _ height: Double
  ) -> Object? {
    var (left, top, right, bottom): (Double, Double, Double, Double)
    var polygon: [Double] = []
    if shares.count < 6 {
      (left, right) = (shares[0] - shares[2] / 2, shares[0] + shares[2] / 2)
      (top, bottom) = (shares[1] - shares[3] / 2, shares[1] + shares[3] / 2)
    } else {
      let xs = stride(from: 0, to: shares.count, by: 2).map { shares[$0] }
      let ys = stride(from: 1, to: shares.count, by: 2).map { shares[$0] }
      (left, right) = (xs.min() ?? 0, xs.max() ?? 0)
      (top, bottom) = (ys.min() ?? 0, ys.max() ?? 0)
      polygon = zip(xs, ys).flatMap { [pixel($0, width), pixel($1, height)] }
    }
    (left, right) = (pixel(left, width), pixel(right, width))
    (top, bottom) = (pixel(top, height), pixel(bottom, height))
    guard right > left, bottom > top else { return nil }
    return Object(
      label: label, box: [left, top, right - left, bottom - top], polygon: polygon)
  }

  private static func pixel(_ share: Double, _ side: Double) -> Double {
    (min(max(share, 0), 1) * side * 100).rounded() / 100
  }
}
