import OpenCL

/// The block of the target that a work-group of `MatrixProductNVIDIA.cl` or
/// `MatrixProduct16BitNVIDIA.cl` owns, and its warps.
struct WarpTile: Hashable, Codable {
  let rows, columns, warpRows, warpColumns: Int

  var items: Int { 32 * warpRows * warpColumns }
  var parameters: [String: Int] {
    ["TILE_M": rows, "TILE_N": columns, "WARPS_M": warpRows, "WARPS_N": warpColumns]
  }
  /// Tiles of the ring in local memory: as many as 48 KiB hold of the shipped depth.
  var stages: Int { rows + columns > 256 ? 2 : Self.mostStages }
  /// Those of the tiles that leave room; the kernels' default.
  static let mostStages = 3
  /// The tiles' depth.
  static func depth(of operands: ElementType) -> Int { operands == .float32 ? 16 : 32 }

  /// All tiles for operands of 32 bits, the largest first.
  static let all = [
    WarpTile(rows: 128, columns: 128, warpRows: 2, warpColumns: 4),
    WarpTile(rows: 128, columns: 64, warpRows: 2, warpColumns: 2),
    WarpTile(rows: 64, columns: 64, warpRows: 2, warpColumns: 2),
  ]

  /// Those whose warps own 64 x 64 elements each, twice the products for each element read.
  ///
  /// Sums of 32-bit operands are kept twice and leave no registers for them.
  static let wide = [
    WarpTile(rows: 128, columns: 256, warpRows: 2, warpColumns: 4),
    WarpTile(rows: 256, columns: 128, warpRows: 4, warpColumns: 2),
  ]

  /// All tiles for operands of a type, the largest first.
  static func all(for operands: ElementType) -> [WarpTile] {
    operands == .float32 ? all : wide + all
  }
}

extension WarpTile {
  /// The tile of a choice; nil when it names none.
  init?(_ choice: [String: Int]) {
    guard let rows = choice["TILE_M"], let columns = choice["TILE_N"],
      let warpRows = choice["WARPS_M"], let warpColumns = choice["WARPS_N"]
    else { return nil }
    self.init(rows: rows, columns: columns, warpRows: warpRows, warpColumns: warpColumns)
  }

  /// Whether its warps own whole blocks of 16 rows and 8 columns (16 of 16-bit operands, which are
  /// loaded in pairs), no more than their registers hold, and a line of copies has whole depths.
  func isLegal(for operands: ElementType, depth: Int) -> Bool {
    let isNarrow = operands == .float32
    let sides = isNarrow ? [64, 128] : [64, 128, 256]
    return sides.contains(rows) && sides.contains(columns) && warpRows > 0 && warpColumns > 0
      && rows % (16 * warpRows) == 0 && columns % ((isNarrow ? 8 : 16) * warpColumns) == 0
      && rows * columns / (warpRows * warpColumns) <= (isNarrow ? 2048 : 4096)
      && items >= depth && items <= 512
  }
}
