import Distribution
import Layers
import OpenCL
import Tensors
import TestSupport
import Testing

@testable import Training

/// Gradients of several ranks, bucket by bucket.
@Suite("Gradient buckets") struct GradientBucketsTests {
  private static let sizes = [700, 3, 300, 1000, 50, 9]

  /// What a step leaves behind.
  private struct Outcome: Sendable, Equatable {
    var buckets: [Range<Int>] = []
    var parameters: [String: [Float]] = [:]
    var norm: Float = 0
    var lossScale: [Float] = []
  }

  /// Makes a step of some replicas, whose loss is the product of parameters and given factors.
  ///
  /// - Parameters:
  ///   - factor: The factor of a replica at a parameter's element; nil keeps the loss from it.
  private func step(
    ranks: Int, replicas: Int, bucketBytes: Int, type: ElementType = .float32,
    factor: @escaping @Sendable (_ replica: Int, _ parameter: Int, _ element: Int) -> Float?
  ) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    try TestDevice.withContext { context in
      let device = context.device
      func run(_ world: any World, _ context: Context) throws -> Outcome {
        let stream = try ComputeStream(context: context, activationType: type)
        let store = ParameterStore(stream: stream, seed: 7)
        let parameters = try Self.sizes.enumerated().map { index, count in
          try store.root.parameter("part \(index)", [count], .uniform(bound: 1))
        }
        let share = try ReplicaShare(of: replicas, rank: world.rank, processes: world.size)
        let update = try ParameterUpdate(
          store, rule: .sgd(momentum: 0.9), clipping: .norm(5), weightDecay: 1e-4, share: share,
          among: world, bucketBytes: bucketBytes)
        try update.begin()
        for replica in share.own {
          var terms: [Tensor] = []
          for (index, parameter) in parameters.enumerated() {
            let factors = (0..<Self.sizes[index]).compactMap { factor(replica, index, $0) }
            guard factors.count == Self.sizes[index] else { continue }
            let other = try Tensor(factors, shape: [factors.count], on: stream)
            terms.append(try parameter.value.multiplied(by: other).sum())
          }
          let loss = try terms.dropFirst().reduce(terms[0]) { try $0.adding($1) }
          try update.differentiate(loss)
        }
        let norm = try update.apply(iteration: 0, learningRate: 0.1)
        return Outcome(
          buckets: update.buckets?.buckets ?? [],
          parameters: try Dictionary(
            uniqueKeysWithValues: store.parameters.map { ($0.name, try $0.value.floats()) }),
          norm: try norm.floats()[0], lossScale: try update.lossScale?.floats() ?? [])
      }
      nonisolated(unsafe) let body = run
      outcomes =
        try ranks == 1
        ? [run(Alone(), context)]
        : ThreadWorld.run(ranks) { try body($0, try Context(device: device)) }
    }
    return outcomes
  }

  /// Replica 0 does not reach parameter 2, nobody reaches parameter 4.
  private static func ordinary(_ replica: Int, _ parameter: Int, _ element: Int) -> Float? {
    guard parameter != 4, replica != 0 || parameter != 2 else { return nil }
    return Float((element * 7 + replica * 13 + parameter * 5) % 29 - 14) / 16
  }

  @Test(
    "many small buckets, one of all, and a single process give the same bits",
    arguments: [(2, 2), (2, 4), (3, 3)])
  func manyBuckets(ranks: Int, replicas: Int) throws {
    let many = try step(
      ranks: ranks, replicas: replicas, bucketBytes: 1600, factor: Self.ordinary)
    let one = try step(
      ranks: ranks, replicas: replicas, bucketBytes: 1 << 20, factor: Self.ordinary)
    #expect(many[0].buckets.count >= 4 && one[0].buckets.count == 1)
    // From the last layers to the first, without a gap, each at most as large as allowed or one part.
    #expect(many[0].buckets.first?.upperBound == one[0].buckets[0].upperBound)
    #expect(many[0].buckets.last?.lowerBound == 0)
    for (later, earlier) in zip(many[0].buckets, many[0].buckets.dropFirst()) {
      #expect(later.lowerBound == earlier.upperBound)
    }
    for outcome in many {
      #expect(outcome.parameters == one[0].parameters && outcome.norm == one[0].norm)
    }
    let alone = try step(ranks: 1, replicas: replicas, bucketBytes: 1, factor: Self.ordinary)[0]
    #expect(alone.buckets.isEmpty)
    for (name, values) in alone.parameters {
      expectClose(many[0].parameters[name] ?? [], values, relative: 1e-6, absolute: 1e-7, name)
    }
    if replicas == 2 { #expect(alone.parameters == many[0].parameters) }
  }

  @Test("float16 gradients that overflow on one rank are left out on all")
  func anOverflowOnOneRank() throws {
    @Sendable func factor(_ replica: Int, _ parameter: Int, _ element: Int) -> Float? {
      guard replica == 1, parameter == 3, element == 17 else {
        return Self.ordinary(replica, parameter, element)
      }
      return .infinity
    }
    let start = try step(ranks: 2, replicas: 2, bucketBytes: 1600, type: .float16) { _, _, _ in 0 }
    let found = try step(
      ranks: 2, replicas: 2, bucketBytes: 1600, type: .float16, factor: factor)
    for outcome in found {
      #expect(!outcome.norm.isFinite)
      #expect(outcome.lossScale == [LossScaling.start / 2, 0])
      #expect(outcome.parameters == found[0].parameters)
    }
    // A gradient of 0 changes a parameter by its decay alone; an overflow changes nothing.
    let untouched = try step(ranks: 1, replicas: 1, bucketBytes: 1, type: .float16) { _, _, _ in
      .infinity
    }
    #expect(found[0].parameters == untouched[0].parameters)
    #expect(start[0].parameters != untouched[0].parameters)
    #expect(start[0].lossScale == [LossScaling.start, 1])
  }
}
