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
