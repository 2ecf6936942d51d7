import Detection
import Formats
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

@Suite("RoIAlign")
struct RoIAlignTests {
  /// One call on random input.
  struct Case: Sendable {
    var sizes: [(height: Int, width: Int)]
    var images = 2
    var channels: Int
    var regions: Int
    var height = 7
    var width = 7
    var ratio = 0
    var aligned = true
  }

  static let cases = [
    Case(sizes: [(1, 1)], images: 1, channels: 1, regions: 1, height: 1, width: 1),
    Case(sizes: [(9, 11)], channels: 3, regions: 5, height: 5, width: 3, ratio: 2),
    Case(sizes: [(8, 7)], channels: 15, regions: 4, height: 2, width: 2, aligned: false),
    Case(sizes: [(12, 10)], channels: 16, regions: 6, height: 3, width: 4),
    Case(sizes: [(12, 10), (6, 5)], channels: 17, regions: 9, ratio: 3),
    Case(sizes: [(7, 13)], channels: 5, regions: 0),
    // More regions than a tile's list holds; more channels than a work-group.
    Case(sizes: [(9, 10)], channels: 4, regions: 700, height: 2, width: 2, ratio: 2),
    Case(sizes: [(5, 6)], images: 1, channels: 516, regions: 3, height: 2, width: 2),
  ]
  static let largerCases = [
    Case(sizes: [(24, 32), (12, 16), (6, 8), (3, 4)], channels: 64, regions: 60),
    Case(
      sizes: [(21, 33), (11, 17)], images: 3, channels: 145, regions: 9, height: 14, width: 14),
    Case(sizes: [(60, 71)], channels: 3, regions: 2, height: 224, width: 224, ratio: 2),
  ]

  @Test("agrees with a float64 reference", arguments: TestDevice.families)
  func reference(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let larger = Self.largerCases.prefix(family == .generic ? 1 : Self.largerCases.count)
      for (seed, testCase) in (Self.cases + larger).enumerated() {
        try check(testCase, seed: UInt64(10 * seed), on: stream)
      }
    }
  }

  @Test("16-bit maps and gradients, rounded once", arguments: [ElementType.bfloat16, .float16])
  func storage(type: ElementType) throws {
    try TestDevice.withStream(.generic) { stream in
      for (seed, testCase) in Self.cases[1...3].enumerated() {
        try check(testCase, seed: UInt64(10 * seed), storing: type, on: stream)
      }
    }
  }

  private func check(
    _ testCase: Case, seed: UInt64, storing type: ElementType = .float32, on stream: ComputeStream
  ) throws {
    let shapes = testCase.sizes.map {
      [testCase.images, $0.height, $0.width, testCase.channels]
    }
    let levels = try shapes.enumerated().map { index, shape in
      try Tensor(
        randomFloats(shape.reduce(1, *), seed: seed + UInt64(index)), shape: shape, on: stream
      ).converted(to: type).trained("map")
    }
    let maps = try levels.map { try $0.floats() }
    // Half of the last bit that is stored.
    let relative = [.bfloat16: 0x1p-8, .float16: 0x1p-11][type] ?? 1e-4
    let scales = testCase.sizes.indices.map { 0.25 / Float(1 << $0) }
    let extent = 4 * Float(max(testCase.sizes[0].height, testCase.sizes[0].width))
    let unit = randomFloats(5 * testCase.regions, seed: seed + 5, in: 0...1)
    // Regions reach beyond the map on all sides; some are empty or turned inside out.
    var rois: [Float] = []
    for r in 0..<testCase.regions {
      let part = unit[5 * r..<5 * r + 5].map { $0 }
      let (x, y) = ((1.4 * part[0] - 0.2) * extent, (1.4 * part[1] - 0.2) * extent)
      let (w, h) = ((1.1 * part[2] - 0.1) * extent, (1.1 * part[3] - 0.1) * extent)
      rois += [Float(r % testCase.images), x, y, x + w, y + h]
    }
    let finest = extent / 8
    let reference = HostReference.RoIAlign(
      shapes: shapes, scales: scales, rois: rois, height: testCase.height, width: testCase.width,
      ratio: testCase.ratio, aligned: testCase.aligned, finest: finest)
    let result = try Tensor.roiAlign(
      levels: levels, scales: scales,
      rois: try Tensor(rois, shape: [testCase.regions, 5], on: stream), height: testCase.height,
      width: testCase.width, samplingRatio: testCase.ratio, aligned: testCase.aligned,
      finestSize: finest)
    #expect(
      result.shape == [testCase.regions, testCase.height, testCase.width, testCase.channels])
    #expect(result.elementType == type)
    expectClose(
      try result.floats(), reference.forward(maps.map { $0.map(Double.init) }), relative: relative,
      "\(testCase) \(type) forward")
    let gradient = try Tensor(
      randomFloats(result.count, seed: seed + 6), shape: result.shape, on: stream
    ).converted(to: type)
    try result.backward(from: gradient)
    for (index, wanted) in reference.backward(try gradient.floats().map(Double.init)).enumerated() {
      #expect(levels[index].gradient?.elementType == type)
      expectClose(
        try levels[index].gradient?.floats() ?? [], wanted, relative: relative,
        "\(testCase) \(type) gradient of level \(index)")
    }
  }

  @Test(
    "a gradient by itself is stored like the features", arguments: TestDevice.families,
    [ElementType.bfloat16, .float16])
  func gradient(family: DeviceFamily, type: ElementType) throws {
    try TestDevice.withStream(family) { stream in
      let values = randomFloats(2 * 3 * 3 * 20, seed: 1)
      let stored = try Tensor(values, shape: [2, 3, 3, 20], on: stream).converted(to: type)
      let rois = try Tensor(
        [0, 1, 2, 19, 23, 0, 8, 0, 30, 12] as [Float], shape: [2, 5], on: stream)
      let (want, got) = (
        try stored.converted(to: .float32).roiAlignInputGradient(
          rois: rois, map: [1, 8, 9, 20], scale: 0.25, samplingRatio: 2, aligned: true),
        try stored.roiAlignInputGradient(
          rois: rois, map: [1, 8, 9, 20], scale: 0.25, samplingRatio: 2, aligned: true)
      )
      #expect(got.elementType == type && got.shape == want.shape)
      let pairs = zip(try want.floats(), try got.floats())
      let worst = pairs.reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= (type == .bfloat16 ? 2 / 256 : 2 / 2048), "\(worst)")
    }
  }

  @Test("wide maps where local memory is small", arguments: [3, 20])
  func smallLocalMemory(channels: Int) throws {
    func run(_ stream: ComputeStream) throws -> [[Float]] {
      let shape = [1, 6, 700, channels]
      let map = try Tensor(
        randomFloats(shape.reduce(1, *), seed: 3), shape: shape, on: stream
      ).trained("map")
      let rois: [Float] = [0, 3, -1, 690, 5, 0, 100, 1, 130, 4]
      let result = try Tensor.roiAlign(
        levels: [map], scales: [1], rois: try Tensor(rois, shape: [2, 5], on: stream), height: 5,
        width: 6, samplingRatio: 0)
      try result.backward(
        from: try Tensor(randomFloats(result.count, seed: 4), shape: result.shape, on: stream))
      return [try result.floats(), try map.gradient?.floats() ?? []]
    }
    let wanted = try TestDevice.withStream { try run($0) }
    try TestDevice.withContext(localMemoryInBytes: 16 << 10) { context in
      let got = try run(try ComputeStream(context: context))
      #expect(got[1].count == 6 * 700 * channels)
      for (got, wanted) in zip(got, wanted) {
        expectClose(got, wanted, relative: 1e-4, "\(channels) channels")
      }
    }
  }

  @Test("a region of an image that does not exist gives zeros", arguments: TestDevice.families)
  func missingImage(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      for channels in [3, 20] {
        let map = try Tensor(repeating: 1, shape: [1, 4, 4, channels], on: stream).trained("map")
        let rois: [Float] = [-1, 0, 0, 4, 4, 1, 0, 0, 4, 4]
        let result = try Tensor.roiAlign(
          levels: [map], scales: [1], rois: try Tensor(rois, shape: [2, 5], on: stream), height: 2,
          width: 2, samplingRatio: 2)
        #expect(try result.floats().allSatisfy { $0 == 0 })
        try result.backward(from: try Tensor(repeating: 1, shape: result.shape, on: stream))
        #expect(try map.gradient?.floats().allSatisfy { $0 == 0 } == true)
      }
    }
  }

  @Test("a ramp keeps its values at the centres of bins", arguments: TestDevice.families)
  func ramp(family: DeviceFamily) throws {
    try TestDevice.withStream(family) { stream in
      let ramp: [Float] = (0..<64).map { index in Float(10 * (index / 8) + index % 8) }
      let map = try Tensor(ramp, shape: [1, 8, 8, 1], on: stream)
      let roi = try Tensor([0, 1, 2, 5, 6] as [Float], shape: [1, 5], on: stream)
      let result = try Tensor.roiAlign(
        levels: [map], scales: [1], rois: roi, height: 2, width: 2, samplingRatio: 0)
      expectClose(try result.floats(), [26.5, 28.5, 46.5, 48.5] as [Float], "inner box")
      let corner = try Tensor([0, -4, -4, 4, 4] as [Float], shape: [1, 5], on: stream)
      let outside = try Tensor.roiAlign(
        levels: [map], scales: [1], rois: corner, height: 2, width: 2, samplingRatio: 2)
      expectClose(try outside.floats(), [0, 0, 0, 16.5] as [Float], "box over the corner")
    }
  }
}

@Suite("RoIAlign against peers", .enabled(if: Fixture.available, "no peer fixtures"))
struct RoIAlignFixtureTests {
  @Test("pooled features and gradients", arguments: TestDevice.families)
  func pooled(family: DeviceFamily) throws {
    let files = Fixture.files("roi_align").filter { !$0.contains("fpn_levels") }
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let isPyramid = fixture.has("x0")
        let names = isPyramid ? (0..<9).map { "x\($0)" }.filter(fixture.has) : ["x"]
        let levels = try names.map { try fixture.tensor($0, on: stream).trained($0) }
        let scales =
          isPyramid
          ? (fixture.params["strides"]?.array ?? []).map { 1 / Float($0.number ?? 0) }
          : [Float(try fixture.number("spatial_scale"))]
        let shape = try fixture.shape("y")
        let result = try Tensor.roiAlign(
          levels: levels, scales: scales, rois: try fixture.tensor("rois", on: stream),
          height: shape[2], width: shape[3], samplingRatio: try fixture.integer("sampling_ratio"),
          aligned: fixture.params["aligned"]?.bool ?? true,
          finestSize: Float(isPyramid ? try fixture.number("finest_scale") : 56))
        try fixture.expect(result, equals: "y")
        try result.backward(from: try gradient(fixture, shape, on: stream))
        for (level, name) in zip(levels, names) {
          try fixture.expect(level.gradient, equals: "grad_\(name)")
        }
      }
    }
  }

  private func gradient(
    _ fixture: Fixture, _ shape: [Int], on stream: ComputeStream
  ) throws -> Tensor {
    if fixture.has("grad_y") { return try fixture.tensor("grad_y", on: stream) }
    let rows = try fixture.floats("grad_y_rows")
    let columns = try fixture.floats("grad_y_columns")
    let plane = rows.flatMap { row in columns.map { row * $0 } }
    let all = (0..<shape[0] * shape[1]).flatMap { _ in plane }
    let turned = channelsLast(all, shape)
    return try Tensor(turned.values, shape: turned.shape, on: stream)
  }

  @Test("pyramid levels", arguments: TestDevice.families)
  func levels(family: DeviceFamily) throws {
    let files = Fixture.files("roi_align", prefix: "fpn_levels")
    try #require(!files.isEmpty)
    try TestDevice.withStream(family) { stream in
      for file in files {
        let fixture = try Fixture(file)
        let rois = try fixture.floats("rois")
        let count = rois.count / 5
        let farthest = rois.map(abs).max() ?? 1
        let images = Int((0..<count).map { rois[5 * $0] }.max() ?? 0) + 1
        // Every region lies in the middle of maps that hold their own level.
        let levels = try (0..<fixture.integer("levels")).map {
          try Tensor(repeating: Float($0), shape: [images, 4, 4, 1], on: stream)
        }
        let result = try Tensor.roiAlign(
          levels: levels, scales: levels.map { _ in 1 / farthest },
          rois: try fixture.tensor("rois", on: stream), height: 1, width: 1, samplingRatio: 2,
          finestSize: Float(try fixture.number("finest_scale")))
        #expect(try result.floats().map { Int32($0.rounded()) } == fixture.integers("level"))
      }
    }
  }
}
