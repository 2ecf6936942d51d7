import Formats
import OpenCL

/// The parameters of a product's kernel that may be chosen: what is legal and what is worth a try.
///
/// CPU: `MR`, `NV`, `KC`, `NC` of `MatrixProductCPU.cl` and `MatrixProduct16BitCPU.cl`, `ROW_BLOCK`
/// rows of a work-group. Tensor cores: `TILE_M`, `TILE_N`, `WARPS_M`, `WARPS_N`, `STAGES`, `TILE_K` of `MatrixProductNVIDIA.cl`.
/// Other GPUs: `TILE_M`, `TILE_N`, `ITEM_M`, `ITEM_N` of `MatrixProduct.cl`. All kernels: `SPLITS`, pieces of the depth.
struct MatrixChoices {
  private let launch: MatrixLaunch
  private let stream: ComputeStream
  private let cores: TensorCores?

  init(_ launch: MatrixLaunch, on stream: ComputeStream, with cores: TensorCores?) {
    self.launch = launch
    self.stream = stream
    self.cores = cores
  }

  /// The shipped choice.
  var shipped: [String: Int] {
    MatrixPlan(launch, on: stream, with: cores, tuned: [:]).choice
  }

  private var isCPU: Bool { cores == nil && stream.family == .cpu }

  // MARK: Legal values

  /// Whether a choice names exactly the kernel's parameters with values that it takes; an empty one
  /// is the shipped one.
  func isLegal(_ choice: [String: Int]) -> Bool {
    guard !choice.isEmpty else { return true }
    guard Set(choice.keys) == Set(shipped.keys),
      choice.values.allSatisfy({ (1...1 << 24).contains($0) }),
      choice["SPLITS"].map({ $0 == 1 || launch.mayBeSplit && $0 <= Self.mostPieces }) ?? false
    else { return false }
    if let tile = WarpTile(choice) { return isLegal(tile, choice) }
    if let tile = RegisterTile(choice) { return isLegal(tile, choice) }
    guard !isCPU, cores == nil, let tile = GroupTile(choice) else { return false }
    return tile.isLegal && tile.fits(GroupDevice(stream), patches: launch.left.loader == .image)
  }

  private func isLegal(_ tile: RegisterTile, _ choice: [String: Int]) -> Bool {
    guard let depth = choice["KC"], let columns = choice["NC"], let block = choice["ROW_BLOCK"]
    else { return false }
    return tile.isLegal && depth % 16 == 0 && columns % tile.columns == 0
      && block % RegisterTile.packedRows == 0 && block <= 1 << 20
      && tile.localBytes(depth: depth, columns: columns, left: launch.left.loader)
        <= stream.localMemoryInBytes
  }

  private func isLegal(_ tile: WarpTile, _ choice: [String: Int]) -> Bool {
    guard let stages = choice["STAGES"], let depth = choice["TILE_K"] else { return false }
    let copied = [
      (tile.rows, launch.leftCopyWidth), (tile.columns, launch.rightCopyWidth(tileDepth: depth)),
    ]
    return tile.isLegal(for: launch.operandType, depth: depth) && (2...4).contains(stages)
      && [16, 32, 64].contains(depth)
      && launch.operandType.bytes * stages * depth * (tile.rows + tile.columns)
        <= min(Self.ringBytes, stream.localMemoryInBytes)
      && tile.items <= stream.queue.context.largestWorkGroup
      && copied.allSatisfy { lines, width in lines * depth % (width * tile.items) == 0 }
  }

  /// Local memory of a work-group that NVIDIA's OpenCL gives at most.
  private static let ringBytes = 48 << 10

  private static let mostPieces = 4096
  /// Memory for pieces that is worth a try.
  private static let mostPieceBytes = 1 << 30

  // MARK: Candidates

  static let stages = 3

  /// The candidates of a stage: tiles first, then what depends on the tile, then how the product is
  /// cut for the device, which needs no compiling but for that of the sum of pieces.
  func candidates(stage: Int, best: [String: Int]) -> [[String: Int]] {
    let changes: [[String: Int]] =
      switch stage {
      case 0: cores != nil ? warpTiles : isCPU ? registerTiles : GroupTile.all.map(\.parameters)
      case 1: cores != nil ? rings : isCPU ? blocks(best) : []
      default: (isCPU ? rowBlocks : []) + pieces(best)
      }
    return changes.map { best.merging($0) { $1 } }.filter { $0 != best && isLegal($0) }
      // As many pieces as there will be.
      .map { MatrixPlan(launch, on: stream, with: cores, tuned: $0).choice }
  }

  private var warpTiles: [[String: Int]] {
    [
      (128, 256, 2, 4), (256, 128, 4, 2), (128, 128, 2, 4), (128, 128, 4, 2), (128, 128, 2, 2),
      (128, 64, 2, 2), (128, 64, 4, 2),
      (64, 128, 2, 2),
      (64, 128, 2, 4), (64, 64, 2, 2), (64, 64, 1, 2),
    ].map { rows, columns, warpRows, warpColumns in
      let tile = WarpTile(
        rows: rows, columns: columns, warpRows: warpRows, warpColumns: warpColumns)
      return tile.parameters.merging(["STAGES": tile.stages]) { $1 }
    }
  }

  private var rings: [[String: Int]] {
    [(2, 16), (3, 16), (4, 16), (2, 32), (3, 32), (4, 32), (2, 64)].map {
      ["STAGES": $0, "TILE_K": $1]
    }
  }

  private var registerTiles: [[String: Int]] {
    let memory = PackedMemory(
      bytes: stream.localMemoryInBytes, left: launch.left.loader,
      holdsPairs: launch.operandType == .bfloat16)
    return Self.registerTiles.compactMap { tile in
      tile.block(in: memory).map {
        ["MR": tile.rows, "NV": tile.vectors, "KC": $0.depth, "NC": $0.columns]
      }
    }
  }

  /// The tiles of a CPU that are worth a try.
  static let registerTiles = [(14, 2), (8, 3), (16, 1), (7, 3), (4, 6), (28, 1)].map {
    RegisterTile(rows: $0, vectors: $1)
  }

  private func blocks(_ best: [String: Int]) -> [[String: Int]] {
    guard let tile = RegisterTile(best) else { return [] }
    return [(128, 384), (256, 192), (256, 384), (384, 192), (512, 96), (256, 768)].map {
      ["KC": $0, "NC": max(1, $1 / tile.columns) * tile.columns]
    }
  }

  private var rowBlocks: [[String: Int]] {
    [1, 2, 4, 8, 16].map { $0 * RegisterTile.packedRows }
      .filter { $0 < launch.rows + RegisterTile.packedRows }.map { ["ROW_BLOCK": $0] }
  }

  private func pieces(_ best: [String: Int]) -> [[String: Int]] {
    guard launch.mayBeSplit, let now = best["SPLITS"] else { return [] }
    let bytes = 4 * launch.batch * launch.rows * launch.columns
    return Set([1, now / 2, 2 * now, 4 * now]).sorted().filter {
      $0 == 1 || $0 > 1 && launch.depth >= 128 * $0 && $0 * bytes <= Self.mostPieceBytes
    }.map { ["SPLITS": $0] }
  }
}

extension RegisterTile {
  /// The tile of a choice; nil when it names none.
  init?(_ choice: [String: Int]) {
    guard let rows = choice["MR"], let vectors = choice["NV"] else { return nil }
    self.init(rows: rows, vectors: vectors)
  }
}
