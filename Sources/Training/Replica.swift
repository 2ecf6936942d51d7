import Baron

/// What a replica owns besides its images: what the methods remember of its own steps.
package struct Replica {
  /// Its number among all replicas of the run.
  package let number: Int
  /// The queues of each method, in the order of methods.
  package internal(set) var queues: [[EmbeddingQueue]]
}

extension AlignmentMethod {
  /// Changes the state in place.
  func change<Result>(_ body: (inout AlignmentState) -> Result) -> Result {
    var own = state
    // The method lets go of its cache meanwhile: a second owner would have it copied as a whole.
    state = AlignmentState(queues: own.queues, cache: nil)
    defer { state = own }
    return body(&own)
  }
}

/// What the replicas of a process write into the box caches during a step.
///
/// A replica sees what was there when the step began and what it wrote itself, so that its choices
/// do not depend on which other replicas the process carries.
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

  /// Ends the step: the caches get what all replicas have written.
  func apply(to caches: [any AlignmentMethod]) {
    for (method, written) in zip(caches, methods) {
      method.change { $0.cache?.apply(written.entries, images: written.images) }
    }
  }
}

extension TrainingStep {
  /// Gives the methods the memory of a replica, by its place among those of this process.
  func enter(_ index: Int) {
    for (method, queues) in zip(methods, replicas[index].queues) {
      method.change { state in
        state.queues = queues
        state.cache?.beginStep()
      }
    }
  }

  /// Keeps what the methods remember now for a replica, by its place among those of this process.
  func leave(_ index: Int, written: inout BoxCacheWrites) {
    replicas[index].queues = methods.map(\.state.queues)
    written.collect(from: methods)
  }
}
