import Formats

/// Which images form the batch of an iteration (spec training 4.5, batch composition).
///
/// Each iteration draws an aspect group, portrait or landscape, with probability equal to its share
/// over all streams; every stream then gives its images from that group. A (stream, group) pair is an
/// endless sequence of independent random permutations, of which replica `r` of `R` takes every
/// `R`-th element from `r` on. All of it is a function of the seed, so any iteration can be asked for
/// directly; asking in ascending order is fast, because draws before it are counted only once.
package struct BatchSampler: Sendable {
  /// One source of images.
  package struct Stream: Sendable {
    /// What warnings call it.
    package let name: String
    /// The images that it may give; an index that stands twice is given twice as often.
    package let indices: [Int]
    /// For each entry of `indices`, whether the image is higher than wide.
    package let isPortrait: [Bool]
    /// The number of images in a batch of one replica.
    package let batchSize: Int

    /// Creates a stream.
    package init(name: String, indices: [Int], isPortrait: [Bool], batchSize: Int) {
      precondition(
        indices.count == isPortrait.count && batchSize > 0,
        "a stream of \(indices.count) images needs as many orientations and a batch size above 0")
      self.name = name
      self.indices = indices
      self.isPortrait = isPortrait
      self.batchSize = batchSize
    }
  }

  /// The permutation that a (stream, group) pair was last asked for.
  private struct Permutation: Sendable {
    var round = -1
    var order: [Int] = []
  }

  private let streams: [Stream]
  /// The entries of each stream by group: landscape first, portrait second.
  private let groups: [[[Int]]]
  private let portraitShare: Double
  private let seed: UInt64
  private let replica: Int
  private let replicas: Int
  /// How often each group was drawn before `position`.
  private var draws = [0, 0]
  private var position = 0
  private var permutations: [[Permutation]]

  /// Creates a sampler.
  ///
  /// - Parameters:
  ///   - streams: The sources of images.
  ///   - seed: The run's seed.
  ///   - replica: Whose images.
  ///   - replicas: How many replicas share the images.
  /// - Throws: ``StreamError`` when a stream has no image.
  package init(streams: [Stream], seed: UInt64, replica: Int = 0, of replicas: Int = 1) throws {
    precondition(
      replica >= 0 && replica < replicas, "replica \(replica) is not among \(replicas)")
    for stream in streams where stream.indices.isEmpty {
      throw StreamError(
        name: stream.name,
        reason: "no image is left after filtering; check the annotation file and the class names")
    }
    self.streams = streams
    self.seed = seed
    self.replica = replica
    self.replicas = replicas
    groups = streams.map { stream in
      [false, true].map { portrait in
        zip(stream.indices, stream.isPortrait).filter { $0.1 == portrait }.map(\.0)
      }
    }
    let portraits = groups.reduce(0) { $0 + $1[1].count }
    let all = streams.reduce(0) { $0 + $1.indices.count }
    portraitShare = all > 0 ? Double(portraits) / Double(all) : 0
    permutations = streams.map { _ in [Permutation(), Permutation()] }
  }

  /// The aspect group that an iteration draws: 0 landscape, 1 portrait.
  private func group(at iteration: Int) -> Int {
    var random = CounterRandom(
      seed: seed, CounterRandom.key("aspect group"), UInt64(replica), UInt64(iteration))
    return random.uniform() < portraitShare ? 1 : 0
  }

  /// The images of an iteration.
  ///
  /// - Parameter iteration: The iteration, counted from 0.
  /// - Returns: For each stream, `batchSize` entries of its `indices`.
  package mutating func batch(at iteration: Int) -> [[Int]] {
    precondition(iteration >= 0, "iterations count from 0, not \(iteration)")
    if iteration < position {
      position = 0
      draws = [0, 0]
    }
    while position < iteration {
      draws[group(at: position)] += 1
      position += 1
    }
    let drawn = group(at: iteration)
    return streams.indices.map { stream in
      // A stream without images of the group gives its others; they are then all in one sequence.
      let isWhole = groups[stream][drawn].isEmpty || groups[stream][1 - drawn].isEmpty
      let source = groups[stream][drawn].isEmpty ? 1 - drawn : drawn
      let before = isWhole ? draws[0] + draws[1] : draws[source]
      let size = streams[stream].batchSize
      return (0..<size).map { slot in
        element((before * size + slot) * replicas + replica, stream: stream, group: source)
      }
    }
  }

  /// An element of the endless sequence of a (stream, group) pair.
  private mutating func element(_ number: Int, stream: Int, group: Int) -> Int {
    let members = groups[stream][group]
    let (round, place) = number.quotientAndRemainder(dividingBy: members.count)
    if permutations[stream][group].round != round {
      var order = Array(members.indices)
      var random = CounterRandom(
        seed: seed, CounterRandom.key("order"), UInt64(stream), UInt64(group), UInt64(round))
      random.shuffle(&order)
      permutations[stream][group] = Permutation(round: round, order: order)
    }
    return members[permutations[stream][group].order[place]]
  }

  /// The images to try in place of one that cannot be used: the rest of its stream and group in
  /// index order, from the next one on, then the rest of the stream.
  ///
  /// - Parameters:
  ///   - index: The image that cannot be used.
  ///   - stream: The number of its stream.
  /// - Returns: The substitutes, best first.
  package func substitutes(for index: Int, stream: Int) -> [Int] {
    let own = groups[stream][0].contains(index) ? 0 : 1
    return [own, 1 - own].flatMap { group -> [Int] in
      let members = Set(groups[stream][group]).subtracting([index]).sorted()
      return members.filter { $0 > index } + members.filter { $0 < index }
    }
  }
}
