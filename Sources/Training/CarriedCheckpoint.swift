import Distribution
import Formats
import Foundation

/// A checkpoint where every rank can read it: the folder itself for rank 0, a copy that goes with this
/// value for the others, which need not see the run's folder.
struct CarriedCheckpoint {
  /// The folder to read.
  let path: String
  private let copy: TemporaryFolder?

  /// Bytes that are sent at a time.
  private static let piece = 16 << 20

  /// Sends a checkpoint to all ranks.
  ///
  /// - Parameters:
  ///   - path: The folder on rank 0; not looked at elsewhere.
  ///   - world: The processes.
  /// - Throws: `FormatError` or `CocoaError` when a disk fails; `WorldError`.
  init(_ path: String, among world: any World) throws {
    guard world.size > 1 else {
      self.path = path
      copy = nil
      return
    }
    let copy = world.rank == 0 ? nil : try TemporaryFolder("checkpoint")
    self.copy = copy
    self.path = copy?.path ?? path
    let names =
      world.rank == 0 ? try FileManager.default.contentsOfDirectory(atPath: path).sorted() : []
    let list = try world.broadcast(
      Array(names.joined(separator: "\n").utf8), Exchange("checkpoint files"))
    for name in String(decoding: list, as: UTF8.self).split(separator: "\n") {
      try Self.send("\(self.path)/\(name)", among: world)
    }
  }

  /// Sends a file piece by piece; an empty piece is its end.
  private static func send(_ path: String, among world: any World) throws {
    let exchange = Exchange("checkpoint")
    guard world.rank > 0 else {
      let file = try MappedFile(path: path)
      return try withExtendedLifetime(file) {
        for first in stride(from: 0, to: file.bytes.count, by: piece) {
          let part = file.bytes[first..<min(first + piece, file.bytes.count)]
          _ = try world.broadcast(Array(part), exchange)
        }
        _ = try world.broadcast([], exchange)
      }
    }
    try AtomicFile.write(to: path) { descriptor in
      while true {
        let part = try world.broadcast([], exchange)
        if part.isEmpty { return }
        try part.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
      }
    }
  }
}
