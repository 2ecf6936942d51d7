import Formats
import OpenCL

/// What a driver compiles for itself, and may fail at by itself, of products by tensor cores.
struct ProductVariant: Hashable, Codable, CustomStringConvertible {
  private(set) var tile: WarpTile
  let left, right: MatrixLoader
  let leftWidth, rightWidth: Int
  let hasWholeTaps, scatters: Bool
  let operands, target: ElementType
  let epilogue: MatrixEpilogue.Kind?
  /// Whether it writes statistics of its columns.
  let hasStatistics: Bool

  /// What a product runs by a tile; its epilogue is another kernel's where another adds up the pieces
  /// of its depth.
  init(_ launch: MatrixLaunch, tile: WarpTile, hasEpilogue: Bool, hasStatistics: Bool = false) {
    let depth = WarpTile.depth(of: launch.operandType)
    self.tile = tile
    (left, right) = (launch.left.loader, launch.right.loader)
    (leftWidth, rightWidth) = (launch.leftCopyWidth, launch.rightCopyWidth(tileDepth: depth))
    (hasWholeTaps, scatters) = (launch.hasWholeTaps(tileDepth: depth), launch.scatters)
    (operands, target) = (launch.operandType, launch.targetType)
    epilogue = hasEpilogue ? launch.epilogue?.kind : nil
    self.hasStatistics = hasStatistics
  }

  /// The same by another tile.
  init(_ variant: ProductVariant, tile: WarpTile) {
    self = variant
    self.tile = tile
  }

  var description: String {
    "\(tile.rows)x\(tile.columns) left \(left)/\(leftWidth) right \(right)/\(rightWidth)"
      + (scatters ? " scattered" : "") + " \(operands) into \(target)"
      + (epilogue.map { " then \($0)" } ?? "") + (hasStatistics ? " with statistics" : "")
  }
}

extension ProductVariant {
  /// The sizes of a small product of this variant, with edges in every dimension.
  struct Trial {
    let launch: MatrixLaunch
    let leftCount, rightCount, targetCount: Int
  }

  /// The variant's small product of operands that are there.
  func trial(left: Buffer, right: Buffer) -> Trial {
    switch (self.left, self.right) {
    case (.image, .taps): inputGradient(left, right)
    case (.image, _): forward(left, right)
    case (_, .image): weightGradient(left, right)
    default: matrices(left, right)
    }
  }

  /// Elements that hold every trial's operands.
  var mostElements: Int {
    let side = side(tile.rows + tile.columns) + 2
    return max(9 * channels * (tile.rows + tile.columns + 64), 4 * side * side * (channels + 300))
      + (tile.rows + tile.columns + 64) * 128
  }

  /// Channels of an image: the depth of a tile twice, 16 bytes, or an odd number.
  private var channels: Int {
    if hasWholeTaps || right == .taps { return 2 * WarpTile.depth(of: operands) }
    return (left == .image ? leftWidth : rightWidth) > 1 ? 16 / operands.bytes : 5
  }

  /// The side of a map of somewhat more pixels.
  private func side(_ pixels: Int) -> Int {
    var side = 1
    while side * side <= pixels { side += 1 }
    return side
  }

  /// A pitch at which copies are as wide as the variant's.
  private func pitch(_ neighbours: Int, _ width: Int) -> Int {
    width > 1 ? neighbours : neighbours + 1
  }

  private func matrices(_ left: Buffer, _ right: Buffer) -> Trial {
    let (rows, columns, depth) = (tile.rows + 24, tile.columns + 8, 88)
    let isLeftDeep = self.left != .transposed
    let isRightDeep = self.right == .transposed
    let leftPitch = pitch(isLeftDeep ? depth : rows, leftWidth)
    let rightPitch = pitch(isRightDeep ? depth : columns, rightWidth)
    return Trial(
      launch: MatrixLaunch(
        rows: rows, columns: columns, depth: depth,
        left: MatrixOperand(buffer: left, loader: self.left, pitch: leftPitch),
        right: MatrixOperand(buffer: right, loader: self.right, pitch: rightPitch),
        operandType: operands, targetType: target),
      leftCount: leftPitch * (isLeftDeep ? rows : depth),
      rightCount: rightPitch * (isRightDeep ? columns : depth), targetCount: rows * columns)
  }

  /// Patches of 3x3 pixels of one image, padded by one pixel.
  private func patches(_ side: Int) -> PatchGeometry {
    PatchGeometry(
      height: side, width: side, channels: channels, gridHeight: side, gridWidth: side, stride: 1,
      originY: -1, originX: -1, stepY: 1, stepX: 1, tapRows: 3, tapColumns: 3)
  }

  private func forward(_ left: Buffer, _ right: Buffer) -> Trial {
    let side = side(tile.rows)
    let (rows, columns, depth) = (side * side, tile.columns + 8, 9 * channels)
    let pitch = pitch(depth, rightWidth)
    return Trial(
      launch: MatrixLaunch(
        rows: rows, columns: columns, depth: depth,
        left: MatrixOperand(buffer: left, loader: .image, pitch: channels),
        right: MatrixOperand(buffer: right, loader: self.right, pitch: pitch),
        operandType: operands, targetType: target, geometry: patches(side)),
      leftCount: rows * channels, rightCount: columns * pitch, targetCount: rows * columns)
  }

  private func weightGradient(_ left: Buffer, _ right: Buffer) -> Trial {
    let side = side(100)
    let (rows, columns, depth) = (tile.rows + 24, 9 * channels, side * side)
    let pitch = pitch(rows, leftWidth)
    return Trial(
      launch: MatrixLaunch(
        rows: rows, columns: columns, depth: depth,
        left: MatrixOperand(buffer: left, loader: self.left, pitch: pitch),
        right: MatrixOperand(buffer: right, loader: .image, pitch: channels),
        operandType: operands, targetType: target, geometry: patches(side)),
      leftCount: depth * pitch, rightCount: depth * channels, targetCount: rows * columns)
  }

  /// The gradient of a 3x3 convolution's input; scattered that of one of stride 2, where pixels of odd
  /// places meet two taps each way.
  private func inputGradient(_ left: Buffer, _ right: Buffer) -> Trial {
    let side = side(tile.rows)
    let taps = scatters ? 2 : 3
    let (rows, columns) = (side * side, tile.columns + 8)
    let pitch = pitch(columns, rightWidth)
    let origin = scatters ? 0 : -1
    var geometry = PatchGeometry(
      height: side, width: side, channels: channels, gridHeight: side, gridWidth: side, stride: 1,
      originY: origin, originX: origin, stepY: 1, stepX: 1, tapRows: taps, tapColumns: taps)
    (geometry.weightHeight, geometry.weightWidth) = (3, 3)
    (geometry.weightY, geometry.weightX) = (2, 2)
    (geometry.weightStepY, geometry.weightStepX) = scatters ? (-2, -2) : (-1, -1)
    (geometry.targetHeight, geometry.targetWidth) = (2 * side, 2 * side)
    (geometry.targetY, geometry.targetX, geometry.targetStride) = (1, 1, 2)
    return Trial(
      launch: MatrixLaunch(
        rows: rows, columns: columns, depth: taps * taps * channels,
        left: MatrixOperand(buffer: left, loader: .image, pitch: channels),
        right: MatrixOperand(buffer: right, loader: .taps, pitch: pitch),
        operandType: operands, targetType: target, geometry: geometry, scatters: scatters),
      leftCount: rows * channels, rightCount: 9 * channels * pitch,
      targetCount: (scatters ? 4 : 1) * rows * columns)
  }
}

extension TensorCores {
  /// Compiles and runs a variant and compares it with the host.
  ///
  /// - Parameters:
  ///   - variant: What to try.
  ///   - stream: Where.
  /// - Returns: What is wrong, in one line; nil when nothing is.
  func fault(of variant: ProductVariant, on stream: ComputeStream) -> String? {
    do {
      let error = try stream.withoutGradients { try worstError(of: variant, on: stream) }
      // Written so that NaN is a fault.
      let limit = tolerance + MatrixTuning.rounding(variant.target)
      return error <= limit ? nil : "wrong by \(error) of the factors"
    } catch {
      return TrialFault.line(error)
    }
  }

  private func worstError(of variant: ProductVariant, on stream: ComputeStream) throws -> Double {
    var random = CounterRandom(seed: 1)
    let most = variant.mostElements
    func operand() throws -> Tensor {
      try Tensor(random.floats(most), shape: [most], on: stream, label: "variant trial")
        .converted(to: operands)
    }
    let (left, right) = (try operand(), try operand())
    let trial = variant.trial(left: left.buffer, right: right.buffer)
    let target = try Tensor(
      uninitialized: [trial.targetCount], on: stream, elementType: variant.target,
      label: "variant trial")
    let aside = try variant.epilogue.map { _ in
      try Tensor(
        random.floats(trial.targetCount), shape: [trial.targetCount], on: stream,
        label: "variant trial"
      ).converted(to: variant.target)
    }
    var launch = trial.launch
    launch.epilogue = variant.epilogue.map { MatrixEpilogue(kind: $0, aside: aside?.buffer) }
    let reference = MatrixReference(
      launch, left: try left.floats(), right: try right.floats(), bias: nil,
      samples: MatrixTrial.samples)
    if variant.hasStatistics {
      launch.statistics = try ColumnStatistics(of: launch.columns, on: stream)
    }
    var worst = 0.0
    // In one piece, and in two that are added up.
    for splits in launch.mayBeSplit && !variant.hasStatistics ? [1, 2] : [1] {
      // What is not written is no number, in any type.
      let written = [target] + (variant.epilogue?.writesAside == true ? [aside] : [])
      for tensor in written.compactMap({ $0 }) {
        try stream.queue.fill(tensor.buffer, pattern: 0x7FC0_7FC0)
      }
      try launch.run(
        on: stream, into: target.buffer, with: self,
        tuned: variant.tile.parameters.merging(
          [
            "STAGES": variant.tile.stages, "TILE_K": WarpTile.depth(of: operands),
            "SPLITS": splits,
          ]
        ) { $1 })
      let values = try target.floats()
      var errors = [reference.worstError(of: values, aside: try aside?.floats())]
      if let statistics = launch.statistics { errors.append(try statistics.error(of: values)) }
      // Written so that NaN is worst.
      for error in errors where !(error <= worst) { worst = error }
    }
    return worst
  }
}
