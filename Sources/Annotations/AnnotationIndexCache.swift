import Formats
import Foundation

/// Keeps the indexes of large annotation files, so that a second start need not read them.
///
/// An index lies in the user's cache folder (`annotations` in `$BARON_CACHE`, else in
/// `~/.cache/baron`), because the folder of a data set may be read-only and several runs share one.
/// It is used only when the file still has the size, the modification time in nanoseconds and the
/// digest of samples that it had: SHA-256 over 17 blocks of 64 KiB from the first to the last byte. A
/// digest of the whole file would take as long as indexing it. The index itself carries a CRC-32.
/// Whatever does not fit is told in one line and made anew.
package struct AnnotationIndexCache: Sendable {
  /// Smaller files are read at once and not kept.
  package static let smallestFile = 8 << 20

  /// The folder of the indexes.
  package let folder: String
  /// The size in bytes from which on files are kept.
  package let minimumSize: Int
  /// Takes one line when a kept index cannot be used or none can be kept.
  let note: @Sendable (String) -> Void

  package init(
    folder: String, minimumSize: Int = AnnotationIndexCache.smallestFile,
    note: @escaping @Sendable (String) -> Void = AnnotationIndexCache.tell
  ) {
    self.folder = folder
    self.minimumSize = minimumSize
    self.note = note
  }

  /// The user's cache, or nil when `BARON_CACHE` is `off`.
  package static var standard: AnnotationIndexCache? {
    UserCache.folder("annotations").map { AnnotationIndexCache(folder: $0) }
  }

  /// Writes a line to standard error.
  ///
  /// - Parameter line: The line.
  package static func tell(_ line: String) {
    Console.note(line)
  }

  /// The index of a file, kept or made.
  ///
  /// - Parameter path: The annotation file's path.
  /// - Throws: ``DatasetError`` when the file must be read and is malformed.
  package func index(of path: String) throws -> AnnotationIndex {
    guard let mark = FileMark(path: path), mark.size >= minimumSize else {
      return try AnnotationIndex(reading: path)
    }
    let place = self.path(for: mark)
    do {
      if let kept = try load(place, of: path, mark) { return kept }
    } catch let error as FormatError {
      note("\(error); \(path) is indexed anew")
    }
    let index = try AnnotationIndex(reading: path)
    // A file that was written to in between must not be remembered by what it was before.
    if FileMark(path: path) == mark { store(index, mark, at: place) }
    return index
  }

  /// Where the index of a file lies.
  func path(for mark: FileMark) -> String {
    var digest = SHA256()
    digest.update(mark.location)
    return "\(folder)/\(digest.hexadecimal().prefix(32)).index"
  }

  private func load(_ place: String, of path: String, _ mark: FileMark) throws -> AnnotationIndex? {
    guard FileManager.default.fileExists(atPath: place) else { return nil }
    let file = try MappedFile(path: place)
    return try file.whole {
      var reader = try ColumnReader(file)
      guard try reader.mark() == mark else {
        throw FormatError(place, "is of an earlier state of the file")
      }
      return try reader.index(path: path)
    }
  }

  private func store(_ index: AnnotationIndex, _ mark: FileMark, at place: String) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try ColumnWriter.write(index, mark, to: place)
    } catch {
      let reason = error is CocoaError ? error.localizedDescription : "\(error)"
      note("the index of \(mark.location) cannot be kept: \(reason)")
    }
  }
}

extension AnnotationIndex {
  /// Gives the kept index of a file, or reads the file in one pass and keeps the index.
  ///
  /// - Parameters:
  ///   - path: The file's path.
  ///   - cache: Where indexes are kept; nil reads the file.
  /// - Throws: ``DatasetError`` when the file must be read and is malformed.
  package init(path: String, cache: AnnotationIndexCache? = .standard) throws {
    self = try cache?.index(of: path) ?? AnnotationIndex(reading: path)
  }
}
