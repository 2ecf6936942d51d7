import Foundation
import Pictures

/// Finds the picture of each PASCAL VOC annotation and says what was odd about them.
///
/// The devkit's readers take the picture that is called as the annotation file is; `filename` inside is
/// often that of before a renaming, a whole path, or a name without its ending.
struct VOCPictures {
  private static let endings: Set<String> = ["jpg", "jpeg", "png"]

  private var folder = ""
  /// The files of the folder by name, and by lower-case name without ending.
  private var names: Set<String> = []
  private var stems: [String: String] = [:]
  private var renamed = RecordTally()
  private var missing = RecordTally()
  private var measured = RecordTally()
  private var lost = RecordTally()

  /// Looks into a folder of pictures; one that is not there has none.
  mutating func enter(_ folder: String) {
    self.folder = folder
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    names = Set(files)
    stems = [:]
    // A picture without an ending stands behind one with.
    for isEnded in [true, false] {
      for file in files {
        let ending = Self.ending(of: file)
        guard isEnded ? Self.endings.contains(ending) : ending.isEmpty else { continue }
        stems[Self.stem(of: file)] = stems[Self.stem(of: file)] ?? file
      }
    }
  }

  /// Fills in the size that a record lacks.
  ///
  /// - Parameters:
  ///   - record: The annotation.
  ///   - path: Its file.
  /// - Returns: The picture's name in the folder; nil when the size cannot be had.
  mutating func complete(_ record: inout VOCRecord, of path: String) -> String? {
    let name = name(for: record, of: path)
    guard record.width == 0 || record.height == 0 else { return name }
    do {
      let header = try PictureHeader(path: "\(folder)/\(name)")
      record.width = header.width
      record.height = header.height
      measured.count(path)
      return name
    } catch {
      lost.count("\(path): \(error)")
      return nil
    }
  }

  private mutating func name(for record: VOCRecord, of path: String) -> String {
    let own = Self.stem(of: path)
    let written = record.fileName
    if let file = stems[own] {
      // "a" and "A.JPG" both mean the picture of a.xml.
      if !written.isEmpty, Self.stem(of: written) != own { renamed.count(path) }
      return names.contains(written) && Self.stem(of: written) == own ? written : file
    }
    if names.contains(written) { return written }
    if let file = stems[Self.stem(of: written)], !written.isEmpty { return file }
    missing.count(path)
    guard written.isEmpty else { return written }
    return URL(filePath: path).deletingPathExtension().lastPathComponent + ".jpg"
  }

  private static func ending(of name: String) -> String {
    URL(filePath: name).pathExtension.lowercased()
  }

  /// The name in lower case without folders and the ending of a picture or annotation.
  private static func stem(of path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let isKnown = endings.contains(ending(of: name)) || ending(of: name) == "xml"
    return (isKnown ? URL(filePath: name).deletingPathExtension().lastPathComponent : name)
      .lowercased()
  }

  /// One line for each oddity.
  var warnings: [String] {
    [
      renamed.line(
        "annotation file names", "annotation files name",
        "another picture than the one that is called as it is: the latter was taken"),
      missing.line(
        "picture is", "pictures are", "not in JPEGImages: the name was taken as it is written"),
      measured.line("size is", "sizes are", "0 or missing: read from the picture"),
      lost.line(
        "annotation file has", "annotation files have",
        "no size, and no picture to read it from: left out"),
    ].compactMap { $0 }
  }
}
