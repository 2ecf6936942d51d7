import Formats
import Foundation

/// A file that TensorBoard reads: scalars, pictures and texts over steps.
///
/// Records are framed as TensorFlow does (length, checksum of it, bytes, checksum of them); each is an
/// `Event` message. A file begins with its version and with the start of a session at a step: readers
/// forget what earlier files say of that step and later ones.
package final class EventFile {
  /// A picture to be written.
  package struct Picture {
    let tag: String
    let png: Data
    let width, height: Int

    /// - Parameters:
    ///   - tag: What it is called.
    ///   - png: A PNG file.
    ///   - width: Its width in pixels.
    ///   - height: Its height in pixels.
    package init(tag: String, png: Data, width: Int, height: Int) {
      self.tag = tag
      self.png = png
      self.width = width
      self.height = height
    }
  }

  /// The file's path.
  package let path: String
  private let descriptor: Int32
  private let now: () -> Double

  /// Makes a file that no other process writes.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - step: The first step that will follow.
  ///   - now: The time in seconds since 1970.
  /// - Throws: `FormatError` when it cannot be written.
  package init(
    folder: String, startingAt step: Int,
    now: @escaping () -> Double = { Date().timeIntervalSince1970 }
  ) throws {
    self.now = now
    // TensorBoard reads the files of a folder in the order of their names.
    let stem = "\(folder)/events.out.tfevents.\(Int64(now())).\(Machine.namePart).\(getpid())"
    var path = stem
    var number = 0
    var descriptor = Int32(-1)
    repeat {
      path = "\(stem).\(number)"
      number += 1
      descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    } while descriptor < 0 && errno == EEXIST && number < 1000
    guard descriptor >= 0 else {
      throw FormatError(path, "cannot be written: \(String(cString: strerror(errno)))")
    }
    self.path = path
    self.descriptor = descriptor
    try append(step: nil) { $0.add(3, "brain.Event:2") }
    let started: Int64 = 1
    try append(step: step) { $0.add(7) { $0.add(1, started) } }
  }

  deinit { close(descriptor) }

  /// Writes numbers of one step; what is not finite is left out.
  ///
  /// - Parameters:
  ///   - values: Their tags and values.
  ///   - step: The step.
  /// - Throws: `FormatError` when the disk is full.
  package func add(_ values: [(tag: String, value: Double)], step: Int) throws {
    let values = values.filter { $0.value.isFinite }
    guard !values.isEmpty else { return }
    try append(step: step) { event in
      event.add(5) { summary in
        for (tag, value) in values {
          summary.add(1) {
            $0.add(1, tag)
            $0.add(2, Float(value))
          }
        }
      }
    }
  }

  /// Writes a picture.
  ///
  /// - Parameters:
  ///   - picture: The picture.
  ///   - step: The step.
  /// - Throws: `FormatError` when the disk is full.
  package func add(_ picture: Picture, step: Int) throws {
    let channels: Int64 = 3
    try append(step: step) { event in
      event.add(5) {
        $0.add(1) {
          $0.add(1, picture.tag)
          $0.add(4) {
            $0.add(1, Int64(picture.height))
            $0.add(2, Int64(picture.width))
            $0.add(3, channels)
            $0.add(4, picture.png)
          }
        }
      }
    }
  }

  /// Writes a text, which TensorBoard shows as Markdown.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - tag: What it is called.
  ///   - step: The step.
  /// - Throws: `FormatError` when the disk is full.
  package func add(text: String, tag: String, step: Int) throws {
    let stringType: Int64 = 7
    try append(step: step) { event in
      event.add(5) {
        $0.add(1) {
          $0.add(1, tag)
          $0.add(9) { $0.add(1) { $0.add(1, "text") } }
          $0.add(8) {
            $0.add(1, stringType)
            // A scalar: a shape without dimensions.
            $0.add(2) { _ in }
            $0.add(8, text)
          }
        }
      }
    }
  }

  private func append(step: Int?, _ content: (inout ProtocolBuffer) -> Void) throws {
    var event = ProtocolBuffer()
    event.add(1, now())
    if let step { event.add(2, Int64(step)) }
    content(&event)
    let record = Self.framed(event.bytes)
    try record.withUnsafeBytes { try AtomicFile.append($0, to: descriptor, path: path) }
  }

  /// A record with its length and checksums.
  static func framed(_ bytes: Data) -> Data {
    var record = Data()
    withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { record.append(contentsOf: $0) }
    record.append(masked(record))
    record.append(bytes)
    record.append(masked(bytes))
    return record
  }

  /// A checksum as TensorFlow stores it: turned and shifted, lest it be one of itself.
  private static func masked(_ bytes: Data) -> Data {
    let sum = bytes.withUnsafeBytes { Checksum.crc32c($0) }
    let masked = (sum >> 15 | sum << 17) &+ 0xA282_EAD8
    return withUnsafeBytes(of: masked.littleEndian) { Data($0) }
  }
}
