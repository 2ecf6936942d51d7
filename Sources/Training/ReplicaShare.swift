import Formats

/// Which replicas of a run a process carries (spec distributed 1).
///
/// A replica has images, queues and a normalisation of losses of its own; the gradient of a step is
/// the mean over replicas. A process carries neighbouring ones, one after the other in every step.
package struct ReplicaShare: Sendable, Equatable {
  /// One replica in one process.
  package static let single = ReplicaShare(count: 1, own: 0..<1)

  /// The replicas of the run.
  package let count: Int
  /// Those of this process.
  package let own: Range<Int>

  private init(count: Int, own: Range<Int>) {
    self.count = count
    self.own = own
  }

  /// Divides the replicas of a run.
  ///
  /// - Parameters:
  ///   - replicas: `training.replicas`; 0 takes one a process.
  ///   - rank: The number of this process.
  ///   - processes: The number of processes.
  /// - Throws: ``ConfigurationError`` when processes would carry different numbers of them.
  package init(of replicas: Int, rank: Int = 0, processes: Int = 1) throws(ConfigurationError) {
    let count = replicas == 0 ? processes : replicas
    guard count.isMultiple(of: processes) else {
      let divisors = (1...count).filter(count.isMultiple).map(String.init)
      throw .conflict(
        place: ConfigurationPlace("\(processes, "process")"), key: "training.replicas",
        reason: "is \(count), which they cannot share alike; start "
          + "\(divisors.joined(separator: ", ")) of them")
    }
    let each = count / processes
    self.init(count: count, own: rank * each..<(rank + 1) * each)
  }
}
