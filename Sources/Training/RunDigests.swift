import Formats
import Foundation

/// What has to be alike on all machines that train together.
package struct RunDigest: Equatable, Sendable {
  /// The file's key of the configuration and its name.
  package let what: String
  /// Equal where the content is, as far as it was looked at.
  package let digest: String
  /// How large it is.
  package let details: String
}

extension RunConfiguration {
  /// The digests of the files that training reads, but for the pictures.
  ///
  /// Files that describe data are read as a whole, of weights 17 blocks of 64 KiB.
  package func digests() -> [RunDigest] {
    let described = DataState.digests(of: data.files)
    var digests = data.files.map { key, path in
      RunDigest(
        what: Self.name(key, path), digest: described[key] ?? "",
        details: described[key] ?? "missing")
    }
    let weights = [("model.start", model.start), ("clip.class_embeddings", clip.classEmbeddings)]
    for (key, path) in weights + Self.files(of: clip.folder).map({ ("clip.folder", $0) }) {
      let mark = path.isEmpty ? nil : FileMark(path: path)
      digests.append(
        RunDigest(
          what: Self.name(key, path), digest: mark.map { "\($0.size) \($0.digest)" } ?? "",
          details: mark.map { "\($0.size, "byte")" } ?? "missing"))
    }
    return digests
  }

  private static func name(_ key: String, _ path: String) -> String {
    path.isEmpty ? key : "\(URL(filePath: path).lastPathComponent) (\(key))"
  }

  /// The weight files and word lists of a CLIP folder.
  private static func files(of folder: String) -> [String] {
    guard !folder.isEmpty,
      let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
    else { return [] }
    return names.sorted().filter { !$0.hasPrefix(".") && isFile("\(folder)/\($0)") }
      .map { "\(folder)/\($0)" }
  }

  private static func isFile(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && !isFolder.boolValue
  }
}
