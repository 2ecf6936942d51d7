import Baron
import Distribution
import Geometry

/// What the replicas of a run write into the box caches during a step.
///
/// A replica sees what was there when the step began and what it wrote itself, so that its choices
/// do not depend on which other replicas its process carries.
struct BoxCacheWrites {
  /// What one method has written.
  struct Written {
    /// The entries of each replica, in their order.
    var entries: [[BoxCache.Entry]] = []
    /// How many images each of them has handled.
    var images = 0
  }

  /// For each method; nothing for those without a cache.
  var methods: [Written]

  init(methods count: Int) { methods = [Written](repeating: Written(), count: count) }

  /// Takes back what a replica has written.
  mutating func collect(from caches: [any AlignmentMethod]) {
    for (index, method) in caches.enumerated() {
      let written = method.change { $0.cache?.takenBack() }
      methods[index].entries.append(written?.entries ?? [])
      methods[index].images = written?.images ?? 0
    }
  }

  /// Brings together what the replicas of all processes have written.
  ///
  /// - Parameters:
  ///   - world: The processes.
  ///   - caches: The methods as they are before the step's end.
  ///   - iteration: The step.
  /// - Throws: `WorldError`.
  mutating func exchange(
    among world: any World, _ caches: [any AlignmentMethod], iteration: Int
  ) throws {
    for (index, method) in caches.enumerated() {
      // Before its first call no process writes; counts are those of all.
      guard world.size > 1, method.state.cache?.isUsed(after: methods[index].images) == true else {
        continue
      }
      let exchange = Exchange("box cache \(index)", iteration)
      let own = methods[index].entries.flatMap(Self.words)
      let all = try world.gathered(own.bytes, exchange)
      let words = try world.broadcast(Array(all.joined()), exchange).words
      methods[index].entries = Self.replicas(words)
    }
  }

  /// Ends the step: the caches get what all replicas have written.
  func apply(to caches: [any AlignmentMethod]) {
    for (method, written) in zip(caches, methods) {
      method.change { $0.cache?.apply(written.entries, images: written.images) }
    }
  }

  /// The entries of a replica: their number, then of each slot, image, number of boxes and boxes.
  private static func words(_ entries: [BoxCache.Entry]) -> [UInt32] {
    [UInt32(entries.count)]
      + entries.flatMap { entry in
        [
          UInt32(entry.slot), UInt32(bitPattern: entry.image), UInt32(entry.boxes.count),
        ]
          + entry.boxes.flatMap {
            [$0.box.x1, $0.box.y1, $0.box.x2, $0.box.y2, $0.score].map(\.bitPattern)
          }
      }
  }

  /// The entries of replicas that stand one after the other.
  private static func replicas(_ words: [UInt32]) -> [[BoxCache.Entry]] {
    var rest = words[...]
    func next() -> UInt32 { rest.popFirst() ?? 0 }
    func number() -> Float { Float(bitPattern: next()) }
    var replicas: [[BoxCache.Entry]] = []
    while !rest.isEmpty {
      replicas.append(
        (0..<next()).map { _ in
          let (slot, image, count) = (Int(next()), Int32(bitPattern: next()), next())
          return BoxCache.Entry(
            slot: slot, image: image,
            boxes: (0..<count).map { _ in
              let (x1, y1, x2, y2) = (number(), number(), number(), number())
              return ScoredBox(Box(x1: x1, y1: y1, x2: x2, y2: y2), score: number())
            })
        })
    }
    return replicas
  }
}

extension [UInt32] {
  /// The words as bytes.
  var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

extension [UInt8] {
  /// Whole words of bytes.
  var words: [UInt32] {
    withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
    }
  }
}
