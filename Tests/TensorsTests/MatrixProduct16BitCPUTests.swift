import Formats
import OpenCL
import OperatorChecks
import TestSupport
import Testing

@testable import Tensors

/// Products of bfloat16 on a CPU: by the processor's instruction where it has it, and in plain OpenCL
/// C, which has the same results and runs wherever the CPU's kernels do.
@Suite(
  "Products of bfloat16 on a CPU",
  .enabled(if: TestDevice.families.contains(.cpu), "the device has no kernels for CPUs"))
struct MatrixProduct16BitCPUTests {
  /// Runs `body` with a stream of bfloat16 that multiplies in plain OpenCL C, then with one that uses
  /// the instruction if there is one.
  private func withStreams(_ body: (ComputeStream, BFloat16Products) throws -> Void) throws {
    try StorageTests.withStream(.bfloat16, family: .cpu) { stream in
      let own = BFloat16Products.usable(on: stream)
      for products in [BFloat16Products(usesInstruction: false), own].compactMap(\.self) {
        stream.matrix.bfloat16 = products
        try body(stream, products)
      }
    }
  }

  /// A tensor of random numbers of bfloat16, and the numbers.
  private func operand(
    _ shape: [Int], seed: UInt64, on stream: ComputeStream
  ) throws -> (tensor: Tensor, values: [Double]) {
    let exact = try Tensor(randomFloats(shape.reduce(1, *), seed: seed), shape: shape, on: stream)
    let tensor = try exact.converted(to: .bfloat16)
    return (tensor, try tensor.floats().map(Double.init))
  }

  /// What rounding a result once may change.
  private static let rounding = 0x1p-8

  /// Around tiles (14 x 32, 4 x 80), packed rows (112), vectors of pairs (32 elements), odd depths, one
  /// and several steps of the depth (768), columns of several groups (256), batches.
  private static let sizes =
    MatrixProductTests.sizes
    + [(1, 2, 1), (15, 31, 33), (29, 65, 31), (30, 79, 63), (3, 270, 771), (15, 33, 1537)].map {
      MatrixProductTests.Sizes(batch: 1, rows: $0.0, columns: $0.1, depth: $0.2)
    } + [MatrixProductTests.Sizes(batch: 2, rows: 3, columns: 77, depth: 801)]

  @Test("products and gradients, every transpose, against float64")
  func products() throws {
    try withStreams { stream, products in
      for sizes in Self.sizes {
        for transposes in 0..<4 {
          try check(
            sizes, transposes & 1 != 0, transposes & 2 != 0, on: stream,
            "\(products) \(sizes) \(transposes)")
        }
      }
    }
  }

  private func check(
    _ sizes: MatrixProductTests.Sizes, _ left: Bool, _ right: Bool, on stream: ComputeStream,
    _ label: String
  ) throws {
    let (b, m, n, k) = (sizes.batch, sizes.rows, sizes.columns, sizes.depth)
    let leading = b == 1 ? [] : [b]
    let x = try operand(leading + (left ? [k, m] : [m, k]), seed: 1, on: stream)
    let y = try operand(leading + (right ? [n, k] : [k, n]), seed: 2, on: stream)
    let (a, c) = (x.tensor.trained("left"), y.tensor.trained("right"))
    let result = try a.matrixProduct(c, transposeLeft: left, transposeRight: right)
    #expect(result.elementType == .bfloat16)
    let upstream = try operand(result.shape, seed: 3, on: stream)
    try result.backward(from: upstream.tensor)
    var want = [Double](repeating: 0, count: b * m * n)
    var (wantA, wantC) = (x.values.map { _ in 0.0 }, y.values.map { _ in 0.0 })
    for entry in 0..<b {
      for i in 0..<m {
        for l in 0..<k {
          let p = entry * m * k + (left ? l * m + i : i * k + l)
          for j in 0..<n {
            let q = entry * k * n + (right ? j * k + l : l * n + j)
            let at = (entry * m + i) * n + j
            want[at] += x.values[p] * y.values[q]
            wantA[p] += upstream.values[at] * y.values[q]
            wantC[q] += upstream.values[at] * x.values[p]
          }
        }
      }
    }
    for (got, wanted, what) in [
      (result, want, "product"), (try #require(a.gradient), wantA, "left gradient"),
      (try #require(c.gradient), wantC, "right gradient"),
    ] {
      expectClose(
        try got.floats(), wanted, relative: Self.rounding, absolute: 1e-6, "\(label) \(what)")
    }
  }

  @Test("linear layers round their weight while it is packed; its gradient is float32")
  func linear() throws {
    try withStreams { stream, products in
      for (m, n, k) in [(1, 1, 1), (17, 33, 45), (118, 5, 801), (5, 260, 64)] {
        let label = "\(products) \(m)x\(n)x\(k)"
        let x = try operand([m, k], seed: 1, on: stream)
        let weights = randomFloats(n * k, seed: 2)
        let rounded = try Tensor(weights, shape: [n, k], on: stream).converted(to: .bfloat16)
          .floats().map(Double.init)
        let biases = randomFloats(n, seed: 3)
        let input = x.tensor.trained("x")
        let weight = try Tensor(weights, shape: [n, k], on: stream).trained("weight")
        let bias = try Tensor(biases, shape: [n], on: stream).trained("bias")
        let y = try input.linear(weight: weight, bias: bias)
        let upstream = try operand([m, n], seed: 4, on: stream)
        try y.backward(from: upstream.tensor)
        let turned = HostReference.transposed(rounded, n, k)
        let want = HostReference.product(x.values, turned, m, k, n).enumerated().map {
          $1 + Double(biases[$0 % n])
        }
        expectClose(try y.floats(), want, relative: Self.rounding, absolute: 1e-6, label)
        expectClose(
          try input.gradient?.floats() ?? [],
          HostReference.product(upstream.values, rounded, m, n, k), relative: Self.rounding,
          absolute: 1e-6, "\(label) input gradient")
        #expect(weight.gradient?.elementType == .float32)
        expectClose(
          try weight.gradient?.floats() ?? [],
          HostReference.product(
            HostReference.transposed(upstream.values, m, n), x.values, n, m, k), relative: 1e-5,
          "\(label) weight gradient")
      }
    }
  }

  @Test("convolutions and gradients against float64: strides, dilation, odd channels, edges")
  func convolutions() throws {
    let cases =
      ConvolutionTests.cases + [
        ConvolutionTests.Case([1, 9, 10, 33], to: 18, kernel: [3, 3], padding: 1),
        ConvolutionTests.Case([1, 6, 7, 90], to: 40, kernel: [3, 3], stride: 2, padding: 1),
      ]
    try withStreams { stream, products in
      for form in cases {
        let label = "\(products) \(form)"
        let x = try operand(form.input, seed: 1, on: stream)
        let w = try operand(form.weight, seed: 2, on: stream)
        let upstream = try operand(form.result, seed: 4, on: stream)
        let input = x.tensor.trained("x")
        let weight = try w.tensor.converted(to: .float32).trained("weight")
        let y = try input.convolution(
          weight: weight, stride: form.stride, padding: form.padding, dilation: form.dilation)
        try y.backward(from: upstream.tensor)
        let want = form.gradients(x.values, w.values, of: upstream.values)
        expectClose(
          try y.floats(), form(x.values, w.values), relative: Self.rounding, absolute: 1e-6, label)
        expectClose(
          try input.gradient?.floats() ?? [], want.x, relative: Self.rounding, absolute: 1e-6,
          "\(label) input gradient")
        expectClose(
          try weight.gradient?.floats() ?? [], want.weight, relative: 1e-5,
          "\(label) weight gradient")
      }
    }
  }

  @Test("Winograd's algorithm takes large 3x3 convolutions of 128 to 256 channels, and agrees")
  func winograd() throws {
    func pays(_ channels: Int, _ outputs: Int, _ height: Int, _ width: Int) -> Bool {
      Winograd(
        images: 1, height: height, width: width, channels: channels, outputHeight: height,
        outputWidth: width, outputChannels: outputs, padding: 1, flipped: false
      ).paysBesideBFloat16
    }
    #expect(!pays(64, 64, 200, 272) && pays(128, 128, 100, 136) && pays(256, 256, 50, 68))
    #expect(!pays(512, 512, 25, 34) && !pays(256, 256, 25, 34) && pays(256, 256, 200, 272))
    try withStreams { stream, products in
      let shape = [1, 59, 61, 128]
      let input = try operand(shape, seed: 1, on: stream).tensor.trained("x")
      let weight = try operand([128, 3, 3, 128], seed: 2, on: stream).tensor
        .converted(to: .float32).trained("weight")
      let upstream = try operand(shape, seed: 4, on: stream).tensor
      var results: [[[Float]]] = []
      for direct in [false, true] {
        input.node?.clearGradient()
        weight.node?.clearGradient()
        let y = try input.convolution(weight: weight, padding: 1, direct: direct)
        try y.backward(from: upstream)
        results.append([
          try y.floats(), try input.gradient?.floats() ?? [],
          try weight.gradient?.floats() ?? [],
        ])
      }
      for (index, (quick, plain)) in zip(results[0], results[1]).enumerated() {
        // Each is rounded on its own.
        expectClose(
          quick, plain.map(Double.init), relative: 2 * Self.rounding, absolute: 1e-4,
          "\(products) \(index)")
      }
    }
  }

  @Test("the instruction and plain OpenCL C agree to the last bit")
  func sameBits() throws {
    var bits: [[[UInt32]]] = []
    try withStreams { stream, _ in
      var found: [[UInt32]] = []
      for (m, n, k, left, right) in [
        (45, 70, 33, false, true), (113, 257, 1601, false, false), (30, 77, 800, true, false),
      ] {
        let x = try operand(left ? [k, m] : [m, k], seed: 1, on: stream).tensor
        let y = try operand(right ? [n, k] : [k, n], seed: 2, on: stream).tensor
        let result = try x.matrixProduct(y, transposeLeft: left, transposeRight: right)
        found.append(try result.floats().map(\.bitPattern))
        let weight = try Tensor(randomFloats(n * k, seed: 5), shape: [n, k], on: stream)
        if !left { found.append(try x.linear(weight: weight).floats().map(\.bitPattern)) }
      }
      bits.append(found)
    }
    #expect(bits.allSatisfy { $0 == bits[0] })
  }

  @Test("infinities, NaN and denormal numbers come out as the kernel's header says")
  func specials() throws {
    let (tiny, large) = (Float(0x1p-130), Float(0x1p126))
    // Pairs of factors, and their product by the instruction and in plain OpenCL C.
    let cases: [(Float, Float, instruction: Float, plain: Float)] = [
      (.infinity, 2, .infinity, .infinity), (.infinity, 0, .nan, .nan), (.nan, 1, .nan, .nan),
      (-.infinity, 2, -.infinity, -.infinity), (large, 16, .infinity, .infinity),
      (tiny, large, 0, 0x1p-4), (0x1p-100, 0x1p-30, 0, 0x1p-130), (-3, 0.5, -1.5, -1.5),
    ]
    try withStreams { stream, products in
      for one in cases {
        let want = products.usesInstruction ? one.instruction : one.plain
        for depth in [1, 2] {
          let x = try Tensor(
            [one.0] + [Float](repeating: 0, count: depth - 1), shape: [1, depth], on: stream
          ).converted(to: .bfloat16)
          let y = try Tensor(
            [one.1] + [Float](repeating: 0, count: depth - 1), shape: [1, depth], on: stream)
          let got = try x.linear(weight: y).floats()[0]
          #expect(
            got == want || got.isNaN && want.isNaN,
            "\(products): \(one.0) * \(one.1) is \(got), depth \(depth)")
        }
      }
    }
  }

  @Test("profiles and benchmarks name the kernel; the choice is part of a program's key")
  func label() throws {
    try TestDevice.withContext(family: .cpu) { context in
      let profiler = Profiler()
      let stream = try ComputeStream(
        context: context, profiler: profiler, activationType: .bfloat16)
      stream.matrix.bfloat16 = BFloat16Products(usesInstruction: false)
      let x = try Tensor(repeating: 1, shape: [4, 4], on: stream).converted(to: .bfloat16)
      #expect(try x.matrixProduct(x).floats() == [Float](repeating: 4, count: 16))
      try profiler.resolve()
      #expect(stream.matrix.kernelName == "matrix_product_forward_cpu_16bit bfloat16")
      #expect(profiler.records.contains { $0.name == stream.matrix.kernelName })
      stream.matrix.bfloat16 = nil
      #expect(stream.matrix.kernelName == "matrix_product_forward_cpu float32")
      #expect(try x.matrixProduct(x).floats() == [Float](repeating: 4, count: 16))
    }
    #expect(BFloat16Products().parameters != BFloat16Products(usesInstruction: false).parameters)
  }

  @Test("only the host's own processor is asked, before anything is built")
  func obstacles() throws {
    try TestDevice.withContext(family: .cpu) { context in
      let fault = BFloat16Products.obstacle(on: context.device, hasInstruction: false)
      #expect(fault != nil)
      if context.device.runsOnHost {
        #expect(fault == "the processor has no AVX512_BF16")
        #expect(BFloat16Products.obstacle(on: context.device, hasInstruction: true) == nil)
      }
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .generic), activationType: .bfloat16)
      #expect(BFloat16Products.usable(on: stream) == nil)
      #expect(stream.matrix.productType(of: .bfloat16) == .bfloat16)
    }
  }

  @Test("the trial accepts what agrees and tells in one line what does not")
  func trial() throws {
    try withStreams { stream, products in
      #expect(products.fault(on: stream) == nil)
      // Zeros, as drivers gave that did not know the instruction.
      let zeros = products.fault(on: stream) { try stream.queue.fill($0.buffer, pattern: 0) }
      #expect(
        zeros == "the driver computes it wrong, otherwise than in plain OpenCL C; update the driver"
      )
      let nothing = products.fault(on: stream) {
        try stream.queue.fill($0.buffer, pattern: 0x7FC0_7FC0)
      }
      #expect(nothing?.contains("\n") == false)
      let broken = products.fault(on: stream) { _ in throw OpenCLError.kernelFamily(wanted: "x") }
      #expect(broken?.contains("x") == true && broken?.contains("\n") == false)
    }
  }

  @Test("candidates of the tuner compute every layout as float64 does")
  func tuning() throws {
    var tried = 0
    try withStreams { stream, products in
      let recorder = MatrixRecorder()
      stream.matrix.recorder = recorder
      for one in [3, 72].flatMap(StorageTests.maps) where !one.description.contains("pool") {
        try StorageTests.check(one, .bfloat16, on: stream)
      }
      stream.matrix.recorder = nil
      let uses = recorder.uses.filter { $0.example.operandType == .bfloat16 }
      #expect(uses.count > 10)
      for (number, use) in uses.enumerated() {
        let trial = try MatrixTrial(use.example, on: stream, with: nil)
        let shipped = trial.choices.shipped
        let all =
          [shipped]
          + (0..<MatrixChoices.stages).flatMap {
            trial.choices.candidates(stage: $0, best: shipped)
          }
        // Nearly all of the time goes into compiling.
        for (index, choice) in all.enumerated() where (index + 5 * number) % 32 == 0 {
          let found = try trial.measure(choice, limit: 1e-9, isShipped: true)
          #expect(found.error <= 2 * Self.rounding, "\(products) \(use.shape.name) \(choice)")
          tried += 1
        }
      }
    }
    #expect(tried > 6, "\(tried) candidates")
  }

  @Test("the driver counts local memory as the plan does", arguments: RegisterTile.all)
  func localMemory(tile: RegisterTile) throws {
    try TestDevice.withStream(.cpu) { stream in
      for loader in [MatrixLoader.rows, .transposed] {
        let kernel = try stream.library.kernel(
          BFloat16Products.kernel, in: BFloat16Products.file,
          parameters: [
            "MR": tile.rows, "NV": tile.vectors, "KC": 32, "NC": 2 * tile.columns, "STORAGE": 1,
            "LEFT_LOADER": loader.rawValue, "RIGHT_LOADER": MatrixLoader.image.rawValue,
          ])
        #expect(
          kernel.declaredLocalBytes
            == tile.localBytes(depth: 32, columns: 2 * tile.columns, left: loader))
        for kibibytes in 32...2048 {
          let memory = PackedMemory(bytes: kibibytes << 10, left: loader, holdsPairs: true)
          if let block = tile.block(in: memory) {
            #expect(
              tile.localBytes(depth: block.depth, columns: block.columns, left: loader)
                <= memory.bytes)
          }
        }
      }
    }
  }
}
