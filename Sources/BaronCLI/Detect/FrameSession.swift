import Formats
import Foundation
import Pictures
import Training

/// Detects on frames that arrive at standard input, and hands them on.
///
/// While the device looks at a frame, the next is decoded and the last is drawn and written; each is
/// flushed when it is done, so that a viewer at the other end sees it.
struct FrameSession {
  let detector: ObjectDetector
  let query: ObjectQuery
  let limit: Int
  /// Whether a line of JSON is printed for each frame instead of the frame with boxes.
  let printsJSON: Bool

  private static let name = "standard input"

  private struct Frame: Sendable {
    let number: Int
    let image: Image
    var found: [ObjectDetector.Found] = []
  }

  /// Runs until the stream ends.
  ///
  /// - Throws: `DetectError` when frames would go to a terminal; `PictureError` when the stream is none
  ///   or ends inside a frame, after all frames before it; what the device throws.
  func run() throws {
    guard printsJSON || isatty(1) == 0 else { throw DetectError.framesToTerminal }
    let stream = try FrameStream(ByteStream(descriptor: 0, name: Self.name), name: Self.name)
    if !printsJSON { try Console.write(stream.container.header) }
    var written = 0
    var colors = LabelPalette()
    // Frames before a cut are handed on, then the cut is told.
    var cut: (any Error)?
    try Overlap.run {
      do { return try Self.next(of: stream) } catch {
        cut = error
        return nil
      }
    } work: { frame in
      var frame = frame
      let found = try detector.detect([frame.image], above: 0)[0]
      frame.found = query.shown(found, limit: limit) { $0 }
      return frame
    } finish: { frame in
      try hand(on: frame, stream.container, &colors)
      written += 1
    }
    if let cut { throw cut }
    Console.say("\(written) of \(stream.count, "frame")")
  }

  /// The next frame that can be decoded; others are told.
  private static func next(of stream: FrameStream) throws -> Frame? {
    while let (number, result) = try stream.next() {
      switch result {
      case .success(let image): return Frame(number: number, image: image)
      case .failure(let error): Console.warn("\(error)")
      }
    }
    return nil
  }

  private func hand(
    on frame: Frame, _ container: any FrameContainer, _ colors: inout LabelPalette
  ) throws {
    guard !printsJSON else {
      let line: JSONValue = [
        "frame": .number(Double(frame.number)), "width": .number(Double(frame.image.width)),
        "height": .number(Double(frame.image.height)),
        "objects": .array(frame.found.map { .object($0.fields(named: name(of: $0))) }),
      ]
      return try Console.print(line.text())
    }
    let boxes = frame.found.map {
      LabeledBox(box: $0.box, label: name(of: $0), score: Double($0.score), mask: $0.mask)
    }
    try Console.write(
      try container.encode(
        PictureSheet.annotated(frame.image, boxes, enlarging: 1, colors: &colors)))
  }

  private func name(of object: ObjectDetector.Found) -> String { detector.vocabulary[object.label] }
}
