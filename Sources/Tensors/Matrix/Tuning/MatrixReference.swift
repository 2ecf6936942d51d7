import Formats
import Foundation

/// Some elements of a product in float64, to compare a device with.
struct MatrixReference {
  private struct Sample {
    /// Where the element lies in the target.
    let index: Int
    let value: Double
    /// The sum of the products' absolute values.
    let size: Double
  }

  private let samples: [Sample]
  private let epilogue: MatrixEpilogue.Kind?

  /// Computes elements at places that look random, the last one among them.
  ///
  /// - Parameters:
  ///   - launch: The product; its target starts as zero where it is added to.
  ///   - left: The left operand's memory.
  ///   - right: The right operand's memory.
  ///   - bias: The bias, or nil.
  ///   - samples: How many elements.
  init(_ launch: MatrixLaunch, left: [Float], right: [Float], bias: [Float]?, samples: Int) {
    epilogue = launch.epilogue?.kind
    let matrix = launch.rows * launch.columns
    let count = matrix * launch.batch
    var random = CounterRandom(seed: 7)
    var chosen: Set<Int> = [count - 1]
    for _ in 1..<max(2, samples) { chosen.insert(random.integer(below: count)) }
    self.samples = chosen.sorted().map { element in
      let (entry, within) = (element / matrix, element % matrix)
      let (row, column) = (within / launch.columns, within % launch.columns)
      var value = bias.map { Double($0[column]) } ?? 0
      var size = abs(value)
      for step in 0..<launch.depth {
        let x = launch.leftIndex(entry: entry, row: row, step: step).map { left[$0] } ?? 0
        let y = launch.rightIndex(entry: entry, step: step, column: column).map { right[$0] } ?? 0
        value += Double(x) * Double(y)
        size += abs(Double(x) * Double(y))
      }
      let index =
        entry * (launch.targetStride ?? matrix) + launch.targetRow(row) * launch.columns + column
      return Sample(index: index, value: value, size: size)
    }
  }

  /// The largest error beside the sum of absolute products.
  ///
  /// - Parameters:
  ///   - result: The target's memory.
  ///   - aside: The memory that an epilogue reads or writes.
  /// - Returns: NaN when an element is no number.
  func worstError(of result: [Float], aside: [Float]? = nil) -> Double {
    var worst = 0.0
    for sample in samples {
      let beside = aside.map { Double($0[sample.index]) }
      var (want, size) = (sample.value, sample.size)
      switch epilogue {
      case .residual:
        want += beside ?? 0
        size += abs(beside ?? 0)
      case .quickGELU: want /= 1 + exp(-1.702 * want)
      case .gelu: want *= erfc(-want / 2.squareRoot()) / 2
      case .relu: want = max(want, 0)
      case .quickGELUGradient, .geluGradient, .reluGradient:
        want *= epilogue?.slope(beside ?? 0) ?? 1
      case nil: break
      }
      var errors = [abs(Double(result[sample.index]) - want)]
      if let beside, epilogue?.writesAside == true { errors.append(abs(beside - sample.value)) }
      for error in errors {
        guard !error.isNaN else { return .nan }
        // A product of nothing, or of zeros around an image, is exact.
        worst = max(worst, size > 0 ? error / size : error)
      }
    }
    return worst
  }
}

extension MatrixLaunch {
  /// Where an element of the left operand lies; nil for a zero outside of an image.
  fileprivate func leftIndex(entry: Int, row: Int, step: Int) -> Int? {
    let start = entry * left.stride
    return switch left.loader {
    case .transposed: start + step * left.pitch + row
    case .image: geometry?.patchIndex(position: row, element: step).map { start + $0 }
    case .rows, .taps: start + row * left.pitch + step
    }
  }

  /// Where an element of the right operand lies; nil for a zero outside of an image.
  fileprivate func rightIndex(entry: Int, step: Int, column: Int) -> Int? {
    let start = entry * right.stride
    return switch right.loader {
    case .rows: start + step * right.pitch + column
    case .transposed: start + column * right.pitch + step
    case .image: geometry?.patchIndex(position: step, element: column).map { start + $0 }
    case .taps: geometry.map { start + $0.tapRow(step) * right.pitch + column }
    }
  }

  /// The row of the target's memory where a row of the product lies.
  fileprivate func targetRow(_ row: Int) -> Int {
    guard scatters, let g = geometry else { return row }
    let (x, y) = (row % g.gridWidth, row / g.gridWidth % g.gridHeight)
    let image = row / g.gridWidth / g.gridHeight
    return (image * g.targetHeight + g.targetY + y * g.targetStride) * g.targetWidth
      + g.targetX + x * g.targetStride
  }
}

extension PatchGeometry {
  /// As `patch_offset` in `MatrixLoaders.clh`.
  fileprivate func patchIndex(position: Int, element: Int) -> Int? {
    let tap = element / channels
    let image = position / gridWidth / gridHeight
    let y = position / gridWidth % gridHeight * stride + originY + tap / tapColumns * stepY
    let x = position % gridWidth * stride + originX + tap % tapColumns * stepX
    guard (0..<height).contains(y), (0..<width).contains(x) else { return nil }
    return ((image * height + y) * width + x) * channels + element % channels
  }

  /// As `tap_row` in `MatrixLoaders.clh`, in rows.
  fileprivate func tapRow(_ step: Int) -> Int {
    let (tap, output) = (step / channels, step % channels)
    let y = weightY + tap / tapColumns * weightStepY
    let x = weightX + tap % tapColumns * weightStepX
    return (output * weightHeight + y) * weightWidth + x
  }
}

extension MatrixEpilogue.Kind {
  /// The slope of an activation in float64, at what it is applied to; of ReLU at its result.
  fileprivate func slope(_ x: Double) -> Double {
    switch self {
    case .quickGELUGradient:
      let gate = 1 / (1 + exp(-1.702 * x))
      return gate * (1 + 1.702 * x * (1 - gate))
    case .geluGradient:
      return erfc(-x / 2.squareRoot()) / 2 + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
    case .reluGradient: return x > 0 ? 1 : 0
    case .residual, .quickGELU, .gelu, .relu: return 1
    }
  }
}
