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

  /// For each place of an axis its two neighbours in the source and the weight of the second.
  private static func taps(
    source: GraphValue, target: GraphValue
  ) -> (first: GraphValue, second: GraphValue, weight: GraphValue) {
    let position = (GraphValue.range(target) * 2 + 1) * source - target
    let place = position.maximum(position.number(0))
    let span = target * 2
    let cell = place / span
    let last = source - 1
    let isInside = last.isGreater(than: cell)
    let weight = ((place - cell * span) * Self.parts + target) / span
    let first = cell.minimum(last)
    return (
      first, (first + 1).minimum(last),
      isInside.chosen(weight, else: weight.number(0)).cast(to: .int32)
    )
  }

  /// `[H, W, 3]` of grey levels; whole-number arithmetic, so that no order of sums matters.
  private static func resized(
    _ picture: GraphValue, rows: (source: GraphValue, target: GraphValue),
    columns: (source: GraphValue, target: GraphValue)
  ) -> GraphValue {
    func blend(
      _ values: GraphValue, _ lengths: (source: GraphValue, target: GraphValue), axis: Int
    ) -> GraphValue {
      let taps = taps(source: lengths.source, target: lengths.target)
      let weight = taps.weight.unsqueezed(axis == 0 ? [1, 2] : [0, 2])
      func neighbour(_ indices: GraphValue) -> GraphValue {
        values.gathered(indices, axis: axis).cast(to: .int32)
      }
      return neighbour(taps.first) * (parts - weight) + neighbour(taps.second) * weight
    }
    let sum = blend(blend(picture, rows, axis: 0), columns, axis: 1)
    return ((sum + Double(1 << 21)) / Double(1 << 22)).cast(to: .float)
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
