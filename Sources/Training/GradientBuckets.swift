import Formats
import Layers
import OpenCL
import Tensors

/// Hands the gradients of the last replica of a process to the exchange as they complete (spec
/// distributed 5).
///
/// The arena is cut into buckets from its end, as gradients complete from the last layers to the first.
/// Buckets are handed over in that order on every rank, one that completes early after those before it.
final class GradientBuckets: GradientObserver {
  private let arena: ParameterArena
  private let exchange: GradientExchange
  /// The elements of each bucket, in the order in which they are exchanged.
  let buckets: [Range<Int>]
  private let parameters: [ObjectIdentifier: (index: Int, bucket: Int)]
  /// Adds what earlier replicas of the process have brought to a part; gives the sum's arena.
  private var sum: Tensor?
  /// How many gradients each bucket waits for, and how many buckets were handed over.
  private var missing: [Int] = []
  private var handed = 0

  /// Cuts an arena into buckets.
  ///
  /// - Parameters:
  ///   - arena: The parameters.
  ///   - exchange: What adds up gradients.
  ///   - bytes: Bytes of a bucket, unless a parameter alone has more.
  init(_ arena: ParameterArena, _ exchange: GradientExchange, bytes: Int) {
    self.arena = arena
    self.exchange = exchange
    var buckets: [Range<Int>] = []
    var parameters: [ObjectIdentifier: (index: Int, bucket: Int)] = [:]
    var end = arena.gradients.count
    for (index, range) in arena.ranges.enumerated().reversed() {
      let isFull = buckets.last.map { 4 * ($0.upperBound - range.lowerBound) > bytes }
      if isFull ?? true {
        buckets.append(range.lowerBound..<end)
      } else if let last = buckets.popLast() {
        buckets.append(range.lowerBound..<last.upperBound)
      }
      end = range.lowerBound
      guard let node = arena.parameters[index].value.node else { continue }
      parameters[ObjectIdentifier(node)] = (index, buckets.count - 1)
    }
    self.buckets = buckets
    self.parameters = parameters
  }

  /// Prepares for the last replica of a step.
  ///
  /// - Parameter sum: What the replicas before have brought, to which this one's gradients are added;
  ///   nil where it is the only one.
  func prepare(addingTo sum: Tensor?) throws {
    self.sum = sum
    handed = 0
    missing = []
    try exchange.begin(sum ?? arena.gradients)
  }

  func begin(_ leaves: [GradientNode]) throws {
    var isReached = [Bool](repeating: false, count: arena.parameters.count)
    missing = [Int](repeating: 0, count: buckets.count)
    for leaf in leaves {
      guard let place = parameters[ObjectIdentifier(leaf)] else { continue }
      isReached[place.index] = true
      missing[place.bucket] += 1
    }
    for (index, isReached) in isReached.enumerated() where !isReached { try clear(index) }
    try handOver()
  }

  func complete(_ leaf: GradientNode) throws {
    guard let place = parameters[ObjectIdentifier(leaf)], !missing.isEmpty else { return }
    if leaf.gradient == nil { try clear(place.index) }
    missing[place.bucket] -= 1
    try handOver()
  }

  /// Hands over what is left, and waits for the sums.
  ///
  /// - Returns: The arena with the sums.
  /// - Throws: `WorldError` or `OpenCLError`.
  func finish() throws -> Tensor {
    missing = [Int](repeating: 0, count: buckets.count)
    try handOver()
    try exchange.finish()
    return sum ?? arena.gradients
  }

  /// Sets the gradient of a parameter that has none to 0.
  private func clear(_ index: Int) throws {
    let range = arena.ranges[index]
    guard !range.isEmpty else { return }
    let part = try arena.gradients.part(range, shape: [range.count])
    try part.stream.queue.fill(part.buffer, pattern: 0)
  }

  private func handOver() throws {
    while handed < buckets.count, missing[handed] == 0 {
      let range = buckets[handed]
      if let sum {
        try sum.part(range, shape: [range.count])
          .add(arena.gradients.part(range, shape: [range.count]))
      }
      try exchange.add(range, number: handed)
      handed += 1
    }
  }
}
