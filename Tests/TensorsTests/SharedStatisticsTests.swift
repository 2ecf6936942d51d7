import Distribution
import OpenCL
import OperatorChecks
import Tensors
import TestSupport
import Testing

/// Batch norm over the rows of several devices (E4 of spec distributed).
@Suite("Shared statistics")
struct SharedStatisticsTests {
  /// Sums over ranks that are threads.
  private final class Sums: StatisticsExchange {
    let world: any World
    init(_ world: any World) { self.world = world }
    func sum(_ values: inout [Double], of layer: String) throws {
      try world.sum(&values, Exchange(layer))
    }
  }

  /// What a rank gets of a layer and gives its gradient.
  private struct Share: Sendable {
    var output: [Float]
    var input: [Float]
    var weight: [Float]
    var bias: [Float]
    var mean: [Float]
    var variance: [Float]
  }

  private static let channels = 19
  private static let momentum = 0.2

  /// Runs the layer on rows that are shared out.
  private func shares(
    _ rows: [Int], offset: Float, family: DeviceFamily
  ) throws -> (found: [Share], wanted: BatchNormReference) {
    let count = rows.reduce(0, +) * Self.channels
    // Deviations of about 1.
    let x = randomFloats(count, seed: 1, in: offset - 1.7...offset + 1.7)
    let gradient = randomFloats(count, seed: 2)
    let weight = randomFloats(Self.channels, seed: 3)
    let bias = randomFloats(Self.channels, seed: 4)
    let mean = randomFloats(Self.channels, seed: 5, in: offset...offset + 1)
    let variance = randomFloats(Self.channels, seed: 6, in: 0.5...2)
    var found: [Share] = []
    try TestDevice.withContext(family: family) { context in
      let device = context.device
      found = try ThreadWorld.run(rows.count) { world in
        let stream = try ComputeStream(
          context: try Context(device: device, family: family, poisonsBuffers: true))
        let first = rows[..<world.rank].reduce(0, +) * Self.channels
        let own = first..<first + rows[world.rank] * Self.channels
        let shape = [rows[world.rank], Self.channels]
        func tensor(_ values: [Float]) throws -> Tensor {
          try Tensor(values, shape: [Self.channels], on: stream)
        }
        let input = try Tensor(Array(x[own]), shape: shape, on: stream).trained("x")
        let (scale, shift) = (
          try tensor(weight).trained("weight"), try tensor(bias).trained("bias")
        )
        let (runningMean, runningVariance) = (try tensor(mean), try tensor(variance))
        let result = try input.batchNorm(
          weight: scale, bias: shift, runningMean: runningMean, runningVariance: runningVariance,
          momentum: Float(Self.momentum),
          shared: SharedStatistics(Sums(world), layer: "layer"))
        try result.backward(
          from: try Tensor(Array(gradient[own]), shape: shape, on: stream))
        return Share(
          output: try result.floats(), input: try input.gradient?.floats() ?? [],
          weight: try scale.gradient?.floats() ?? [], bias: try shift.gradient?.floats() ?? [],
          mean: try runningMean.floats(), variance: try runningVariance.floats())
      }
    }
    func doubles(_ values: [Float]) -> [Double] { values.map(Double.init) }
    return (
      found,
      BatchNormReference(
        doubles(x), residual: nil, weight: doubles(weight), bias: doubles(bias),
        mean: doubles(mean), variance: doubles(variance), momentum: Self.momentum, epsilon: 1e-5,
        gradient: doubles(gradient))
    )
  }

  @Test(
    "as one tensor of all rows, against float64", arguments: TestDevice.families,
    [[40, 23], [64, 0, 17], [1, 300, 0, 5]])
  func asOneTensor(family: DeviceFamily, rows: [Int]) throws {
    for offset in [0, 1000] as [Float] {
      let (found, wanted) = try shares(rows, offset: offset, family: family)
      let absolute = 1e-6
      let label = "\(rows), offset \(offset)"
      expectClose(
        found.flatMap(\.output), wanted.output, relative: 1e-6, absolute: absolute, "y, \(label)")
      expectClose(
        found.flatMap(\.input), wanted.input, relative: 1e-6, absolute: absolute, "x, \(label)")
      for (total, values, name) in [
        (wanted.weight, found.map(\.weight), "weight"), (wanted.bias, found.map(\.bias), "bias"),
      ] {
        // Of the rank without rows too there is one: 0.
        let sums = total.indices.map { index in values.reduce(0.0) { $0 + Double($1[index]) } }
        expectClose(sums, total, relative: 1e-6, absolute: absolute, "\(name), \(label)")
      }
      for share in found {
        expectClose(share.mean, wanted.mean, relative: 1e-6, absolute: 0, "mean, \(label)")
        expectClose(
          share.variance, wanted.variance, relative: 1e-6, absolute: 0, "variance, \(label)")
        #expect(share.mean == found[0].mean && share.variance == found[0].variance)
      }
    }
  }

  @Test("ranks at different layers are told both names")
  func mixedLayers() throws {
    try TestDevice.withContext { context in
      let device = context.device
      let outcomes = ThreadWorld.outcomes(2, patience: 20) { world in
        let stream = try ComputeStream(context: try Context(device: device))
        let ones = try Tensor(repeating: 1, shape: [4], on: stream)
        _ = try Tensor(repeating: 1, shape: [2, 4], on: stream).batchNorm(
          weight: ones, bias: ones, runningMean: try ones.copied(),
          runningVariance: try ones.copied(),
          shared: SharedStatistics(Sums(world), layer: world.rank == 0 ? "neck" : "stem"))
      }
      for outcome in outcomes {
        guard case .failure(let error) = outcome else {
          Issue.record("no error")
          continue
        }
        #expect("\(error)".contains("neck") && "\(error)".contains("stem"), "\(error)")
      }
    }
  }
}
