import Detection
import ONNX

/// A picture on its way into the network: resized as `ImageInput.cl` does it, bit for bit, then
/// normalised and padded.
struct PictureGraph {
  /// Network input `[1, 3, H, W]`.
  let input: GraphValue
  /// Pixels of the resized picture per original pixel along x and y, scalars.
  let scale: (x: GraphValue, y: GraphValue)
  /// Columns and rows of the resized picture as floating-point scalars.
  let size: (width: GraphValue, height: GraphValue)
  /// Columns and rows of the original as floating-point scalars.
  let original: (width: GraphValue, height: GraphValue)

  /// Weights of the two neighbours of a pixel are in this many parts.
  private static let parts = 2048.0

  /// Adds the nodes.
  ///
  /// - Parameters:
  ///   - picture: Bytes `[H, W, 3]`: red, green, blue.
  ///   - parts: The detector.
  init(_ picture: GraphValue, _ parts: DetectorParts) {
    let (height, width) = (picture.length(0), picture.length(1))
    let target = Self.target(
      width: width, height: height, longSide: parts.longSide, shortSide: parts.shortSide)
    let resized = Self.resized(
      picture, rows: (height, target.height), columns: (width, target.width))
    input = Self.padded(
      Self.normalised(resized, parts.configuration.input), height: target.height,
      width: target.width, multiple: parts.configuration.input.pad)
    func ratio(_ target: GraphValue, _ source: GraphValue) -> GraphValue {
      (target.cast(to: .double) / source.cast(to: .double)).cast(to: .float)
    }
    scale = (ratio(target.width, width), ratio(target.height, height))
    size = (target.width.cast(to: .float), target.height.cast(to: .float))
    original = (width.cast(to: .float), height.cast(to: .float))
  }

  /// The size that keeps the ratio within two bounds, in double precision as `ImageView` has it.
  private static func target(
    width: GraphValue, height: GraphValue, longSide: Int, shortSide: Int
  ) -> (width: GraphValue, height: GraphValue) {
    let (wide, high) = (width.cast(to: .double), height.cast(to: .double))
    let factor = (wide.number(Double(longSide)) / wide.maximum(high))
      .minimum(wide.number(Double(shortSide)) / wide.minimum(high))
    func rounded(_ side: GraphValue) -> GraphValue {
      let length = (side * factor + 0.5).cast(to: .int64)
      return length.maximum(length.number(1))
    }
    return (rounded(wide), rounded(high))
  }

  /// Where the pixels of an axis come from.
  private struct Taps {
    /// The two neighbours in the source, int64.
    let first, second: GraphValue
    /// Their weights, int32.
    let firstWeight, secondWeight: GraphValue
  }

  /// The taps of an axis, as `BilinearTaps` has them.
  ///
  /// - Parameters:
  ///   - source: Pixels of the original.
  ///   - target: Pixels of the result.
  ///   - isVertical: Whether these are rows, which have weights beyond the outermost centres too.
  private static func taps(
    source: GraphValue, target: GraphValue, isVertical: Bool
  ) -> Taps {
    // One more than the place in whole numbers, so that division cuts off downwards.
    let span = target * 2
    let place = (GraphValue.range(target) * 2 + 1) * source + target
    let next = place / span
    let position =
      ((next - 1).cast(to: .double) + (place - next * span).cast(to: .double)
      / span.cast(to: .double)).cast(to: .float)
    let cell = position.mapped("Floor")
    let first = cell.cast(to: .int64)
    let last = source - 1
    let isInside = last.isGreater(than: first).and(first.isAtLeast(first.number(0)))
    let share = position - cell
    let fraction = isVertical ? share : isInside.chosen(share, else: share.number(0))
    func clamped(_ place: GraphValue) -> GraphValue {
      place.maximum(place.number(0)).minimum(last)
    }
    func weight(_ share: GraphValue) -> GraphValue {
      (share * parts).mapped("Round").cast(to: .int32)
    }
    return Taps(
      first: clamped(first), second: clamped(first + 1), firstWeight: weight(1 - fraction),
      secondWeight: weight(fraction))
  }

  /// `[H, W, 3]` of grey levels; whole numbers, cut off where the kernel cuts them off.
  private static func resized(
    _ picture: GraphValue, rows: (source: GraphValue, target: GraphValue),
    columns: (source: GraphValue, target: GraphValue)
  ) -> GraphValue {
    let across = taps(source: columns.source, target: columns.target, isVertical: false)
    let down = taps(source: rows.source, target: rows.target, isVertical: true)
    func column(_ indices: GraphValue, _ weight: GraphValue) -> GraphValue {
      picture.gathered(indices, axis: 1).cast(to: .int32) * weight.unsqueezed([0, 2])
    }
    let sums =
      (column(across.first, across.firstWeight) + column(across.second, across.secondWeight))
      / 16
    func row(_ indices: GraphValue, _ weight: GraphValue) -> GraphValue {
      sums.gathered(indices, axis: 0) * weight.unsqueezed([1, 2]) / 65536
    }
    let levels =
      (row(down.first, down.firstWeight) + row(down.second, down.secondWeight) + 2) / 4
    return levels.cast(to: .float)
  }

  private static func normalised(
    _ picture: GraphValue, _ input: ImageInputConfiguration
  ) -> GraphValue {
    let graph = picture.graph
    func row(_ values: [Float]) -> GraphValue { graph.constant(values.map(Double.init), .float) }
    let channels = input.order == .bgr ? picture.gathered(graph.list([2, 1, 0]), axis: 2) : picture
    return (channels - row(input.mean)) * row(input.std.map { 1 / $0 })
  }

  /// `[1, 3, H, W]`, zeros at the right and the bottom up to a multiple.
  private static func padded(
    _ picture: GraphValue, height: GraphValue, width: GraphValue, multiple: Int
  ) -> GraphValue {
    func missing(_ length: GraphValue) -> GraphValue {
      let unit = Double(multiple)
      return (((length + (unit - 1)) / unit) * unit - length).unsqueezed([0])
    }
    let none = picture.graph.list([0])
    let pads = GraphValue.concatenated(
      [none, none, none, none, none, none, missing(height), missing(width)], axis: 0)
    return picture.transposed([2, 0, 1]).unsqueezed([0]).padded(pads)
  }
}
