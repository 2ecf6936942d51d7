import Distribution
import TestSupport
import Testing

@Suite struct AgreementTests {
  struct Broken: Error, CustomStringConvertible {
    let description: String
  }

  private func errors(
    _ size: Int, hosts: [String]? = nil, _ body: @escaping @Sendable (ThreadWorld) throws -> Void
  ) -> [AgreedError?] {
    ThreadWorld.outcomes(size, hosts: hosts, body).map { outcome in
      guard case .failure(let error) = outcome else { return nil }
      return error as? AgreedError
    }
  }

  @Test func whatAllRanksSayIsSaidOnce() {
    let errors = errors(3) { world in
      try Agreement.together("data", in: world) { throw Broken(description: "no such file: a") }
    }
    #expect(errors == Array(repeating: AgreedError(text: "no such file: a", code: 1), count: 3))
  }

  @Test func whatSomeRanksSayNamesThem() {
    let errors = errors(4, hosts: ["a", "b", "b", "c"]) { world in
      try Agreement.together("data", in: world, code: { _ in 64 }) {
        if world.rank == 1 || world.rank == 2 { throw Broken(description: "no such file: x") }
        if world.rank == 3 { throw Broken(description: "disk full") }
      }
    }
    let text =
      "rank 1 on host b (and 1 more): no such file: x; rank 3 on host c: disk full"
    #expect(errors == Array(repeating: AgreedError(text: text, code: 64), count: 4))
  }

  @Test func allIsWellWhenAllIsWell() throws {
    let values = try ThreadWorld.run(3) { world in
      try Agreement.together("data", in: world) { world.rank * 2 }
    }
    #expect(values == [0, 2, 4])
  }

  @Test func rank0AloneActsAndAllLearnItsError() throws {
    let values = try ThreadWorld.run(2) { world in
      try Agreement.onRank0("folder", in: world) { 7 }
    }
    #expect(values == [7, nil])
    let errors = errors(2) { world in
      _ = try Agreement.onRank0("folder", in: world) {
        throw Broken(description: "this run exists already")
      }
    }
    #expect(
      errors == Array(repeating: AgreedError(text: "this run exists already", code: 1), count: 2))
  }

  @Test func aloneErrorsStayWhatTheyAre() {
    #expect(throws: Broken.self) {
      try Agreement.together("data", in: Alone()) { throw Broken(description: "x") }
    }
    #expect(throws: Broken.self) {
      try Agreement.onRank0("data", in: Alone()) { throw Broken(description: "x") }
    }
  }

  @Test func whatDiffersIsNamedWithItsRank() {
    let errors = errors(3, hosts: ["a", "a", "b"]) { world in
      let isOther = world.rank == 2
      try Agreement.compare(
        [
          Agreement.Item("program", digest: "0.1.0"),
          Agreement.Item(
            "instances_train2017.json", digest: isOther ? "e1" : "07",
            details: isOther ? "450012345 bytes" : "448640221 bytes"),
        ], in: world)
    }
    let text =
      "rank 2 on host b has another instances_train2017.json than rank 0 (450012345 bytes, on rank 0 "
      + "448640221 bytes); give all processes the same"
    #expect(errors == Array(repeating: AgreedError(text: text, code: 1), count: 3))
  }

  @Test func equalThingsPass() throws {
    try ThreadWorld.run(4) { world in
      try Agreement.compare([Agreement.Item("weights", digest: "a")], in: world)
    }
  }

  @Test func otherListsAreTold() {
    let errors = errors(2) { world in
      let items = [Agreement.Item("a", digest: "1"), Agreement.Item("b", digest: "1")]
      try Agreement.compare(Array(items.prefix(2 - world.rank)), in: world)
    }
    #expect(errors[0]?.description.hasPrefix("rank 1 on host here has another b than") == true)
    #expect(errors[0] == errors[1])
  }
}
