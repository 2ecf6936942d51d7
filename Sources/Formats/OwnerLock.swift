import Foundation

/// Locks on files and folders that are not meant to outlive their process.
///
/// The system opens a lock when its process ends, however it does: what can be locked has been
/// forgotten. The number of a process would not tell, as containers that share a folder count by
/// themselves. Where a network file system keeps locks on each machine, a lock tells nothing of the
/// processes of others: the names of such files carry the machine's, and each looks after its own.
enum OwnerLock {
  /// Locks what this process has just made.
  ///
  /// - Parameters:
  ///   - descriptor: The open file or folder.
  ///   - path: Where it was made.
  /// - Returns: Whether it is this process's: between the making and the lock another can have taken
  ///   it for forgotten. A file system without locks keeps everything, so it is true there.
  static func claim(_ descriptor: Int32, _ path: String) -> Bool {
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK { return false }
    var (opened, there) = (stat(), stat())
    return fstat(descriptor, &opened) == 0 && lstat(path, &there) == 0
      && opened.st_ino == there.st_ino && opened.st_dev == there.st_dev
  }

  /// Removes a file or folder whose owner has ended.
  ///
  /// - Parameter path: Its path; it stays when it is locked or cannot be.
  static func removeForgotten(_ path: String) {
    // A network file system locks files that are open for writing only.
    var descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if descriptor < 0, errno == EISDIR { descriptor = openFolder(path) }
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return }
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Opens a folder to lock it.
  ///
  /// - Parameter path: The folder, not a link to one.
  /// - Returns: A descriptor, negative when it cannot be opened.
  static func openFolder(_ path: String) -> Int32 {
    open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
  }
}
