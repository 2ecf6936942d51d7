import Formats

/// A block of the target that stays in the vector registers of a CPU.
struct RegisterTile: Equatable {
  let rows, vectors: Int
  var columns: Int { 16 * vectors }
  /// Rows of the left operand that are packed at a time, a multiple of every tile's rows;
  /// `PACKED_ROWS` of `MatrixProductCPU.cl`.
  static let packedRows = 112

  /// The tiles to choose from; that of 80 columns is for as many classes or for 77 tokens.
  static let all = [
    RegisterTile(rows: 14, vectors: 2), RegisterTile(rows: 8, vectors: 3),
    RegisterTile(rows: 16, vectors: 1), RegisterTile(rows: 4, vectors: 5),
  ]

  /// The tile that computes the fewest elements in vain, of those that fit into local memory.
  static func best(rows: Int, columns: Int, in memory: PackedMemory) -> RegisterTile {
    // A single vector a row is bound by its loads, so it must save a third of the work.
    func cost(_ tile: RegisterTile) -> Int {
      rows.dividedUp(by: tile.rows) * tile.rows * columns.dividedUp(by: tile.columns)
        * tile.columns * (tile.vectors == 1 ? 3 : 2)
    }
    let fitting = all.filter { $0.block(in: memory) != nil }
    return fitting.dropFirst().reduce(fitting.first ?? all[2]) { cost($1) < cost($0) ? $1 : $0 }
  }

  /// Whether it divides what is packed and fits into 32 vector registers.
  var isLegal: Bool {
    rows > 0 && vectors > 0 && Self.packedRows % rows == 0 && (rows + 1) * vectors + 1 <= 32
  }
}

/// The local memory of a CPU's matrix product: what there is, and what decides how it is filled.
struct PackedMemory {
  let bytes: Int
  /// How the left operand is stored: one that is transposed is packed into panels.
  let left: MatrixLoader
  /// Whether a packed element is a pair of bfloat16 along the depth, or a float.
  var holdsPairs = false

  /// Steps of the depth that are worth a try, and the most columns.
  fileprivate func blocks(vectors: Int) -> (depths: [Int], columns: Int) {
    holdsPairs ? ([384, 256, 128, 64], 256) : ([vectors == 3 ? 192 : 256, 128, 64], 384)
  }
}

extension RegisterTile {
  /// A step of the depth, in packed elements, and the most columns of a work-group: `KC` and `NC` of
  /// `MatrixProductCPU.cl`.
  typealias Block = (depth: Int, columns: Int)

  /// The smallest one.
  var leastBlock: Block { (16, columns) }

  /// The block that fits into local memory; nil when none does.
  func block(in memory: PackedMemory) -> Block? {
    let wanted = memory.blocks(vectors: vectors)
    for depth in wanted.depths {
      // Rows are reserved as for most tiles' panels, so that both ways to store the left operand
      // mostly walk the depth in the same steps and agree to the last bit.
      let left = max(packedLeft(depth, memory.left), 128 * (depth + 16))
      let fitting = (memory.bytes / 4 - left) / (depth + 2) / columns * columns
      if fitting >= 192 { return (depth, min(fitting, wanted.columns / columns * columns)) }
    }
    return [(32, columns), leastBlock].first {
      localBytes(depth: $0.0, columns: $0.1, left: memory.left) <= memory.bytes
    }
  }

  /// Local memory of `MatrixProductCPU.cl`: panels of the right operand, rows or panels of the left
  /// one, a line.
  func localBytes(depth: Int, columns width: Int, left: MatrixLoader) -> Int {
    4 * (width / columns * (depth * columns + 16) + packedLeft(depth, left) + width)
  }

  /// Elements of the packed left operand, 4 bytes each.
  private func packedLeft(_ depth: Int, _ loader: MatrixLoader) -> Int {
    loader == .transposed
      ? Self.packedRows / rows * (depth * rows.dividedUp(by: 8) * 8 + 16)
      : Self.packedRows * (depth + 16)
  }
}
