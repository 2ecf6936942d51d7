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

  /// The plan for `MatrixProduct.cl`.
  init(groups launch: MatrixLaunch, device: Device) {
    kernel = "matrix_product_forward"
    file = "MatrixProduct"
    parameters = [:]
    arguments = []
    local = [16, 16, 1]
    let across = launch.columns.dividedUp(by: 64)
    let down = launch.rows.dividedUp(by: 64)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: device.computeUnits, step: 256)
    global = [across * 16, down * 16, launch.batch * splits]
  }

  /// The plan for `MatrixProductCPU.cl`.
  init(cpu launch: MatrixLaunch, device: Device) {
    kernel = "matrix_product_forward_cpu"
    file = "MatrixProductCPU"
    local = [1, 1, 1]
    let tile = RegisterTile.best(rows: launch.rows, columns: launch.columns)
    let (depthStep, mostColumns) = tile.block(localMemoryInBytes: device.localMemoryInBytes)
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
      min(max(fair, RegisterTile.packedRows), fitting)
      .dividedUp(by: RegisterTile.packedRows) * RegisterTile.packedRows
    let down = launch.rows.dividedUp(by: rowBlock)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: units == 1 ? 0 : units,
      step: 4 * depthStep)
    arguments = [.int(rowBlock), .int(columnBlock)]
    global = [launch.columns.dividedUp(by: columnBlock), down, launch.batch * splits]
  }

  /// The plan for `MatrixProductNVIDIA.cl` or `MatrixProduct16BitNVIDIA.cl`.
  init(_ cores: TensorCores, _ launch: MatrixLaunch, device: Device) {
    (kernel, file) = cores.kernel
    label = cores.label
    let tile = WarpTile.best(
      among: cores.tiles, rows: launch.rows, columns: launch.columns, batch: launch.batch,
      units: device.computeUnits)
    var parameters = tile.parameters.merging(cores.parameters) { $1 }
    parameters["LEFT_WIDTH"] = launch.copyWidth(of: launch.left)
    parameters["RIGHT_WIDTH"] = launch.copyWidth(of: launch.right)
    self.parameters = parameters
    arguments = []
    local = [tile.items, 1, 1]
    let across = launch.columns.dividedUp(by: tile.columns)
    let down = launch.rows.dividedUp(by: tile.rows)
    (splits, splitDepth) = Self.pieces(
      launch, groups: across * down * launch.batch, units: device.computeUnits, step: 256)
    global = [across * tile.items, down, launch.batch * splits]
  }

  /// Cuts the depth when there are too few groups for the device; not below `step`.
  private static func pieces(
    _ launch: MatrixLaunch, groups: Int, units: Int, step: Int
  ) -> (count: Int, depth: Int) {
    guard !launch.scatters, launch.targetStride == nil, !launch.adds, groups < 2 * units,
      launch.depth > step
    else {
      return (1, max(1, launch.depth))
    }
    let wanted = min((4 * units).dividedUp(by: groups), launch.depth.dividedUp(by: step))
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

  /// The tile that computes the fewest elements in vain.
  static func best(rows: Int, columns: Int) -> RegisterTile {
    let tiles = [
      RegisterTile(rows: 14, vectors: 2), RegisterTile(rows: 8, vectors: 3),
      RegisterTile(rows: 16, vectors: 1),
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
      if fitting >= 192 { return (depth, min(fitting, 384)) }
    }
    return (32, columns)
  }
}

extension Int {
  /// The quotient, rounded up.
  func dividedUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
}
