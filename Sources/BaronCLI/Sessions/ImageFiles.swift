import Foundation
import Pictures

/// The image files that a user means.
enum ImageFiles {
  /// What counts as an image inside a folder; the decoder says which of them it cannot read.
  private static let suffixes: Set<String> = [
    "jpg", "jpeg", "jpe", "png", "gif", "webp", "bmp", "tif", "tiff", "mpo",
  ]

  /// Finds the files of names, folders and shell patterns.
  ///
  /// - Parameter inputs: What the user wrote; a name that is no folder and no pattern is taken as a
  ///   file, whether it is there or not.
  /// - Returns: Paths, each once, in the order of the inputs, those of a folder and the
  ///   folders in it sorted.
  /// - Throws: `DetectError` when a folder or pattern has no image.
  static func expand(_ inputs: [String]) throws -> [String] {
    var seen: Set<String> = []
    var files: [String] = []
    for input in inputs {
      var found = [input]
      if isFolder(input) {
        found = images(in: input)
      } else if !FileManager.default.fileExists(atPath: input),
        input.contains(where: { "*?[".contains($0) })
      {
        found = matches(of: input)
      }
      guard !found.isEmpty else { throw DetectError.noImages(input: input) }
      files += found.filter { seen.insert($0).inserted }
    }
    return files
  }

  /// Looks whether at least one file begins as a picture does, before a model is loaded for nothing.
  ///
  /// - Parameter files: Paths.
  /// - Throws: `DetectError` with the first file's reason when none does.
  static func requireOne(of files: [String]) throws {
    var first: String?
    for file in files {
      do {
        _ = try PictureHeader(path: file)
        return
      } catch let error as PictureError {
        first = first ?? "\(error)"
      }
    }
    throw DetectError.nothingReadable(count: files.count, first: first ?? "")
  }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// The images of a folder and of the folders in it; hidden ones and results of earlier detections
  /// are left out, and links to folders are not followed.
  private static func images(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let base = folder.hasSuffix("/") ? folder : folder + "/"
    return names.sorted().flatMap { name -> [String] in
      let path = base + name
      guard isFolder(path) else {
        return suffixes.contains(URL(filePath: name).pathExtension.lowercased()) ? [path] : []
      }
      guard !name.hasPrefix("."), !isLink(path), !OutputFolder.isOne(path) else { return [] }
      return images(in: path)
    }
  }

  private static func isLink(_ path: String) -> Bool {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
  }

  private static func matches(of pattern: String) -> [String] {
    var list = glob_t()
    defer { globfree(&list) }
    guard glob(pattern, 0, nil, &list) == 0 else { return [] }
    return (0..<Int(list.gl_pathc)).compactMap { index in
      list.gl_pathv[index].map { String(cString: $0) }
    }.filter { !isFolder($0) }
  }
}
