import Formats

/// Pictures that arrive one after the other, as ffmpeg writes them into a pipe, and the way back into
/// the same container.
package protocol FrameContainer {
  /// What stands before the first frame.
  var header: [UInt8] { get }

  /// Takes the next frame.
  ///
  /// - Parameter stream: Where it comes from.
  /// - Returns: The frame as it was stored, or nil at the end.
  /// - Throws: ``PictureError`` when the stream ends inside a frame or is no such stream;
  ///   `FormatError` when reading fails.
  func next(_ stream: ByteStream) throws -> [UInt8]?

  /// Decodes a frame.
  ///
  /// - Parameter frame: What ``next(_:)`` gave.
  /// - Throws: ``PictureError`` when it is damaged.
  func decode(_ frame: [UInt8]) throws -> Image

  /// Encodes a frame.
  ///
  /// - Parameter image: The picture.
  /// - Throws: ``PictureError`` when the encoder fails.
  func encode(_ image: Image) throws -> [UInt8]
}

/// Reads frames from a pipe.
package final class FrameStream {
  /// How frames are stored.
  package let container: any FrameContainer
  private let stream: ByteStream
  private let name: String

  /// Frames taken so far.
  package private(set) var count = 0

  /// Reads the beginning of a stream.
  ///
  /// - Parameters:
  ///   - stream: Where frames come from.
  ///   - name: What errors call it.
  /// - Throws: ``PictureError`` when it is neither MJPEG nor yuv4mpeg; `FormatError` when reading
  ///   fails.
  package init(_ stream: ByteStream, name: String) throws {
    self.stream = stream
    self.name = name
    let first = try stream.peek(YUV4MPEG.magic.utf8.count)
    if first.elementsEqual(YUV4MPEG.magic.utf8) {
      container = try YUV4MPEG(stream, name: name)
    } else if first.starts(with: [0xFF, 0xD8]) || first.starts(with: "--".utf8) {
      container = MotionJPEG(name: name)
    } else {
      throw PictureError(
        path: name,
        reason: first.isEmpty
          ? "is empty; send frames, with 'ffmpeg -i FILE -f yuv4mpegpipe -' for example"
          : "is neither MJPEG nor yuv4mpeg; let ffmpeg write -f mjpeg or -f yuv4mpegpipe")
    }
  }

  /// Takes the next frame.
  ///
  /// - Returns: Its number, counted from 1, and the picture or why it cannot be decoded; nil at the
  ///   end.
  /// - Throws: ``PictureError`` when the stream ends inside a frame; `FormatError` when reading
  ///   fails.
  package func next() throws -> (number: Int, image: Result<Image, PictureError>)? {
    do {
      guard let frame = try container.next(stream) else { return nil }
      count += 1
      do {
        return (count, .success(try container.decode(frame)))
      } catch let error as PictureError {
        return (
          count, .failure(PictureError(path: "\(name), frame \(count)", reason: error.reason))
        )
      }
    } catch let error as PictureError {
      throw PictureError(
        path: name, reason: "\(error.reason); frames before it: \(count)")
    }
  }
}
