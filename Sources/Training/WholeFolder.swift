import Foundation

/// Folders that are there as a whole or not at all.
enum WholeFolder {
  /// Moves a folder to a place; what was there goes only when the new one is in it.
  ///
  /// - Parameters:
  ///   - place: Where the folder belongs.
  ///   - folder: The whole new folder, on the same disk.
  ///   - aside: A free name on the same disk for the old one meanwhile.
  /// - Throws: ``RunFolderError``; both folders are still there then.
  static func replace(_ place: String, by folder: String, aside: String) throws {
    if exists(place) {
      try remove(aside)
      try move(place, to: aside)
    }
    do {
      try move(folder, to: place)
    } catch {
      if !exists(place), exists(aside) { try? move(aside, to: place) }
      throw error
    }
    try remove(aside)
  }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func move(_ path: String, to other: String) throws {
    guard rename(path, other) == 0 else {
      throw RunFolderError.system(
        path: other, reason: "cannot be renamed: \(String(cString: strerror(errno)))")
    }
  }

  static func remove(_ path: String) throws {
    guard exists(path) else { return }
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      throw RunFolderError.system(path: path, reason: "cannot be removed; check its permissions")
    }
  }

  /// Asks the system to put a file or a folder's names on the disk; a file system without that, as
  /// some network ones, is no reason to lose what was written.
  static func sync(_ path: String) {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
