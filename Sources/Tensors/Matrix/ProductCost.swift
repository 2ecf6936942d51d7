import Formats

/// What decides what a product costs; the key of what was found for it.
struct ProductSizes: Hashable {
  let rows, columns, depth, batch: Int
  let left, right: MatrixLoader
  let leftWidth, rightWidth: Int
  let mayBeSplit, hasWholeTaps, scatters: Bool
  let operands, target: ElementType
  let epilogue: MatrixEpilogue.Kind?

  init(_ launch: MatrixLaunch) {
    (rows, columns, depth, batch) = (launch.rows, launch.columns, launch.depth, launch.batch)
    (left, right) = (launch.left.loader, launch.right.loader)
    leftWidth = launch.leftCopyWidth
    let tileDepth = WarpTile.depth(of: launch.operandType)
    rightWidth = launch.rightCopyWidth(tileDepth: tileDepth)
    hasWholeTaps = launch.hasWholeTaps(tileDepth: tileDepth)
    (mayBeSplit, scatters) = (launch.mayBeSplit, launch.scatters)
    (operands, target) = (launch.operandType, launch.targetType)
    epilogue = launch.epilogue?.kind
  }
}

/// What a product by tensor cores is estimated to take, in clocks of a multiprocessor, for each tile
/// and number of pieces of the depth; both are chosen together.
///
/// A step of a work-group is bound by the instructions that its warps issue, by the tensor cores, by
/// local memory or by the cache that the operands come from. Groups fill the device in rounds of as
/// many as registers and local memory hold on a multiprocessor. Pieces of the depth fill it better
/// but are written and added up, by another launch. The rates are those of an H200 as documented or
/// estimated; none has been measured on one.
struct ProductCost {
  /// A way to run the product.
  struct Choice {
    let tile: WarpTile
    let splits: Int
  }

  private let launch: ProductSizes
  private let cores: TensorCores
  private let units: Int
  private let tileDepth: Int

  init(_ sizes: ProductSizes, with cores: TensorCores, units: Int) {
    launch = sizes
    self.cores = cores
    self.units = max(1, units)
    tileDepth = WarpTile.depth(of: cores.operands)
  }

  // Bytes a clock and multiprocessor from the second-level cache and from memory.
  private static let (cacheRate, memoryRate) = (24.5, 15.8)
  /// Clocks of a product of the tensor cores, of 16 x 8 sums.
  private static let productClocks = 6.5
  // Instructions a clock of a quarter of a multiprocessor, and what stalls leave of every rate.
  private static let (issueRate, efficiency) = (0.72, 0.9)
  // Clocks from one step of a group alone to the next, and of its start and end.
  private static let (stepLatency, groupClocks) = (450.0, 2200.0)
  /// Clocks of adding up pieces at least, with the time the host takes for a launch (12 us).
  private static let sumClocks = 3500.0 + 2100 + 21_000
  private static let leastPiece = 256

  /// The cheapest way; the first of equals, so that it depends on the sizes and the device alone.
  var cheapest: Choice {
    cheapest(among: cores.tiles) ?? Choice(tile: WarpTile.all[0], splits: 1)
  }

  /// The cheapest way by one of some tiles; nil when there are none.
  func cheapest(among tiles: [WarpTile]) -> Choice? {
    var best = tiles.first.map { Choice(tile: $0, splits: 1) }
    var least = Double.infinity
    for tile in tiles where tile.items > 0 {
      for splits in Self.splits where splits == 1 || maySplit(into: splits) {
        let clocks = clocks(tile, splits: splits)
        if clocks < least { (best, least) = (Choice(tile: tile, splits: splits), clocks) }
      }
    }
    return best
  }

  private static let splits = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192]

  private func maySplit(into splits: Int) -> Bool {
    launch.mayBeSplit && launch.batch == 1 && launch.depth >= Self.leastPiece * splits
  }

  /// The estimate.
  func clocks(_ tile: WarpTile, splits: Int) -> Double {
    let depth =
      splits == 1 ? launch.depth : launch.depth.dividedUp(by: splits).dividedUp(by: 64) * 64
    let steps = Double(depth.dividedUp(by: tileDepth))
    let groups =
      launch.rows.dividedUp(by: tile.rows) * launch.columns.dividedUp(by: tile.columns)
      * launch.batch * splits
    let residents = residents(tile)
    let (rounds, rest) = groups.dividedUp(by: units).quotientAndRemainder(dividingBy: residents)
    let step = stepClocks(tile)
    func round(_ groups: Int) -> Double {
      steps * max(Double(groups) * step, Self.stepLatency)
        + Self.groupClocks * (1 + 0.3 * Double(groups - 1))
    }
    // Rounds overlap where a multiprocessor has more than one group.
    let overlap = residents > 1 && rounds > 1 ? 0.9 : 1
    let arithmetic =
      Double(rounds) * round(residents) * overlap + (rest > 0 ? round(rest) : 0)
    return traffic(splits, within: arithmetic)
  }

  /// The time with what is written, and with adding up the pieces.
  private func traffic(_ splits: Int, within arithmetic: Double) -> Double {
    let results = Double(launch.rows * launch.columns * launch.batch)
    let rate = Self.memoryRate * Double(units)
    // With what an epilogue reads or writes beside it.
    let target = Double(launch.target.bytes) * (launch.epilogue == nil ? 1 : 2)
    guard splits > 1 else { return max(arithmetic, target * results / rate) }
    let pieces = 4 * Double(splits)
    return max(arithmetic, pieces * results / rate) + (pieces + target) * results / rate
      + Self.sumClocks
  }

  /// Clocks of a step of a group beside others.
  private func stepClocks(_ tile: WarpTile) -> Double {
    let warps = Double(tile.warpRows * tile.warpColumns)
    let (warpRows, warpColumns) = (tile.rows / tile.warpRows, tile.columns / tile.warpColumns)
    let slabs = tileDepth / (cores.operands == .float32 ? 8 : 16)
    let factors = cores.operands == .float32 && cores.precision == .tf32x3 ? 3 : 1
    let products = Double(warpRows / 16 * (warpColumns / 8) * slabs * factors)
    let loads = Double((warpRows + warpColumns) / 16 * slabs)
    let elements = (tile.rows + tile.columns) * tileDepth
    let bytes = Double(elements * cores.operands.bytes)
    let instructions =
      products + loads + loaderInstructions(copies: elements, items: tile.items)
    let bounds = [
      warps / 4 * instructions / Self.issueRate, warps / 4 * products * Self.productClocks,
      warps * loads * 4 + bytes / 128, bytes / Self.cacheRate,
    ]
    return (bounds.max() ?? 0) / Self.efficiency
  }

  /// Instructions of a warp for loading a step, as counted in assembled kernels.
  private func loaderInstructions(copies elements: Int, items: Int) -> Double {
    let wide = 16 / cores.operands.bytes
    let isWide = launch.leftWidth > 1 && launch.rightWidth > 1
    let walk = launch.right == .image ? 36.0 : launch.left == .image ? 18 : 0
    let narrow = isWide ? 0 : 95 * Double(elements / items)
    return 33 + 4 * Double(elements / (wide * items)) + walk + narrow
  }

  /// Groups that a multiprocessor holds at a time.
  private func residents(_ tile: WarpTile) -> Int {
    let sums = tile.rows * tile.columns / tile.items * (cores.operands == .float32 ? 2 : 1)
    let registers = min(255, sums + 64).dividedUp(by: 8) * 8 * tile.items
    let bytes =
      tile.stages * (tile.rows + tile.columns) * tileDepth * cores.operands.bytes + 1024
    return max(1, min(2048 / tile.items, 65_536 / registers, (227 << 10) / bytes))
  }
}
