import Geometry
import Masks

/// A picture with what was found on it, for files that other programs read.
package struct LabeledPicture: Sendable {
  /// One object.
  package struct Object: Sendable {
    /// Its class as a place in the list of names.
    package let label: Int
    /// The box in pixels.
    package let box: Box
    /// How sure the detector is, in 0...1.
    package let score: Float
    /// Its pixels, or nil.
    package let mask: RunLengthMask?

    package init(label: Int, box: Box, score: Float, mask: RunLengthMask? = nil) {
      self.label = label
      self.box = box
      self.score = score
      self.mask = mask
    }

    /// Outlines of the mask, else of the box: `x1, y1, x2, y2, ...` in pixels.
    package var polygons: [[Double]] {
      if let mask { return mask.outlines().map { $0.map(Double.init) } }
      return [[box.x1, box.y1, box.x2, box.y1, box.x2, box.y2, box.x1, box.y2].map(Double.init)]
    }
  }

  /// The picture's number, from 1.
  package let id: Int
  /// The picture's file as the user named it.
  package let file: String
  /// The width in pixels.
  package let width: Int
  /// The height in pixels.
  package let height: Int
  /// What was found, best first.
  package let objects: [Object]

  package init(id: Int, file: String, width: Int, height: Int, objects: [Object]) {
    self.id = id
    self.file = file
    self.width = width
    self.height = height
    self.objects = objects
  }
}

/// Writes pictures with objects in one format.
package protocol LabelWriter {
  /// Adds a picture.
  ///
  /// - Parameter picture: The picture.
  /// - Throws: `FormatError` when a file cannot be written.
  mutating func append(_ picture: LabeledPicture) throws

  /// Writes what remains; files are whole only then.
  ///
  /// - Throws: `FormatError` when a file cannot be written.
  mutating func finish() throws
}

/// The formats that labels are written in.
package enum LabelFormat: String, Sendable, CaseIterable {
  /// A data set in COCO's layout: `coco.json`.
  case coco
  /// A text file for each picture, with `classes.txt` and `data.yaml`.
  case yolo
  /// An XML file for each picture, as Pascal VOC has them.
  case voc
  /// Tasks with predictions for Label Studio: `labelstudio.json`.
  case labelstudio
  /// A line of outlines for each picture: `polygons.jsonl`.
  case polygons
  /// A line for each picture as `--json` prints it: `objects.jsonl`.
  case json

  /// Makes a writer.
  ///
  /// - Parameters:
  ///   - folder: Where files go; it exists.
  ///   - names: The names of classes.
  /// - Throws: `FormatError` when the folder cannot be written.
  package func writer(to folder: String, names: [String]) throws -> any LabelWriter {
    switch self {
    case .coco: try COCODataSet(folder: folder, names: names)
    case .yolo: try YOLOLabels(folder: folder, names: names)
    case .voc: try VOCLabels(folder: folder, names: names)
    case .labelstudio: try LabelStudioTasks(folder: folder, names: names)
    case .polygons:
      try PictureLines(path: "\(folder)/polygons.jsonl", names: names, kind: .outlines)
    case .json: try PictureLines(path: "\(folder)/objects.jsonl", names: names, kind: .objects)
    }
  }
}
