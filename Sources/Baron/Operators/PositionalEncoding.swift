import Foundation
import OpenCL
import Tensors

extension Tensor {
  /// The sine encoding of boxes.
  ///
  /// Each coordinate `u` gives `features` values: for `i` in `0..<features` the sine (even `i`) or
  /// cosine (odd `i`) of `scale * u * temperature^(floor(i/2) - features/4)`. Accurate to a few 1e-7
  /// at any angle. Follows spec method 1.6.
  ///
  /// - Parameters:
  ///   - boxes: `cx, cy, w, h` of each of N boxes, in 0...1.
  ///   - features: Values per coordinate.
  ///   - temperature: Ratio of neighbouring frequencies.
  ///   - scale: The angle of one unit at frequency 1.
  ///   - stream: Where the result lives.
  /// - Returns: `[N, 4 * features]`, a constant.
  package static func sinePositions(
    boxes: [Float], features: Int, temperature: Float, scale: Double = 2 * Double.pi,
    on stream: ComputeStream
  ) throws -> Tensor {
    precondition(boxes.count.isMultiple(of: 4), "\(boxes.count) coordinates are no whole boxes")
    precondition(features > 0, "\(features) features a coordinate")
    let rows = boxes.count / 4
    let result = try Tensor(uninitialized: [rows, 4 * features], on: stream, label: "positions")
    guard rows > 0 else { return result }
    let turns = (0..<features).map { index in
      scale / (2 * Double.pi)
        * pow(Double(temperature), Double(index / 2) - Double(features) / 4)
    }
    let rounded = turns.map { Float($0) }
    let rests = zip(turns, rounded).map { Float($0 - Double($1)) }
    let phases: [Float] = (0..<features).map { $0.isMultiple(of: 2) ? 0 : 0.25 }
    let table = try Tensor(
      rounded + rests + phases, shape: [3, features], on: stream, label: "frequencies")
    let input = try Tensor(boxes, shape: [rows, 4], on: stream, label: "boxes")
    try stream.launchRows(
      try stream.library.kernel("positional_encoding_forward", in: "PositionalEncoding"),
      rows: rows,
      [.buffer(input.buffer), .buffer(table.buffer), .buffer(result.buffer), .int(features)],
      work: Work(operations: 10 * Double(result.count), bytes: 4 * Double(result.count)))
    return result
  }
}
