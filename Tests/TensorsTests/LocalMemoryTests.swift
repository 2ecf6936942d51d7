import Geometry
import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// No kernel asks for more local memory than the device has, whatever its size.
@Suite struct LocalMemoryTests {
  private static let loaders: [MatrixLoader] = [.rows, .transposed, .image]
  /// The shipped tiles and those that the tuner tries.
  private static let tiles = RegisterTile.all + MatrixChoices.registerTiles

  @Test("blocks of every tile fit, from 16 KiB to 2 MiB", arguments: loaders)
  func blocks(loader: MatrixLoader) {
    var wrong: [String] = []
    for kibibytes in 16...2048 {
      let memory = PackedMemory(bytes: kibibytes << 10, left: loader)
      let blocks = Self.tiles.map { $0.block(in: memory) }
      if blocks.prefix(RegisterTile.all.count).allSatisfy({ $0 == nil }) {
        wrong.append("no shipped tile in \(kibibytes) KiB")
      }
      for (tile, block) in zip(Self.tiles, blocks) {
        let isRight =
          block.map {
            $0.depth % 16 == 0 && $0.columns > 0 && $0.columns % tile.columns == 0
              && tile.localBytes(depth: $0.depth, columns: $0.columns, left: loader)
                <= memory.bytes
          } ?? (kibibytes < 32)
        if !isRight { wrong.append("\(tile) in \(kibibytes) KiB") }
      }
    }
    #expect(wrong.isEmpty)
  }

  @Test("blocks that fitted before a transposed operand was counted are as they were")
  func shippedBlocks() {
    for (kibibytes, depth, columns) in [
      (24, 16, 32), (32, 32, 32), (64, 32, 32), (256, 128, 352), (1024, 256, 384),
    ] {
      let memory = PackedMemory(bytes: kibibytes << 10, left: .rows)
      let block = RegisterTile(rows: 14, vectors: 2).block(in: memory)
      #expect(block?.depth == depth && block?.columns == columns, "\(kibibytes) KiB")
    }
    // 77 tokens: 281 856 of 262 144 bytes once.
    let tile = RegisterTile(rows: 4, vectors: 5)
    #expect(tile.localBytes(depth: 128, columns: 320, left: .transposed) == 281_856)
    let block = tile.block(in: PackedMemory(bytes: 262_144, left: .transposed))
    #expect(block?.depth == 128 && block?.columns == 240)
  }

  @Test("plans of every product fit", arguments: loaders)
  func plans(loader: MatrixLoader) throws {
    try TestDevice.withStream { stream in
      let buffer = try stream.queue.allocate(bytes: 4, label: "operand")
      var wrong: [String] = []
      for kibibytes in 16...2048 {
        for (rows, columns) in [(1, 1), (77, 77), (512, 80), (16, 147), (1000, 64), (14, 4096)] {
          let launch = MatrixLaunch(
            rows: rows, columns: columns, depth: 1000,
            left: MatrixOperand(buffer: buffer, loader: loader),
            right: MatrixOperand(buffer: buffer, loader: .rows))
          let plan = MatrixPlan(cpu: launch, units: 2, localMemoryInBytes: kibibytes << 10)
          let tile = try #require(RegisterTile(plan.choice))
          let (depth, width) = (try #require(plan.choice["KC"]), try #require(plan.choice["NC"]))
          if tile.localBytes(depth: depth, columns: width, left: loader) > kibibytes << 10 {
            wrong.append("\(rows) x \(columns) in \(kibibytes) KiB")
          }
        }
      }
      #expect(wrong.isEmpty)
    }
  }

  @Test("the driver counts as the plan does", arguments: RegisterTile.all)
  func declared(tile: RegisterTile) throws {
    try TestDevice.withStream { stream in
      for loader in [MatrixLoader.rows, .transposed] {
        let kernel = try stream.library.kernel(
          "matrix_product_forward_cpu", in: "MatrixProductCPU",
          parameters: [
            "MR": tile.rows, "NV": tile.vectors, "KC": 32, "NC": 2 * tile.columns,
            "LEFT_LOADER": loader.rawValue, "RIGHT_LOADER": MatrixLoader.image.rawValue,
            "DEVICE_IS_CPU": 1,
          ])
        #expect(
          kernel.declaredLocalBytes
            == tile.localBytes(depth: 32, columns: 2 * tile.columns, left: loader))
      }
    }
  }

  /// Runs `body` with as much local memory as there is and with less, on the device's own kernels.
  private func compare(
    _ kibibytes: Int, _ body: (ComputeStream) throws -> [[Float]]
  ) throws -> (all: [[Float]], less: [[Float]]) {
    let all = try TestDevice.withStream { try body($0) }
    var less: [[Float]] = []
    try TestDevice.withContext(localMemoryInBytes: kibibytes << 10) { context in
      less = try body(try ComputeStream(context: context))
    }
    return (all, less)
  }

  @Test("products of a transposed operand by 77 columns", arguments: [16, 32, 256])
  func product(kibibytes: Int) throws {
    let (all, less) = try compare(kibibytes) { stream in
      let left = try Tensor(randomFloats(300 * 50, seed: 1), shape: [300, 50], on: stream)
      let right = try Tensor(randomFloats(300 * 77, seed: 2), shape: [300, 77], on: stream)
      return [try left.matrixProduct(right, transposeLeft: true).floats()]
    }
    expectClose(less[0], all[0].map(Double.init), relative: 1e-5, "\(kibibytes) KiB")
  }

  @Test("wide images to the last bit")
  func images() throws {
    let plain = PixelNormalisation(means: [1, 2, 3], deviations: [4, 5, 6])
    let (all, less) = try compare(16) { stream in
      let image = ImageInput(
        pixels: (0..<3 * 7 * 40).map { UInt8(truncatingIfNeeded: $0 &* 37) },
        view: ImageView(
          originalWidth: 40, originalHeight: 7, width: 2100, height: 9, isFlipped: true))
      return [
        try Tensor.imageBatch([image], normalisation: plain, on: stream).floats()
      ]
    }
    #expect(less[0].count == 32 * 2112 * 3 && less == all)
  }

  @Test("attention of long sequences says what it needs and what there is")
  func attention() throws {
    try TestDevice.withContext(localMemoryInBytes: 16 << 10) { context in
      let stream = try ComputeStream(context: context)
      func attend(_ length: Int) throws {
        let qkv = try Tensor(
          randomFloats(length * 12, seed: 5), shape: [1, length, 12], on: stream
        ).trained("qkv")
        let result = try qkv.attention(heads: 1)
        try result.backward(from: try Tensor(repeating: 1, shape: result.shape, on: stream))
        #expect(try qkv.gradient?.floats().allSatisfy(\.isFinite) == true)
      }
      try attend(1900)
      let error = #expect(throws: OpenCLError.self) { try attend(5000) }
      let text = "\(try #require(error))"
      #expect(
        text.contains("attention_forward_row needs 20") && text.contains("has 16384"), "\(text)")
    }
  }

  @Test("a launch beyond what the driver gives a kernel is refused by name")
  func workGroup() throws {
    try TestDevice.withStream { stream in
      let kernel = try stream.library.kernel("roi_align_place", in: "RoIAlign")
      let error = #expect(throws: OpenCLError.self) {
        try stream.queue.launch(
          kernel, global: [2 * kernel.largestWorkGroup], local: [2 * kernel.largestWorkGroup], [])
      }
      #expect("\(try #require(error))".contains("roi_align_place needs work-groups of"))
    }
  }
}
