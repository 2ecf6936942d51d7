import Annotations
import Formats
import Foundation
import TestSupport

/// A folder as somebody has it who comes with pictures and names: `photos` with pictures called by
/// nobody's rule, `train.json` and `val.json` with boxes of 12 classes, and `CLIP`, a small model.
///
/// Nothing in it lies outside the program: a drawn world serves, and a CLIP that saw two steps.
struct OwnFolder {
  /// Names that are wanted without boxes.
  static let wanted = "ring, star, heart, glass, fence"

  let scratch: Scratch
  var path: String { scratch.folder }

  /// Draws the pictures and makes the model.
  ///
  /// - Parameter images: The number of pictures for training; a third of them more for validation.
  init(images: Int = 36) throws {
    scratch = try Scratch()
    try draw("world", images: images, seed: 1)
    try draw("other", images: max(4, images / 3), seed: 2)
    try run(
      "clip-train", "demo-teacher", "--run", "\(path)/teacher",
      "--set", "data.train_captions=\(path)/world/annotations/region_captions.json",
      "--set", "data.train_images=\(path)/world/images", "--set", "data.validation_annotations=",
      "--set", "training.iterations=2", "--set", "training.batch=16",
      "--set", "model.vision.width=48", "--set", "model.text.width=32")
    try FileManager.default.moveItem(atPath: "\(path)/teacher/clip", toPath: "\(path)/CLIP")
    try FileManager.default.createDirectory(
      atPath: "\(path)/photos", withIntermediateDirectories: true)
    try take("world", as: "train", prefix: "IMG ")
    try take("other", as: "val", prefix: "Scan_")
    for name in ["world", "other", "teacher"] {
      try FileManager.default.removeItem(atPath: "\(path)/\(name)")
    }
  }

  private func draw(_ name: String, images: Int, seed: Int) throws {
    try run(
      "world", "\(path)/\(name)", "--images", "\(images)", "--seed", "\(seed)", "--regions", "4")
  }

  private func run(_ arguments: String...) throws {
    let result = try BaronProcess(arguments).finish()
    guard result.status == 0 else { throw FormatError(arguments[0], result.errors) }
  }

  /// Moves a world's pictures under other names and keeps the first 12 of its base classes.
  private func take(_ world: String, as name: String, prefix: String) throws {
    let file = "\(path)/\(world)/annotations/instances_base.json"
    var root = try JSONValue(contentsOf: file).object ?? [:]
    let base = try OpenVocabularySplit(path: "\(path)/\(world)/annotations/classes.json").base
    let categories = (root["categories"]?.array ?? []).filter {
      base.prefix(12).contains($0["name"]?.string ?? "")
    }
    let ids = Set(categories.compactMap { $0["id"]?.integer })
    root["categories"] = .array(categories)
    root["annotations"] = .array(
      (root["annotations"]?.array ?? []).filter { ids.contains($0["category_id"]?.integer ?? -1) })
    var images: [JSONValue] = []
    for image in root["images"]?.array ?? [] {
      var record = image.object ?? [:]
      let old = record["file_name"]?.string ?? ""
      record["file_name"] = .string(prefix + old)
      images.append(.object(record))
      try FileManager.default.moveItem(
        atPath: "\(path)/\(world)/images/\(old)", toPath: "\(path)/photos/\(prefix)\(old)")
    }
    root["images"] = .array(images)
    try Data(JSONValue.object(root).text().utf8).write(to: URL(filePath: "\(path)/\(name).json"))
  }

  /// Runs the program in the folder.
  ///
  /// - Parameters:
  ///   - arguments: Its arguments.
  ///   - environment: Further variables.
  func baron(
    _ arguments: [String], environment: [String: String] = [:]
  ) throws -> BaronProcess.Result {
    // The folder is changed by the shell: a process is started where the tests run.
    try BaronProcess(
      ["-c", "cd \"$0\" && exec \"$@\"", path, URL(filePath: BaronProcess.path ?? "").path]
        + arguments,
      program: "/bin/sh", environment: environment.merging(["BARON_SHARED": ""]) { $1 }
    ).finish()
  }
}
