import OpenCL

/// How a matrix product reads an operand; the values of `LOAD_…` in `MatrixLoaders.clh`.
enum MatrixLoader: Int, Codable {
  case rows, transposed, image, taps
}

/// An operand of a matrix product: where it is and how it lies there.
struct MatrixOperand {
  let buffer: Buffer
  let loader: MatrixLoader
  /// Elements from one stored row to the next.
  var pitch = 0
  /// Elements from one batch entry to the next.
  var stride = 0
}

/// Patches of images as matrix rows; the fields of `Geometry` in `MatrixLoaders.clh`, in its order.
struct PatchGeometry {
  var height, width, channels: Int
  var gridHeight, gridWidth: Int
  var stride, originY, originX, stepY, stepX: Int
  var tapRows, tapColumns: Int
  var weightHeight = 0
  var weightWidth = 0
  var weightY = 0
  var weightX = 0
  var weightStepY = 0
  var weightStepX = 0
  var targetHeight = 0
  var targetWidth = 0
  var targetY = 0
  var targetX = 0
  var targetStride = 0

  /// Taps that are neighbours in memory: a whole row of taps when they are one pixel apart.
  private var run: Int { stepX == 1 ? tapColumns : 1 }

  var arguments: [KernelArgument] {
    [
      height, width, channels, gridHeight, gridWidth, stride, originY, originX, stepY, stepX,
      tapRows, tapColumns, run, weightHeight, weightWidth, weightY, weightX, weightStepY,
      weightStepX, targetHeight, targetWidth, targetY, targetX, targetStride,
    ].map { .int($0) }
  }
}

/// One product `target[rows, columns] = left[rows, depth] right[depth, columns] + bias`, or a batch.
struct MatrixLaunch {
  let rows, columns, depth: Int
  var batch = 1
  let left, right: MatrixOperand
  var bias: Buffer?
  /// What both operands are; a CPU multiplies bfloat16 where ``MatrixUnit/bfloat16`` is there, other
  /// 16-bit ones are for the `generic` and `nvidia` kernels.
  var operandType = ElementType.float32
  /// What the right operand is where it is something else: float32, a weight that a CPU rounds while
  /// it packs it.
  var rightType: ElementType?
  /// What the target is: float32 or the operands' type.
  var targetType = ElementType.float32
  /// Elements from one matrix of the target to the next; nil when they are dense.
  var targetStride: Int?
  /// Whether the product is added to what the target holds; then there is no bias.
  var adds = false
  /// What becomes of the sums; not for the CPU's kernels.
  var epilogue: MatrixEpilogue?
  /// What is written beside the target, where the kernel can.
  var statistics: ColumnStatistics?
  /// Present when an operand is read from images.
  var geometry: PatchGeometry?
  /// Whether the target's rows are spread over images by the geometry.
  var scatters = false
  /// How a CPU multiplies bfloat16, for a trial; nil takes the stream's way.
  var bfloat16: BFloat16Products?

  /// Whether a row's sums must not depend on how many rows there are.
  var rowsAreAlike = false

  /// Elements of the left operand that are copied at a time: those of 16 bytes, or 1.
  var leftCopyWidth: Int {
    copyWidth(of: left, neighbours: left.loader == .transposed ? rows : depth)
  }

  /// The same of the right operand.
  ///
  /// Taps are walked through once for a whole tile, which lies within
  /// one of them.
  func rightCopyWidth(tileDepth: Int) -> Int {
    if right.loader == .taps, !hasWholeTaps(tileDepth: tileDepth) { return 1 }
    return copyWidth(of: right, neighbours: right.loader == .transposed ? depth : columns)
  }

  /// Whether every tile of a depth lies within a tap of the left operand's patches.
  func hasWholeTaps(tileDepth: Int) -> Bool {
    left.loader == .image && leftCopyWidth > 1 && (geometry?.channels ?? 1) % tileDepth == 0
  }

  /// Elements that may be copied at a time: those of 16 bytes, or 1 where not all runs of neighbours
  /// are multiples of their number.
  ///
  /// Places within an image are 32 bits wide then.
  private func copyWidth(of operand: MatrixOperand, neighbours: Int) -> Int {
    let most = 16 / operandType.bytes
    var runs = [operand.pitch, operand.stride, neighbours]
    if operand.loader == .image, let geometry {
      guard geometry.height * geometry.width * geometry.channels <= Int(Int32.max) else { return 1 }
      runs[0] = geometry.channels
    }
    return runs.allSatisfy { $0 % most == 0 } ? most : 1
  }

  /// Whether its depth may be cut into pieces that are added up afterwards.
  var mayBeSplit: Bool { !scatters && targetStride == nil && !rowsAreAlike }

  /// Enqueues the product.
  func run(on stream: ComputeStream, into target: Buffer) throws {
    var launch = self
    launch.rowsAreAlike = stream.rowsAreAlike
    let cores = stream.matrix.tensorCores(for: operandType)
    guard let recorder = stream.matrix.recorder else {
      return try launch.run(on: stream, into: target, with: cores)
    }
    try recorder.record(launch, target: target, on: stream, with: cores) {
      try launch.run(on: stream, into: target, with: cores)
    }
  }

  /// Enqueues the product, by tensor cores or by the family's own kernel.
  ///
  /// `tuned` holds what is chosen otherwise than in the shipped plan; nil takes what was found for
  /// this device.
  func run(
    on stream: ComputeStream, into target: Buffer, with cores: TensorCores?,
    tuned: [String: Int]? = nil
  ) throws {
    guard rows > 0, columns > 0, batch > 0 else { return }
    precondition(
      (bfloat16 != nil || stream.matrix.productType(of: operandType) == operandType)
        && (targetType == .float32
          || targetType == operandType && !(adds && stream.family == .cpu)),
      "product of \(operandType) into \(targetType)")
    precondition(
      rightType == nil || rightType == operandType
        || rightType == .float32 && stream.family == .cpu && right.loader != .image,
      "product of \(operandType) by \(rightType ?? operandType)")
    precondition(epilogue == nil || stream.family != .cpu, "product with an epilogue")
    let plan = MatrixPlan(
      self, on: stream, with: cores,
      tuned: tuned ?? (rowsAreAlike ? [:] : stream.matrix.tunedChoice(for: self, with: cores)))
    guard plan.splits > 1 else {
      let part = try statisticsPart(of: plan, on: stream, with: cores, isTrial: tuned != nil)
      guard let part else {
        return try enqueue(plan, on: stream, into: target, of: targetType, then: epilogue)
      }
      try enqueue(
        plan, on: stream, into: target, of: targetType, pieces: try part.arguments(),
        further: part.parameters)
      return try part.finish()
    }
    let size = rows * columns
    let partial = try stream.queue.allocate(
      bytes: 4 * batch * plan.splits * size, label: "partial products")
    if plan.joinedTile != nil {
      let lastGroup = plan.isJoinQuick ? stream.lastGroup : nil
      let counters = try lastGroup?.counters(plan.groups / plan.splits)
      try enqueue(
        plan, on: stream, into: target, of: targetType,
        then: counters == nil ? nil : epilogue,
        pieces: [.buffer(partial), counters.map { .buffer($0) } ?? .null])
      guard counters == nil else { return }
    } else {
      try enqueue(plan, on: stream, into: partial, of: .float32)
    }
    let ending = epilogue?.work(elements: batch * size, of: targetType) ?? Work()
    try stream.launchElements(
      try stream.library.kernel(
        "matrix_product_splits", in: "MatrixProduct",
        parameters: storage(of: targetType).merging(epilogue?.parameters ?? [:]) { $1 }),
      count: batch * size,
      [
        .buffer(partial), .buffer(target), .int(size), .int(plan.splits), .int(adds ? 1 : 0),
      ] + (epilogue?.arguments ?? []),
      work: Work(
        operations: Double(batch * plan.splits * size) + ending.operations,
        bytes: Double(batch * (4 * plan.splits + targetType.bytes) * size) + ending.bytes))
  }

  /// How the product writes the statistics that are asked of it; nil where it cannot.
  private func statisticsPart(
    of plan: MatrixPlan, on stream: ComputeStream, with cores: TensorCores?, isTrial: Bool
  ) throws -> ColumnStatistics.Part? {
    guard let statistics, mayHaveStatistics, let cores, let tile = WarpTile(plan.choice) else {
      return nil
    }
    let variant = ProductVariant(self, tile: tile, hasEpilogue: false, hasStatistics: true)
    guard isTrial || stream.matrix.isUsable(variant, with: cores) else { return nil }
    return try statistics.part(rows: rows, by: tile)
  }

  /// How operands and a target of a type lie in memory, as compile-time parameters.
  private func storage(of target: ElementType) -> [String: Int] {
    operandType == .float32
      ? [:] : ["STORAGE": operandType.storage, "TARGET_STORED": target == .float32 ? 0 : 1]
  }

  private func enqueue(
    _ plan: MatrixPlan, on stream: ComputeStream, into target: Buffer, of type: ElementType,
    then epilogue: MatrixEpilogue? = nil, pieces: [KernelArgument] = [.null, .null],
    further: [String: Int] = [:]
  ) throws {
    var parameters = plan.parameters.merging(storage(of: type)) { $1 }
    parameters.merge(further) { $1 }
    if let epilogue { parameters.merge(epilogue.parameters) { $1 } }
    parameters["LEFT_LOADER"] = left.loader.rawValue
    parameters["RIGHT_LOADER"] = right.loader.rawValue
    parameters["SCATTERS"] = scatters ? 1 : 0
    let rightType = rightType ?? operandType
    if rightType != operandType { parameters["RIGHT_FLOAT"] = 1 }
    let arguments: [KernelArgument] = [
      .buffer(left.buffer), .int(left.pitch), .int(left.stride),
      .buffer(right.buffer), .int(right.pitch), .int(right.stride),
      bias.map { .buffer($0) } ?? .null, .buffer(target), .int(targetStride ?? rows * columns),
      .int(rows), .int(columns), .int(depth), .int(plan.splits), .int(plan.splitDepth),
      .int(adds && (plan.splits == 1 || plan.joinedTile != nil) ? 1 : 0),
    ]
    let traffic =
      operandType.bytes * rows * depth + rightType.bytes * depth * columns
      + type.bytes * rows * columns
    let ending = epilogue?.work(elements: batch * rows * columns, of: type) ?? Work()
    try stream.queue.launch(
      try stream.library.kernel(plan.kernel, in: plan.file, parameters: parameters),
      global: plan.global, local: plan.local,
      arguments + (epilogue?.arguments ?? []) + (plan.joinedTile == nil ? [] : pieces)
        + plan.arguments + (try sums(of: plan, on: stream, type)) + (geometry?.arguments ?? []),
      work: Work(
        operations: 2 * Double(batch) * Double(rows) * Double(columns) * Double(depth)
          + ending.operations,
        bytes: Double(batch) * Double(traffic) + ending.bytes),
      label: epilogue.map { "\(plan.label ?? plan.kernel) then \($0.kind)" } ?? plan.label)
  }

  /// The argument of `MatrixProduct16BitCPU.cl` for sums that wait for the next step of the depth, as
  /// the target cannot hold them.
  private func sums(
    of plan: MatrixPlan, on stream: ComputeStream, _ type: ElementType
  ) throws -> [KernelArgument] {
    guard plan.file == BFloat16Products.file else { return [] }
    guard type != .float32, plan.hasSteps else { return [.null] }
    return [
      .buffer(
        try stream.queue.allocate(
          bytes: 4 * batch * plan.splits * rows * columns, label: "sums of a product"))
    ]
  }
}
