import Formats
import Foundation
import Yams

/// A data set as YOLO's programs lay it out: `data.yaml` with names and places, or folders `images` and
/// `labels` beside each other.
package struct YOLODataset: Sendable {
  /// A part of the data set.
  package enum Part: String, Sendable, CaseIterable {
    case train
    case validation = "val"
    case test
  }

  /// The file or folder that was given.
  package let path: String
  /// Class names by number; empty where nothing names them.
  package let names: [String]
  /// Where the pictures of each part are: folders, or text files that list pictures.
  private let places: [Part: [String]]

  /// Whether a path looks like such a data set.
  ///
  /// - Parameter path: A file or folder.
  package static func isOne(_ path: String) -> Bool {
    if path.hasSuffix(".yaml") || path.hasSuffix(".yml") { return true }
    return WholePath.isFolder("\(path)/labels") || description(in: path) != nil
  }

  /// Reads what there is.
  ///
  /// - Parameter path: `data.yaml`, or a folder that holds one or `images` and `labels`.
  /// - Throws: ``DatasetError`` when the description is malformed or the folder holds no data set.
  package init(path: String) throws {
    self.path = path
    let isFolder = WholePath.isFolder(path)
    let file = isFolder ? Self.description(in: path) : path
    guard let file else {
      guard WholePath.isFolder("\(path)/labels") else {
        throw Self.fault(
          path, "is no YOLO data set; name data.yaml, or the folder that holds images and labels")
      }
      names = try Self.listedNames(in: path)
      places = Self.foundParts(in: path)
      return
    }
    let description = try Description(path: file)
    names = description.names
    places = description.places
  }

  /// The file of a folder that describes its data set.
  private static func description(in folder: String) -> String? {
    ["data.yaml", "data.yml", "dataset.yaml"].map { "\(folder)/\($0)" }
      .first(where: FileManager.default.fileExists)
  }

  /// Names in a `classes.txt`, as labelling tools leave it.
  private static func listedNames(in folder: String) throws -> [String] {
    for file in ["\(folder)/classes.txt", "\(folder)/labels/classes.txt"]
    where FileManager.default.fileExists(atPath: file) {
      let text = try RegularFile.text(file)
      return text.split(whereSeparator: \.isNewline).map { String($0).trimmingBlanks() }
        .filter { !$0.isEmpty }
    }
    return []
  }

  /// `images/train` and so on where they are, else all of `images` as training pictures.
  private static func foundParts(in folder: String) -> [Part: [String]] {
    var parts: [Part: [String]] = [:]
    for part in Part.allCases {
      let place = "\(folder)/images/\(part.rawValue)"
      if WholePath.isFolder(place) { parts[part] = [place] }
    }
    return parts.isEmpty ? [.train: ["\(folder)/images"]] : parts
  }

  /// Whether the data set has pictures of a part.
  ///
  /// - Parameter part: The part.
  package func has(_ part: Part) -> Bool { places[part]?.isEmpty == false }

  /// The pictures of a part, sorted.
  ///
  /// - Parameter part: The part.
  /// - Throws: ``DatasetError`` when a place is missing or holds no picture.
  package func pictures(of part: Part) throws -> [String] {
    var found: [String] = []
    for place in places[part] ?? [] {
      let pictures =
        WholePath.isFolder(place) ? Self.pictures(below: place) : try Self.listed(place)
      guard !pictures.isEmpty else {
        throw Self.fault(
          place, "has no picture (JPEG or PNG); check \"\(part.rawValue)\" of \(path)")
      }
      found += pictures
    }
    guard !found.isEmpty else {
      throw Self.fault(path, "names no pictures as \"\(part.rawValue)\"; add the line")
    }
    return found
  }

  private static let endings: Set = ["jpg", "jpeg", "png"]

  private static func pictures(below folder: String) -> [String] {
    let files = FileManager.default.enumerator(atPath: folder)
    let names = (files?.allObjects as? [String]) ?? []
    return names.filter { endings.contains(URL(filePath: $0).pathExtension.lowercased()) }
      .sorted().map { "\(folder)/\($0)" }
  }

  /// The pictures of a list, one a line, relative to the list's folder.
  private static func listed(_ path: String) throws -> [String] {
    guard FileManager.default.fileExists(atPath: path) else {
      throw fault(path, "no such file or folder; check the places in data.yaml")
    }
    let folder = URL(filePath: path).deletingLastPathComponent().relativePath
    return try RegularFile.text(path).split(whereSeparator: \.isNewline)
      .map { String($0).trimmingBlanks() }.filter { !$0.isEmpty }
      .map {
        $0.hasPrefix("/") ? $0 : "\(folder)/\($0.hasPrefix("./") ? String($0.dropFirst(2)) : $0)"
      }
  }

  /// Where the labels of a picture are: `labels` in the place of the last `images`, else beside it.
  ///
  /// - Parameter picture: The picture's path.
  package static func labels(of picture: String) -> String {
    let stem = URL(filePath: picture).deletingPathExtension().relativePath
    guard let range = stem.range(of: "/images/", options: .backwards) else {
      return stem.hasPrefix("images/") ? "labels/\(stem.dropFirst(7)).txt" : "\(stem).txt"
    }
    return stem.replacingCharacters(in: range, with: "/labels/") + ".txt"
  }

  static func fault(_ path: String, _ reason: String, place: String = "") -> DatasetError {
    .record(file: path, place: place, field: "", reason: reason)
  }

  /// What `data.yaml` says.
  private struct Description {
    let names: [String]
    let places: [Part: [String]]

    init(path: String) throws {
      let text: String
      do {
        text = try RegularFile.text(path, limit: 1 << 20)
      } catch let error as FormatError {
        throw YOLODataset.fault(path, error.reason)
      }
      guard let root = try? Yams.compose(yaml: text), let mapping = root.mapping else {
        throw YOLODataset.fault(
          path, "is no YAML with keys; a data set of YOLO has train, val and names")
      }
      names = try Self.names(mapping["names"], path: path)
      let folder = URL(filePath: path).deletingLastPathComponent().relativePath
      var whole = folder
      if let given = mapping["path"]?.scalar?.string, !["", "."].contains(given) {
        whole = given.hasPrefix("/") ? given : Self.existing(given, in: folder)
      }
      var places: [Part: [String]] = [:]
      for (part, keys) in [
        (Part.train, ["train"]), (.validation, ["val", "valid", "validation"]), (.test, ["test"]),
      ] {
        guard let node = keys.lazy.compactMap({ mapping[$0] }).first else { continue }
        let written = node.scalar.map { [$0.string] } ?? node.sequence?.compactMap(\.scalar?.string)
        places[part] = (written ?? []).filter { !$0.isEmpty && $0 != "null" && $0 != "~" }
          .map { Self.place($0, below: whole, or: folder) }
      }
      guard places[.train] != nil else {
        throw YOLODataset.fault(path, "has no \"train\"; name the folder of the training pictures")
      }
      self.places = places
    }

    /// The root is meant from the file's folder, or from where the file was written for.
    private static func existing(_ given: String, in folder: String) -> String {
      let beside = "\(folder)/\(given)"
      return WholePath.isFolder(beside) ? beside : WholePath.isFolder(given) ? given : folder
    }

    /// Tools write `../train/images` also where the folder lies beside the file.
    private static func place(_ written: String, below root: String, or folder: String) -> String {
      if written.hasPrefix("/") { return written }
      let written = written.hasPrefix("./") ? String(written.dropFirst(2)) : written
      let trimmed = written.replacing(/^(\.\.?\/)+/, with: "")
      let candidates = ["\(root)/\(written)", "\(folder)/\(written)", "\(folder)/\(trimmed)"]
      return candidates.first(where: FileManager.default.fileExists) ?? candidates[0]
    }

    /// A list, or numbers with names.
    private static func names(_ node: Node?, path: String) throws -> [String] {
      guard let node else {
        throw YOLODataset.fault(path, "has no \"names\"; list the names of the classes")
      }
      if let list = node.sequence {
        return list.map { ($0.scalar?.string ?? "").trimmingBlanks() }
      }
      guard let mapping = node.mapping else {
        throw YOLODataset.fault(path, "has \"names\" that are no list of names")
      }
      var names: [Int: String] = [:]
      for (key, value) in mapping {
        guard let number = key.scalar.flatMap({ Int($0.string) }), (0..<100_000).contains(number),
          let name = value.scalar?.string
        else { throw YOLODataset.fault(path, "\"names\" must be numbers from 0 with names") }
        names[number] = name.trimmingBlanks()
      }
      return (0..<((names.keys.max() ?? -1) + 1)).map { names[$0] ?? "class \($0)" }
    }
  }
}

/// Whether paths are folders.
enum WholePath {
  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }
}
