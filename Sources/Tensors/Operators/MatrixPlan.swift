import OpenCL

/// How a product is cut into work-groups; depends on the sizes and the device alone, so that the
/// same product gives the same bits every time.
struct MatrixPlan {
  let kernel, file: String
  /// What profiles call the kernel; nil for its name.
  var label: String?
  /// Compile-time parameters of the kernel.
  let parameters: [String: Int]
  /// Arguments that only this kernel has.
  let arguments: [KernelArgument]
  let global, local: [Int]
  /// Pieces of the depth whose products are added up afterwards.
  let splits: Int
  /// Depth of a piece.
  let splitDepth: Int
  /// All that may be chosen otherwise, by the names of ``MatrixChoices``.
  let choice: [String: Int]

  /// The plan for a stream's family of kernels; `tuned` holds what is chosen otherwise than here.
  init(
    _ launch: MatrixLaunch, on stream: ComputeStream, with cores: TensorCores?, tuned: [String: Int]
  ) {
    if let cores {
      self.init(cores, launch, device: stream.device, tuned: tuned)
    } else if stream.family == .cpu {
      self.init(cpu: launch, device: stream.device, tuned: tuned)
    } else {
      self.init(groups: launch, device: stream.device, tuned: tuned)
    }
  }

  /// The plan for `MatrixProduct.cl`.
  init(groups launch: MatrixLaunch, device: Device, tuned: [String: Int] = [:]) {
    kernel = "matrix_product_forward"
    file = "MatrixProduct"
    parameters = [:]
    arguments = []
    local = [16, 16, 1]
    let across = launch.columns.dividedUp(by: 64)
    let down = launch.rows.dividedUp(by: 64)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: device.computeUnits, step: 256,
      wanted: tuned["SPLITS"])
    choice = ["SPLITS": splits]
    global = [across * 16, down * 16, launch.batch * splits]
  }

  /// The plan for `MatrixProductCPU.cl`.
  init(cpu launch: MatrixLaunch, device: Device, tuned: [String: Int] = [:]) {
    kernel = "matrix_product_forward_cpu"
    file = "MatrixProductCPU"
    local = [1, 1, 1]
    let tile = RegisterTile(tuned) ?? .best(rows: launch.rows, columns: launch.columns)
    let block = tile.block(localMemoryInBytes: device.localMemoryInBytes)
    let (depthStep, mostColumns) = (tuned["KC"] ?? block.depth, tuned["NC"] ?? block.columns)
    parameters = [
      "MR": tile.rows, "NV": tile.vectors, "KC": depthStep, "NC": mostColumns,
    ]
    // Blocks of equal width, whole tiles each.
    let across = launch.columns.dividedUp(by: mostColumns)
    let columnBlock =
      launch.columns.dividedUp(by: across).dividedUp(by: tile.columns)
      * tile.columns
    // Few rows a block give many groups but pack the right operand often.
    let units = device.computeUnits
    let wanted = units == 1 ? 1 : (4 * units).dividedUp(by: across * launch.batch)
    let fair = launch.rows.dividedUp(by: wanted)
    let fitting = max(RegisterTile.packedRows, 131_072 / columnBlock)
    let rowBlock =
      tuned["ROW_BLOCK"] ?? min(max(fair, RegisterTile.packedRows), fitting)
      .dividedUp(by: RegisterTile.packedRows) * RegisterTile.packedRows
    let down = launch.rows.dividedUp(by: rowBlock)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: units == 1 ? 0 : units,
      step: 4 * depthStep, wanted: tuned["SPLITS"])
    choice = parameters.merging(["ROW_BLOCK": rowBlock, "SPLITS": splits]) { $1 }
    arguments = [.int(rowBlock), .int(columnBlock)]
    global = [launch.columns.dividedUp(by: columnBlock), down, launch.batch * splits]
  }

  /// The plan for `MatrixProductNVIDIA.cl` or `MatrixProduct16BitNVIDIA.cl`.
  init(
    _ cores: TensorCores, _ launch: MatrixLaunch, device: Device, tuned: [String: Int] = [:]
  ) {
    (kernel, file) = cores.kernel
    label = cores.label
    let tile =
      WarpTile(tuned)
      ?? .best(
        among: cores.tiles, rows: launch.rows, columns: launch.columns, batch: launch.batch,
        units: device.computeUnits)
    var parameters = tile.parameters.merging(cores.parameters) { $1 }
    parameters["LEFT_WIDTH"] = launch.copyWidth(of: launch.left)
    parameters["RIGHT_WIDTH"] = launch.copyWidth(of: launch.right)
    let stages = tuned["STAGES"] ?? WarpTile.stages
    let shippedDepth = WarpTile.depth(of: cores.operands)
    let tileDepth = tuned["TILE_K"] ?? shippedDepth
    if stages != WarpTile.stages { parameters["STAGES"] = stages }
    if tileDepth != shippedDepth {
      parameters["TILE_K"] = tileDepth
      // Sums go on for the same depth.
      if let promoted = parameters["PROMOTED_STEPS"], promoted > 0 {
        parameters["PROMOTED_STEPS"] = max(1, promoted * shippedDepth / tileDepth)
      }
    }
    self.parameters = parameters
    arguments = []
    local = [tile.items, 1, 1]
    let across = launch.columns.dividedUp(by: tile.columns)
    let down = launch.rows.dividedUp(by: tile.rows)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: device.computeUnits, step: 256,
      wanted: tuned["SPLITS"])
    choice = tile.parameters.merging(
      ["STAGES": stages, "TILE_K": tileDepth, "SPLITS": splits]
    ) { $1 }
    global = [across * tile.items, down, launch.batch * splits]
  }

  /// Cuts the depth when there are too few groups for the device, not below `step`, or into the
  /// wanted number of pieces.
  private static func pieces(
    _ launch: MatrixLaunch, groups: Int, units: Int, step: Int, wanted: Int?
  ) -> (count: Int, depth: Int) {
    let isWanted = wanted.map { $0 > 1 && launch.depth > 64 }
    guard launch.mayBeSplit, isWanted ?? (groups < 2 * units && launch.depth > step) else {
      return (1, max(1, launch.depth))
    }
    let wanted =
      wanted ?? min((4 * units).dividedUp(by: groups), launch.depth.dividedUp(by: step))
    let depth = launch.depth.dividedUp(by: wanted).dividedUp(by: 64) * 64
    return (launch.depth.dividedUp(by: depth), depth)
  }
}

/// A block of the target that stays in the vector registers of a CPU.
struct RegisterTile {
  let rows, vectors: Int
  var columns: Int { 16 * vectors }
  /// Rows of the left operand that are packed at a time, a multiple of every tile's rows.
  static let packedRows = 112

  /// The tile that computes the fewest elements in vain; that of 80 columns is for as many classes
  /// or for 77 tokens.
  static func best(rows: Int, columns: Int) -> RegisterTile {
    let tiles = [
      RegisterTile(rows: 14, vectors: 2), RegisterTile(rows: 8, vectors: 3),
      RegisterTile(rows: 16, vectors: 1), RegisterTile(rows: 4, vectors: 5),
    ]
    // A single vector a row is bound by its loads, so it must save a third of the work.
    func cost(_ tile: RegisterTile) -> Int {
      rows.dividedUp(by: tile.rows) * tile.rows * columns.dividedUp(by: tile.columns)
        * tile.columns * (tile.vectors == 1 ? 3 : 2)
    }
    return tiles.dropFirst().reduce(tiles[0]) { cost($1) < cost($0) ? $1 : $0 }
  }

  /// Depth of a step and most columns of a group that fit into local memory.
  func block(localMemoryInBytes bytes: Int) -> (depth: Int, columns: Int) {
    for depth in [vectors == 3 ? 192 : 256, 128, 64] {
      let fitting = (bytes / 4 - 128 * (depth + 16)) / (depth + 2) / columns * columns
      if fitting >= 192 { return (depth, min(fitting, 384 / columns * columns)) }
    }
    return (32, columns)
  }
}

extension Int {
  /// The quotient, rounded up.
  func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
