import OpenCL
import TestSupport
import Testing

@testable import Tensors

/// The attention for tensor cores, run in its emulation: tiles, fragments, edges and masks.
@Suite("Attention by tensor cores")
struct AttentionTensorCoresTests {
  /// What the tensor cores multiply.
  enum Format: CaseIterable, Sendable {
    case tf32x3, tf32, bf16, f16

    var precision: MatrixPrecision { self == .tf32 ? .tf32 : .tf32x3 }
    var elementType: ElementType {
      switch self {
      case .tf32x3, .tf32: .float32
      case .bf16: .bfloat16
      case .f16: .float16
      }
    }
    /// Half of the last bit of a factor.
    var rounding: Double? {
      switch self {
      case .tf32x3: nil
      case .tf32, .f16: 0x1p-11
      case .bf16: 0x1p-8
      }
    }
  }

  /// Runs `body` with a stream whose attention is emulated tensor cores'.
  private func emulated(_ format: Format, _ body: (ComputeStream) throws -> Void) throws {
    try TestDevice.withContext { context in
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .generic, poisonsBuffers: true),
        activationType: format.elementType)
      setCores(format, on: stream)
      try body(stream)
    }
  }

  private func setCores(_ format: Format, on stream: ComputeStream) {
    let cores = TensorCores(
      precision: format.precision, operands: format.elementType, isEmulated: true)
    if format.elementType == .float32 {
      stream.matrix.tensorCores = cores
    } else {
      stream.matrix.activationCores = cores
    }
  }

  private func check(_ test: AttentionTests.Case, _ format: Format) throws {
    var (forward, backward) = (AttentionTests.Tolerance(), AttentionTests.Tolerance())
    if let half = format.rounding {
      // Values are at most 2: rounded probabilities move a result by twice that; tf32 also rounds
      // the queries and keys of scores.
      let scores = format == .tf32 ? 4.0 : 1
      forward = .init(relative: half, absolute: 2 * scores * half)
      backward = .init(relative: half, absolute: 4 * scores * half)
    }
    try emulated(format) { stream in
      try AttentionTests().check(
        test, storing: format.elementType, forward: forward, backward: backward, on: stream)
    }
  }

  /// Lengths around tiles; each tile takes seconds to compile, so one format has them all.
  static let formats: [(format: Format, lengths: [Int])] = [
    (.tf32x3, [16, 50]), (.tf32, [1, 17]), (.bf16, [1, 15, 16, 17, 50, 77]), (.f16, [15, 77]),
  ]

  @Test("lengths around tiles", arguments: Self.formats)
  func lengths(format: Format, lengths: [Int]) throws {
    let masks = AttentionTests.Mask.allCases
    for (index, length) in lengths.enumerated() {
      for mask in [masks[(2 * index + 1) % masks.count], masks[(2 * index + 2) % masks.count]] {
        try check(.init(batch: 1, length: length, heads: 2, headWidth: 64, mask: mask), format)
      }
    }
  }

  @Test("every mask over several tiles, images and heads", arguments: AttentionTests.Mask.allCases)
  func masks(mask: AttentionTests.Mask) throws {
    try check(.init(batch: 2, length: 77, heads: 2, headWidth: 64, mask: mask), .bf16)
  }

  @Test("widths of a head", arguments: [(Format.tf32x3, 16), (.tf32x3, 128), (.bf16, 80)])
  func widths(format: Format, headWidth: Int) throws {
    try check(
      .init(batch: 1, length: 35, heads: 2, headWidth: headWidth, mask: .causalAndShared), format)
  }

  @Test("a vision transformer's length")
  func long() throws {
    try check(.init(batch: 1, length: 197, heads: 1, headWidth: 64, mask: .none), .bf16)
  }

  @Test("other widths go to the generic kernel")
  func otherWidths() throws {
    try emulated(.tf32x3) { stream in
      for headWidth in [10, 144] {
        try AttentionTests().check(
          .init(batch: 1, length: 9, heads: 1, headWidth: headWidth, mask: .none),
          storing: .float32, forward: .init(), backward: .init(), on: stream)
      }
    }
  }

  @Test("the trial accepts each format's rounding and tells of what is too coarse")
  func trial() throws {
    for format in Format.allCases {
      try emulated(format) { stream in
        let cores = AttentionCores(
          precision: format.precision, elementType: format.elementType, isEmulated: true)
        #expect(cores.fault(on: stream) == nil)
        guard format == .bf16 else { return }
        let fault = try #require(cores.fault(on: stream, within: 1e-5))
        #expect(fault.hasPrefix("the device computes it wrong"), "\(fault)")
      }
    }
  }

  @Test("profiles name the kernels with their format")
  func label() throws {
    try TestDevice.withContext { context in
      let profiler = Profiler()
      let stream = try ComputeStream(
        context: Context(device: context.device, family: .generic), profiler: profiler,
        activationType: .bfloat16)
      setCores(.bf16, on: stream)
      let qkv = try Tensor(repeating: 1, shape: [1, 3, 48], on: stream, label: "ones")
        .converted(to: .bfloat16).trained("ones")
      let result = try qkv.attention(heads: 1)
      try result.backward(from: result.detached())
      #expect(try result.floats() == [Float](repeating: 1, count: 48))
      try profiler.resolve()
      let names = Set(profiler.records.map(\.name))
      #expect(
        names.isSuperset(of: [
          "attention_forward_nvidia bf16", "attention_backward_query_nvidia bf16",
          "attention_backward_key_value_nvidia bf16",
        ]), "\(names)")
    }
  }

  @Test("a tile for every size, within the 48 KiB of a work-group")
  func tiles() throws {
    func sizes(_ length: Int, _ headWidth: Int, _ type: ElementType) -> AttentionSizes {
      AttentionSizes(
        batch: 1, length: length, heads: 1, headWidth: headWidth, causal: false,
        maskIsShared: true, elementType: type)
    }
    for type in [ElementType.float32, .bfloat16] {
      for headWidth in stride(from: 16, through: 128, by: 16) {
        for length in [1, 16, 17, 50, 77, 197, 1000] {
          for backward in [false, true] {
            let tile = try #require(
              AttentionTile.best(for: sizes(length, headWidth, type), backward: backward))
            let bytes = tile.bytes(
              headWidth: headWidth, elementBytes: type.bytes, backward: backward)
            #expect(bytes <= 48 << 10 && tile.step % 16 == 0 && (1...4).contains(tile.warps))
          }
        }
      }
    }
    #expect(AttentionTile.best(for: sizes(50, 24, .bfloat16), backward: false) == nil)
    #expect(
      AttentionTile.best(for: sizes(50, 64, .bfloat16), backward: false)
        == AttentionTile(warps: 4, step: 32, stages: 2))
    #expect(
      AttentionTile.best(for: sizes(77, 64, .bfloat16), backward: true)
        == AttentionTile(warps: 3, step: 32, stages: 2))
  }
}
