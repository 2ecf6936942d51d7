import Annotations
import Formats
import Foundation

/// Annotations in whatever layout somebody has them, as a file that training reads.
package struct DatasetInput: Sendable, Equatable {
  /// Which pictures of a data set are wanted.
  package enum Use: String, Sendable {
    case training = "train"
    case validation = "val"
  }

  /// The annotation file: the given one, or one that was written from it.
  package let annotations: String
  /// The folder that its file names start from.
  package let images: String
  /// What was done, one line each.
  package let notes: [String]
  /// Whether the same data set also has pictures to validate with.
  package let hasValidation: Bool

  /// Opens COCO and LVIS files as they are; VOC folders and YOLO data sets are written as COCO files.
  ///
  /// - Parameters:
  ///   - path: A file or folder.
  ///   - images: The folder of the pictures; nil takes the one that VOC and YOLO bring.
  ///   - use: Which pictures are wanted.
  ///   - isWhole: Whether no other data set is for validation, so that this one is divided as it says.
  ///   - stem: What written files begin with.
  /// - Throws: `DatasetError` or `FormatError` when the path holds no such data set.
  package init(
    _ path: String, images: String?, use: Use, isWhole: Bool, writingTo stem: String
  ) throws {
    let target = "\(stem).\(use.rawValue).json"
    guard FileManager.default.fileExists(atPath: path) else {
      throw Self.fault(path, "no such file or folder; name annotations of COCO, LVIS, VOC or YOLO")
    }
    if Self.isVOC(path) {
      self = try Self.voc(path, images: images, use: use, isWhole: isWhole, target: target)
    } else if YOLODataset.isOne(path) {
      self = try Self.yolo(path, use: use, target: target)
    } else if Self.isFolder(path) {
      throw Self.fault(
        path,
        "is a folder without Annotations (VOC), and without data.yaml or labels (YOLO); name the "
          + "annotation file, or such a folder")
    } else {
      guard let images else {
        throw Self.fault(
          path, "is a file of annotations; give the folder of its pictures with --images")
      }
      self.init(annotations: path, images: images, notes: [], hasValidation: false)
    }
  }

  private init(annotations: String, images: String, notes: [String], hasValidation: Bool) {
    self.annotations = annotations
    self.images = images
    self.notes = notes
    self.hasValidation = hasValidation
  }

  /// The same with another file.
  func with(annotations path: String) -> DatasetInput {
    DatasetInput(annotations: path, images: images, notes: [], hasValidation: false)
  }

  /// The same with the folder that its names really start from.
  ///
  /// - Parameters:
  ///   - index: What the file says.
  ///   - note: Gets a line when it is another folder.
  func located(_ index: AnnotationIndex, note: (String) -> Void) -> DatasetInput {
    let folder = index.pictureFolder(given: images)
    guard folder != images else { return self }
    note("\(annotations): its names begin with \(images): they are relative to \(folder)")
    return DatasetInput(
      annotations: annotations, images: folder, notes: notes, hasValidation: hasValidation)
  }

  private static func voc(
    _ path: String, images: String?, use: Use, isWhole: Bool, target: String
  ) throws -> DatasetInput {
    func list(_ name: String) -> String? {
      parts(path).allSatisfy {
        FileManager.default.fileExists(atPath: "\($0)/ImageSets/Main/\(name).txt")
      } ? name : nil
    }
    let divides = list("train") != nil && list("val") != nil
    let set: String? =
      if isWhole {
        divides ? use.rawValue : nil
      } else if use == .training {
        // What is for testing is none of training's business.
        list("trainval") ?? list("train")
      } else {
        list("val") ?? list("test")
      }
    let summary = try VOCConverter(folder: path, imageSet: set).write(to: target)
    let what = set.map { " of the list \($0)" } ?? ""
    return DatasetInput(
      annotations: target, images: images ?? path,
      notes: [
        "\(path): PASCAL VOC; \(summary.images, "picture")\(what) with \(summary.boxes, "box") "
          + "written as COCO to \(target)"
      ] + summary.warnings, hasValidation: isWhole && divides)
  }

  private static func yolo(_ path: String, use: Use, target: String) throws -> DatasetInput {
    let dataset = try YOLODataset(path: path)
    // A data set that is named for validation may hold nothing else.
    let part: YOLODataset.Part =
      use == .training ? .train : dataset.has(.validation) ? .validation : .train
    let summary = try YOLOConverter(dataset).write(part, to: target)
    return DatasetInput(
      annotations: target, images: summary.folder,
      notes: [
        "\(path): YOLO; \(summary.images, "picture") of \(part.rawValue) with "
          + "\(summary.boxes, "box") written as COCO to \(target)"
      ] + summary.warnings, hasValidation: dataset.has(.validation))
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  private static func isVOC(_ path: String) -> Bool { isFolder(path) && !parts(path).isEmpty }

  /// The folders with VOC annotations.
  private static func parts(_ path: String) -> [String] {
    if isFolder("\(path)/Annotations") { return [path] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.sorted().map { "\(path)/\($0)" }.filter { isFolder("\($0)/Annotations") }
  }

  private static func fault(_ path: String, _ reason: String) -> DatasetError {
    .record(file: path, place: "", field: "", reason: reason)
  }
}
