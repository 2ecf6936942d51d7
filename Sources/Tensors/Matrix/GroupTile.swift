import Formats
import OpenCL

/// What a work-group of `MatrixProduct.cl` computes, and what each of its work-items.
struct GroupTile: Equatable {
  /// `TILE_M` and `TILE_N`.
  let rows, columns: Int
  /// `ITEM_M` and `ITEM_N`, multiples of 4.
  let itemRows, itemColumns: Int

  var itemsAcross: Int { columns / itemColumns }
  var itemsDown: Int { rows / itemRows }
  var items: Int { itemsAcross * itemsDown }
  /// Sums that a work-item keeps in registers.
  var sums: Int { itemRows * itemColumns }
  /// Local memory of a work-group.
  var localBytes: Int { 4 * Self.depth * (rows + columns + 2 * Self.pad) }

  /// `DEPTH` and `PAD` of `MatrixProduct.cl`.
  static let (depth, pad) = (16, 4)

  /// The tiles to choose from, each by 256 work-items; the last ones are for devices and products that
  /// are too small for others.
  static let all = [
    GroupTile(rows: 64, columns: 64, itemRows: 4, itemColumns: 4),
    GroupTile(rows: 128, columns: 64, itemRows: 8, itemColumns: 4),
    GroupTile(rows: 64, columns: 128, itemRows: 4, itemColumns: 8),
    GroupTile(rows: 128, columns: 128, itemRows: 8, itemColumns: 8),
    GroupTile(rows: 32, columns: 32, itemRows: 4, itemColumns: 4),
    GroupTile(rows: 16, columns: 16, itemRows: 4, itemColumns: 4),
  ]

  /// The parameters of the kernel.
  var parameters: [String: Int] {
    ["TILE_M": rows, "TILE_N": columns, "ITEM_M": itemRows, "ITEM_N": itemColumns]
  }

  /// Whether the kernel can be built for it: every item loads the same number of elements a step, of
  /// rows or columns that it keeps.
  var isLegal: Bool {
    [itemRows, itemColumns].allSatisfy { [4, 8].contains($0) } && rows > 0 && columns > 0
      && rows % itemRows == 0 && columns % itemColumns == 0 && rows <= 256 && columns <= 256
      && items % Self.depth == 0 && items % rows == 0 && items % columns == 0
      && Self.depth * rows % items == 0 && Self.depth * columns % items == 0
  }

  /// Whether a device can run it without keeping a part of its registers in memory.
  ///
  /// - Parameters:
  ///   - device: The device.
  ///   - patches: Whether the left operand is read from images.
  func fits(_ device: GroupDevice, patches: Bool) -> Bool {
    items <= device.largestWorkGroup && localBytes <= device.localMemoryInBytes
      && sums <= device.mostSums && (!patches || itemRows <= device.mostPositions)
  }
}

extension GroupTile {
  /// The tile of a choice; nil when it names none.
  init?(_ choice: [String: Int]) {
    guard let rows = choice["TILE_M"], let columns = choice["TILE_N"],
      let itemRows = choice["ITEM_M"], let itemColumns = choice["ITEM_N"], itemRows > 0,
      itemColumns > 0
    else { return nil }
    self.init(rows: rows, columns: columns, itemRows: itemRows, itemColumns: itemColumns)
  }
}

/// What decides which tile of `MatrixProduct.cl` is best on a device.
struct GroupDevice {
  /// Units that run work-groups side by side, each on ``lanes`` lanes.
  let units: Int
  let largestWorkGroup: Int
  let localMemoryInBytes: Int
  /// Sums of a work-item that stay in registers, and positions of patches beside them.
  let mostSums, mostPositions: Int

  /// Products and sums of a unit in a clock, on all GPUs of today within a factor of two.
  private static let lanes = 64.0

  /// A device by its maker's way to count.
  init(family: DeviceFamily, units: Int, largestWorkGroup: Int, localMemoryInBytes: Int) {
    // Intel's drivers count execution units, eight of which share local memory and work-groups.
    self.units = max(1, family == .intel ? units / 8 : units)
    self.largestWorkGroup = largestWorkGroup
    self.localMemoryInBytes = localMemoryInBytes
    // Of 128 registers of 32 bytes, 64 sums of 16 lanes leave none for anything else.
    (mostSums, mostPositions) = family == .intel ? (32, 4) : (64, 8)
  }

  init(_ stream: ComputeStream) {
    self.init(
      family: stream.family, units: stream.device.computeUnits,
      largestWorkGroup: stream.queue.context.largestWorkGroup,
      localMemoryInBytes: stream.localMemoryInBytes)
  }

  /// The tile that takes the fewest clocks; the first of equals, so that it depends on the sizes and
  /// the device alone.
  func best(rows: Int, columns: Int, depth: Int, batch: Int, patches: Bool) -> GroupTile {
    let fitting = GroupTile.all.filter { $0.fits(self, patches: patches) }
    func clocks(_ tile: GroupTile) -> Double {
      let groups = rows.dividedUp(by: tile.rows) * columns.dividedUp(by: tile.columns) * batch
      // A group that is alone on its unit waits for memory; the depth is cut then.
      let rounds = max(Double(groups) / Double(units), 1)
      // A step of the depth: a product a sum, a read of local memory a row and column of an item, and
      // its share of the tile, with about as much for its address as for the load.
      let loaded = Double(tile.rows + tile.columns) / Double(tile.items)
      let item = Double(tile.sums + tile.itemRows + tile.itemColumns) + 16 * loaded
      return rounds * Double(depth) * item * Double(tile.items) / Self.lanes
    }
    return fitting.min { clocks($0) < clocks($1) } ?? GroupTile.all[GroupTile.all.count - 1]
  }
}
