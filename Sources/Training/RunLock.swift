import Dispatch
import Formats
import Foundation

/// The lock that keeps a second trainer out of a run's folder: the file `lock` in it, which says who
/// holds it.
///
/// The system opens a lock when its process ends. Where a network file system keeps locks on each
/// machine, that keeps out trainers of the same machine only. So the holder touches the file as long
/// as it lives, and who gets the lock of a file that names another machine watches it for a while.
final class RunLock {
  /// Seconds between two touches.
  static let beat = 5.0
  /// Seconds without a touch after which another machine's trainer is taken to have ended: network
  /// file systems show what others did with a delay.
  static let patience = 20.0

  private let descriptor: Int32
  private let touching: any DispatchSourceTimer
  private let queue = DispatchQueue(label: "run lock", qos: .userInitiated)

  /// Locks `lock` in a folder for this process and writes down who holds it.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - machine: This machine's name.
  ///   - patience: Seconds for which another machine's lock is watched.
  ///   - beat: Seconds between two touches.
  ///   - note: Gets a line when it has to be watched.
  /// - Throws: ``RunFolderError`` when another process trains in the folder or the disk refuses;
  ///   `FormatError` when the file cannot be written.
  init(
    in folder: String, machine: String = Machine.name, patience: Double = RunLock.patience,
    beat: Double = RunLock.beat, note: (String) -> Void
  ) throws {
    let file = "\(folder)/lock"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw RunFolderError.system(
        path: file, reason: "cannot be made: \(String(cString: strerror(errno)))")
    }
    let own = "process \(getpid()) on \(machine)"
    do {
      try Self.take(descriptor, file, in: folder)
      let holder = Self.holder(file)
      let isForeign = !holder.isEmpty && !holder.hasSuffix(" on \(machine)")
      if isForeign {
        note("\(folder): \(holder) trained in this run; watching it for \(Int(patience)) s")
        if Self.isTouched(file, within: patience) {
          throw RunFolderError.locked(path: folder, holder: holder)
        }
      }
      try Self.write(own + "\n", to: descriptor, file)
      // Of two machines that watched at the same time, the last one stands in the file.
      if isForeign, Self.holder(file, after: patience / 10) != own {
        throw RunFolderError.locked(path: folder, holder: Self.holder(file))
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    touching = DispatchSource.makeTimerSource(queue: queue)
    touching.schedule(deadline: .now() + beat, repeating: beat)
    touching.setEventHandler { _ = futimens(descriptor, nil) }
    touching.activate()
  }

  deinit {
    touching.cancel()
    queue.sync {}
    // Nobody has to watch what has ended by itself.
    ftruncate(descriptor, 0)
    close(descriptor)
  }

  private static func take(_ descriptor: Int32, _ file: String, in folder: String) throws {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      guard code == EWOULDBLOCK else {
        throw RunFolderError.system(
          path: file, reason: "cannot be locked: \(String(cString: strerror(code)))")
      }
      throw RunFolderError.locked(path: folder, holder: holder(file))
    }
  }

  /// What the file says of its holder, some seconds from now; empty when it says nothing of one.
  private static func holder(_ file: String, after seconds: Double = 0) -> String {
    usleep(UInt32(seconds * 1e6))
    let text = (try? RegularFile.contents(file)) ?? Foundation.Data()
    let words = String(decoding: text.prefix(400), as: UTF8.self)
    return words.prefixMatch(of: /process \d+ on \S{0,256}(?=\n)/).map { String($0.0) } ?? ""
  }

  /// Whether a file's time changes within some seconds.
  private static func isTouched(_ file: String, within seconds: Double) -> Bool {
    let (before, begun) = (time(file), MonotonicClock.seconds)
    while MonotonicClock.seconds - begun < seconds {
      usleep(100_000)
      if time(file) != before { return true }
    }
    return false
  }

  /// When a file was changed, in seconds and nanoseconds.
  ///
  /// Opening it makes a network file system ask.
  private static func time(_ file: String) -> [Int] {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var about = stat()
    return fstat(descriptor, &about) == 0 ? [about.st_mtim.tv_sec, about.st_mtim.tv_nsec] : []
  }

  private static func write(_ text: String, to descriptor: Int32, _ file: String) throws {
    ftruncate(descriptor, 0)
    try Foundation.Data(text.utf8).withUnsafeBytes {
      try AtomicFile.append($0, to: descriptor, path: file)
    }
    fsync(descriptor)
  }
}
