import Loading
import Testing

@Suite struct BatchSamplerTests {
  /// Stream 0 has 13 images, the first 4 portrait; stream 1 has 7, the first 3 portrait.
  private static let streams = [
    BatchSampler.Stream(
      name: "detection", indices: Array(0..<13), isPortrait: (0..<13).map { $0 < 4 }, batchSize: 2),
    BatchSampler.Stream(
      name: "alignment", indices: Array(0..<7), isPortrait: (0..<7).map { $0 < 3 }, batchSize: 3),
  ]

  private static func sampler(
    _ streams: [BatchSampler.Stream] = streams, seed: UInt64 = 1, replica: Int = 0,
    of replicas: Int = 1
  ) throws -> BatchSampler {
    try BatchSampler(streams: streams, seed: seed, replica: replica, of: replicas)
  }

  @Test func anyIterationCanBeAskedFirst() throws {
    var running = try Self.sampler()
    let all = (0..<200).map { running.batch(at: $0) }
    for iteration in [0, 1, 17, 99, 199] {
      var fresh = try Self.sampler()
      #expect(fresh.batch(at: iteration) == all[iteration])
    }
    #expect(running.batch(at: 5) == all[5])
    #expect(running.batch(at: 150) == all[150])
    var other = try Self.sampler(seed: 2)
    #expect((0..<200).map { other.batch(at: $0) } != all)
  }

  @Test func batchesHoldOneAspectGroup() throws {
    var sampler = try Self.sampler()
    var portraits = 0
    for iteration in 0..<2000 {
      let batch = sampler.batch(at: iteration)
      #expect(batch.map(\.count) == [2, 3])
      let group = batch[0].map { $0 < 4 } + batch[1].map { $0 < 3 }
      #expect(Set(group).count == 1)
      portraits += group[0] ? 1 : 0
    }
    // 7 of 20 images are portrait; six standard deviations.
    #expect(abs(portraits - 700) < 130)
  }

  @Test func everyImageComesOnceARound() throws {
    var sampler = try Self.sampler()
    var landscape: [Int] = []
    for iteration in 0..<400 {
      landscape += sampler.batch(at: iteration)[0].filter { $0 >= 4 }
    }
    let rounds = stride(from: 0, to: landscape.count / 9 * 9, by: 9).map {
      Array(landscape[$0..<$0 + 9])
    }
    #expect(rounds.allSatisfy { $0.sorted() == Array(4..<13) })
    #expect(Set(rounds).count > rounds.count / 2)
  }

  @Test func processesShareOneSequence() throws {
    // One group only, so that both processes advance alike.
    let stream = BatchSampler.Stream(
      name: "all", indices: Array(0..<10), isPortrait: Array(repeating: false, count: 10),
      batchSize: 2)
    var whole = try Self.sampler([stream])
    var first = try Self.sampler([stream], replica: 0, of: 2)
    var second = try Self.sampler([stream], replica: 1, of: 2)
    for iteration in 0..<20 {
      let four = whole.batch(at: 2 * iteration)[0] + whole.batch(at: 2 * iteration + 1)[0]
      #expect(first.batch(at: iteration)[0] == [four[0], four[2]])
      #expect(second.batch(at: iteration)[0] == [four[1], four[3]])
    }
  }

  @Test func aStreamWithoutTheGroupGivesItsOthers() throws {
    let square = BatchSampler.Stream(
      name: "square", indices: [4, 5, 6], isPortrait: [false, false, false], batchSize: 1)
    var sampler = try Self.sampler([Self.streams[0], square])
    let given = (0..<30).map { sampler.batch(at: $0)[1][0] }
    for round in 0..<10 { #expect(Set(given[round * 3..<round * 3 + 3]) == [4, 5, 6]) }
  }

  @Test func substitutesComeFromTheSameGroupFirst() throws {
    let sampler = try Self.sampler()
    #expect(sampler.substitutes(for: 2, stream: 1) == [0, 1, 3, 4, 5, 6])
    #expect(sampler.substitutes(for: 5, stream: 1) == [6, 3, 4, 0, 1, 2])
  }

  @Test func anEmptyStreamIsNamed() {
    let error = #expect(throws: StreamError.self) {
      try Self.sampler([.init(name: "detection", indices: [], isPortrait: [], batchSize: 1)])
    }
    #expect(error?.description.hasPrefix("stream \"detection\": no image is left") == true)
  }
}
