import Formats
import Foundation

/// What a loader and its threads share.
///
/// The threads hold the core and not the loader, so dropping the loader ends them.
final class LoaderCore: @unchecked Sendable {
  // Sendable: the `var` properties are only touched while `condition` is locked; the rest is
  // constant and of value types.

  private struct Ticket {
    /// Counts the batches of all replicas.
    let number: Int
    let iteration: Int
    let replica: Int
    let indices: [[Int]]
  }

  /// An image that cannot be used.
  private struct LeftOut {
    let stream: String
    let file: String
    /// The first iteration that wanted it.
    var iteration: Int
  }

  /// The failures in a row that end a search for a substitute.
  private static let mostFailures = 32

  private let streams: [LoaderStream]
  private let seed: UInt64
  /// The replicas that it loads for.
  private let replicas: Range<Int>
  private let first: Int
  private let prefetch: Int
  private let warn: @Sendable (String) -> Void
  /// A copy that is only asked for substitutes, which depend on nothing that changes.
  private let substitution: BatchSampler
  private let condition = NSCondition()

  /// One for each replica.
  private var samplers: [BatchSampler]
  private var nextTicket: Int
  private var nextBatch: Int
  private var ready: [Int: Result<LoadedBatch, any Error>] = [:]
  private var unusable: [String: LeftOut] = [:]
  /// Why images are unusable, in the order of their finding.
  private var faults: [(path: String, error: any Error)] = []
  private var waited = 0.0
  private var running = 0
  private var stopped = false

  init(
    streams: [LoaderStream], samplers: [BatchSampler], seed: UInt64, first: Int,
    replicas: Range<Int>, prefetch: Int, leavingOut: [String: [String]],
    warn: @escaping @Sendable (String) -> Void
  ) {
    precondition(samplers.count == replicas.count && !replicas.isEmpty, "a sampler a replica")
    self.streams = streams
    self.samplers = samplers
    self.seed = seed
    self.replicas = replicas
    self.first = first
    self.prefetch = prefetch
    self.warn = warn
    substitution = samplers[0]
    nextTicket = 0
    nextBatch = 0
    for stream in streams {
      for file in leavingOut[stream.name.rawValue] ?? [] {
        unusable["\(stream.folder)/\(file)"] = LeftOut(
          stream: stream.name.rawValue, file: file, iteration: first - 1)
      }
    }
  }

  /// The images that iterations before this one found to be unusable, by stream.
  func leftOut(before iteration: Int) -> [String: [String]] {
    let found = condition.withLock { unusable.values.filter { $0.iteration < iteration } }
    return Dictionary(grouping: found, by: \.stream).mapValues { $0.map(\.file).sorted() }
  }

  func start(threads: Int) {
    condition.withLock { running = threads }
    for _ in 0..<threads {
      let thread = Thread { [self] in work() }
      thread.name = "loader"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  func stop() {
    condition.lock()
    defer { condition.unlock() }
    stopped = true
    condition.broadcast()
    while running > 0 { condition.wait() }
  }

  /// The threads that have not ended.
  var runningThreads: Int { condition.withLock { running } }

  var waitSeconds: Double { condition.withLock { waited } }

  func next() throws -> LoadedBatch {
    condition.lock()
    defer { condition.unlock() }
    let start = MonotonicClock.seconds
    while ready[nextBatch] == nil, !stopped { condition.wait() }
    waited += MonotonicClock.seconds - start
    guard let result = ready[nextBatch] else {
      throw StreamError(name: "loader", reason: "was stopped")
    }
    // A failure stays, so that asking again gives the same answer instead of waiting for ever.
    let batch = try result.get()
    ready[nextBatch] = nil
    nextBatch += 1
    condition.broadcast()
    return batch
  }

  private func work() {
    while let ticket = take() {
      let result = Result { try load(ticket) }
      condition.withLock {
        ready[ticket.number] = result
        condition.broadcast()
      }
    }
    condition.withLock {
      running -= 1
      condition.broadcast()
    }
  }

  /// The next batch to load, once there is room for it; nil when the loader stops.
  private func take() -> Ticket? {
    condition.lock()
    defer { condition.unlock() }
    while !stopped, nextTicket >= nextBatch + prefetch || readyBytes > Self.mostReadyBytes {
      condition.wait()
    }
    guard !stopped else { return nil }
    let (round, own) = nextTicket.quotientAndRemainder(dividingBy: replicas.count)
    let ticket = Ticket(
      number: nextTicket, iteration: first + round, replica: replicas.lowerBound + own,
      indices: samplers[own].batch(at: first + round))
    nextTicket += 1
    return ticket
  }

  /// The pixels in bytes of batches that wait to be taken; with more no further one is begun.
  private static let mostReadyBytes = 1 << 30

  private var readyBytes: Int {
    ready.values.reduce(0) { sum, batch in
      guard let streams = try? batch.get().streams else { return sum }
      return sum + streams.values.joined().reduce(0) { $0 + $1.image.bytes.count }
    }
  }

  private func load(_ ticket: Ticket) throws -> LoadedBatch {
    var slot = 0
    let samples = try ticket.indices.enumerated().map { stream, indices in
      try indices.map { index in
        slot += 1
        return try sample(
          index, stream: stream, iteration: ticket.iteration,
          slot: ticket.replica << 32 | slot)
      }
    }
    return LoadedBatch(
      iteration: ticket.iteration, replica: ticket.replica,
      streams: Dictionary(uniqueKeysWithValues: zip(streams.map(\.name), samples)))
  }

  private func sample(
    _ index: Int, stream: Int, iteration: Int, slot: Int
  ) throws -> LoadedSample {
    let source = streams[stream]
    if let sample = attempt(index, of: source, iteration: iteration, slot: slot) { return sample }
    let before = condition.withLock { unusable.count }
    for substitute in substitution.substitutes(for: index, stream: stream) {
      if let sample = attempt(substitute, of: source, iteration: iteration, slot: slot) {
        return sample
      }
      // A wrong folder would otherwise be reported once for every image of the data set.
      if condition.withLock({ unusable.count }) - before >= Self.mostFailures { break }
    }
    let paths = Set(source.indices.map { source.path(of: $0) })
    let found = condition.withLock { faults.filter { paths.contains($0.path) }.map(\.error) }
    throw StreamError(nothingUsableIn: source, found)
  }

  private func attempt(
    _ index: Int, of source: LoaderStream, iteration: Int, slot: Int
  ) -> LoadedSample? {
    let path = source.path(of: index)
    let (known, ending) = condition.withLock {
      // Whichever thread came first: what is known does not depend on it.
      guard let old = unusable[path] else { return (false, stopped) }
      unusable[path]?.iteration = min(old.iteration, iteration)
      return (true, stopped)
    }
    guard !known, !ending else { return nil }
    do {
      return try source.sample(index, seed: seed, iteration: iteration, slot: slot)
    } catch {
      let isNew = condition.withLock {
        let old = unusable[path]
        unusable[path] = LeftOut(
          stream: old?.stream ?? source.name.rawValue, file: source.images[index].fileName,
          iteration: min(old?.iteration ?? iteration, iteration))
        if old == nil { faults.append((path, error)) }
        return old == nil
      }
      if isNew { warn("\(error); the image is left out") }
      return nil
    }
  }
}
