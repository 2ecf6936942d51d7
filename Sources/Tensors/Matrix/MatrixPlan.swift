import Formats
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
  /// Whether the depth of a piece is walked in several steps.
  var hasSteps = false
  /// Bytes of a tile's sums where the kernel itself may add up its pieces, nil where it cannot.
  ///
  /// Then its target is the product's, and pieces have a buffer of their own (`join_pieces` of
  /// `MatrixTiles.clh`).
  var joinedTile: Int?
  /// Whether that is quicker than another launch.
  ///
  /// One work-group reads all pieces of its tile, which a unit of a GPU does at some 100 GB/s, while a
  /// launch takes about 4 us.
  var isJoinQuick: Bool { splits * (joinedTile ?? 0) <= 512 * 1024 }
  /// Work-groups of the launch.
  var groups: Int { zip(global, local).map { $0 / $1 }.reduce(1, *) }
  /// All that may be chosen otherwise, by the names of ``MatrixChoices``.
  let choice: [String: Int]

  /// The plan for a stream's family of kernels; `tuned` holds what is chosen otherwise than here.
  init(
    _ launch: MatrixLaunch, on stream: ComputeStream, with cores: TensorCores?, tuned: [String: Int]
  ) {
    if let cores, WarpTile(tuned) != nil {
      self.init(cores, launch, units: stream.device.computeUnits, tuned: tuned)
    } else if let cores, let shipped = stream.matrix.cheapest(launch, with: cores) {
      self.init(
        cores, launch, units: stream.device.computeUnits, tuned: tuned, shipped: shipped)
    } else if stream.family == .cpu {
      self.init(
        cpu: launch, units: stream.device.computeUnits,
        localMemoryInBytes: stream.localMemoryInBytes,
        bfloat16: launch.operandType == .bfloat16
          ? launch.bfloat16 ?? stream.matrix.bfloat16 : nil, tuned: tuned)
    } else {
      self.init(groups: launch, on: GroupDevice(stream), tuned: tuned)
    }
  }

  /// The plan for `MatrixProduct.cl`.
  init(groups launch: MatrixLaunch, on device: GroupDevice, tuned: [String: Int] = [:]) {
    kernel = "matrix_product_forward"
    file = "MatrixProduct"
    arguments = []
    let tile =
      GroupTile(tuned)
      ?? device.best(
        rows: launch.rows, columns: launch.columns, depth: launch.depth, batch: launch.batch,
        patches: launch.left.loader == .image)
    parameters = tile == GroupTile.all[0] ? [:] : tile.parameters
    local = [tile.itemsAcross, tile.itemsDown]
    let groups =
      launch.columns.dividedUp(by: tile.columns) * launch.rows.dividedUp(by: tile.rows)
      * launch.batch
    (splits, splitDepth) = Self.pieces(
      launch, groups: groups, units: device.units, step: 256, wanted: tuned["SPLITS"])
    choice = tile.parameters.merging(["SPLITS": splits]) { $1 }
    global = [groups * splits * tile.itemsAcross, tile.itemsDown]
  }

  /// The plan for `MatrixProductCPU.cl`, or for `MatrixProduct16BitCPU.cl`.
  init(
    cpu launch: MatrixLaunch, units: Int, localMemoryInBytes: Int,
    bfloat16: BFloat16Products? = nil, tuned: [String: Int] = [:]
  ) {
    kernel = bfloat16 == nil ? "matrix_product_forward_cpu" : BFloat16Products.kernel
    file = bfloat16 == nil ? "MatrixProductCPU" : BFloat16Products.file
    label = bfloat16?.label
    local = [1, 1, 1]
    let memory = PackedMemory(
      bytes: localMemoryInBytes, left: launch.left.loader, holdsPairs: bfloat16 != nil)
    let rows = launch.rowsAreAlike ? RegisterTile.packedRows : launch.rows
    let tile = RegisterTile(tuned) ?? .best(rows: rows, columns: launch.columns, in: memory)
    // What does not fit at all is refused at the launch, with both sizes.
    let block = tile.block(in: memory) ?? tile.leastBlock
    let (depthStep, mostColumns) = (tuned["KC"] ?? block.depth, tuned["NC"] ?? block.columns)
    let tileParameters = [
      "MR": tile.rows, "NV": tile.vectors, "KC": depthStep, "NC": mostColumns,
    ]
    parameters = tileParameters.merging(bfloat16?.parameters ?? [:]) { $1 }
    // Blocks of equal width, whole tiles each.
    let across = launch.columns.dividedUp(by: mostColumns)
    let columnBlock =
      launch.columns.dividedUp(by: across).dividedUp(by: tile.columns)
      * tile.columns
    // Few rows a block give many groups but pack the right operand often.
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
    choice = tileParameters.merging(["ROW_BLOCK": rowBlock, "SPLITS": splits]) { $1 }
    // Steps of equal length, in whole vectors of pairs.
    let pairs = max(1, splitDepth.dividedUp(by: 2))
    let step = pairs.dividedUp(by: pairs.dividedUp(by: depthStep)).roundedUp(toMultipleOf: 16)
    hasSteps = bfloat16 != nil && step < pairs
    arguments =
      [.int(rowBlock), .int(columnBlock)] + (bfloat16 == nil ? [] : [.int(2 * step)])
    global = [launch.columns.dividedUp(by: columnBlock), down, launch.batch * splits]
  }

  /// The plan for `MatrixProductNVIDIA.cl` or `MatrixProduct16BitNVIDIA.cl`; `shipped` is what
  /// ``ProductCost`` finds, where that is known.
  init(
    _ cores: TensorCores, _ launch: MatrixLaunch, units: Int, tuned: [String: Int] = [:],
    shipped: ProductCost.Choice? = nil
  ) {
    (kernel, file) = cores.kernel
    label = cores.label
    let shippedDepth = WarpTile.depth(of: cores.operands)
    let tileDepth = tuned["TILE_K"] ?? shippedDepth
    let shipped =
      shipped ?? ProductCost(ProductSizes(launch), with: cores, units: units).cheapest
    let tile = WarpTile(tuned) ?? shipped.tile
    joinedTile = 4 * tile.rows * tile.columns
    let stages = tuned["STAGES"] ?? tile.stages
    var parameters = tile.parameters.merging(cores.parameters) { $1 }
    parameters["LEFT_WIDTH"] = launch.leftCopyWidth
    parameters["RIGHT_WIDTH"] = launch.rightCopyWidth(tileDepth: tileDepth)
    if launch.left.loader == .image {
      parameters["WHOLE_TAPS"] = launch.hasWholeTaps(tileDepth: tileDepth) ? 1 : 0
    }
    if stages != WarpTile.mostStages { parameters["STAGES"] = stages }
    if tileDepth != shippedDepth {
      parameters["TILE_K"] = tileDepth
      // Sums go on for the same depth.
      if let promoted = parameters["PROMOTED_STEPS"], promoted > 0 {
        parameters["PROMOTED_STEPS"] = max(1, promoted * shippedDepth / tileDepth)
      }
    }
    self.parameters = parameters
    arguments = []
    local = [tile.items]
    let groups =
      launch.columns.dividedUp(by: tile.columns) * launch.rows.dividedUp(by: tile.rows)
      * launch.batch
    (splits, splitDepth) = Self.pieces(launch, wanted: tuned["SPLITS"] ?? shipped.splits)
    choice = tile.parameters.merging(
      ["STAGES": stages, "TILE_K": tileDepth, "SPLITS": splits]
    ) { $1 }
    global = [groups * splits * tile.items]
  }

  /// Cuts the depth when there are too few groups for the device, not below `step`, or into the
  /// wanted number of pieces.
  private static func pieces(
    _ launch: MatrixLaunch, groups: Int, units: Int, step: Int, wanted: Int?
  ) -> (count: Int, depth: Int) {
    if let wanted { return pieces(launch, wanted: wanted) }
    guard launch.mayBeSplit, groups < 2 * units, launch.depth > step else {
      return (1, max(1, launch.depth))
    }
    return pieces(
      launch,
      wanted: min((4 * units).dividedUp(by: groups), launch.depth.dividedUp(by: step)))
  }

  /// Cuts the depth into about the wanted number of pieces, of multiples of 64.
  private static func pieces(_ launch: MatrixLaunch, wanted: Int) -> (count: Int, depth: Int) {
    guard launch.mayBeSplit, wanted > 1, launch.depth > 64 else {
      return (1, max(1, launch.depth))
    }
    let depth = launch.depth.dividedUp(by: wanted).dividedUp(by: 64) * 64
    return (launch.depth.dividedUp(by: depth), depth)
  }
}
