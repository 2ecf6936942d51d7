import Formats
import Geometry
import Tensors
import TestSupport
import Testing

@testable import Detection

/// Anchors on the host, box by box, to compare the device with.
enum HostSampling {
  /// The anchors of a map.
  static func anchors(
    _ generator: AnchorGenerator, level: Int, height: Int, width: Int
  ) -> [Box] {
    (0..<height).flatMap { row in
      (0..<width).flatMap { column in
        generator.baseAnchors(level: level).map { box in
          let (x, y) = (
            Float(column * generator.strides[level]), Float(row * generator.strides[level])
          )
          return Box(x1: box.x1 + x, y1: box.y1 + y, x2: box.x2 + x, y2: box.y2 + y)
        }
      }
    }
  }
}

extension TruthBoxes {
  /// Ground truth as boxes.
  init(_ boxes: [[Box]], classes: [[Int32]]? = nil, on stream: ComputeStream) throws {
    try self.init(
      boxes: boxes.map(\.corners),
      classes: classes ?? boxes.map { [Int32](repeating: 0, count: $0.count) }, on: stream)
  }
}

extension SampledRows {
  /// A sample with given rows, as many of each image as the fullest has.
  init(positives: [[Int]], negatives: [[Int]], on stream: ComputeStream) throws {
    let lists = zip(positives, negatives).map { $0 + $1 }
    let longest = lists.map(\.count).max() ?? 0
    self.init(
      rows: try Tensor(
        lists.flatMap { list in
          list.map { Int32($0) } + [Int32](repeating: -1, count: longest - list.count)
        }, shape: [lists.count, longest], on: stream),
      counts: try Tensor(
        zip(positives, negatives).flatMap { [Int32($0.count), Int32($1.count)] },
        shape: [lists.count, 2], on: stream))
  }

  /// The positives and negatives of each image.
  func lists() throws -> [(positives: [Int], negatives: [Int])] {
    let (all, numbers) = (
      try rows.integers().map { Int($0) }, try counts.integers().map { Int($0) }
    )
    let wanted = rows.shape[1]
    return (0..<rows.shape[0]).map { image in
      let own = Array(all[image * wanted..<(image + 1) * wanted])
      let (positives, total) = (numbers[2 * image], numbers[2 * image] + numbers[2 * image + 1])
      #expect(own[total...].allSatisfy { $0 == -1 })
      return (Array(own[..<positives]), Array(own[positives..<total]))
    }
  }
}
