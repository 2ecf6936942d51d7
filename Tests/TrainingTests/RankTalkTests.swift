import Distribution
import Foundation
import TestSupport
import Testing

@testable import Training

/// What ranks say to rank 0.
@Suite struct RankTalkTests {
  /// Lets ranks say warnings in rounds; gives what rank 0 tells in each, and at the end.
  private func told(
    _ rounds: [[[String]]], keepsLogs: Bool = false, in folder: String? = nil
  ) throws -> [[String]] {
    let ranks = rounds[0].count
    return try ThreadWorld.run(ranks, hosts: (0..<ranks).map { "h\($0 / 2)" }) { world in
      let talk = RankTalk(world, keepsLogs: keepsLogs)
      // What is found before the first step all find.
      talk.see(.warning("few images"))
      talk.see(.starting(at: 0))
      var told: [[String]] = []
      for (number, round) in rounds.enumerated() {
        for text in round[world.rank] { talk.see(.warning(text)) }
        talk.see(step: number, seconds: 0.25, waitShare: 0.5)
        told.append(
          try talk.carry(to: world.rank == 0 ? folder : nil, number: number))
        #expect(!talk.isWaiting)
      }
      return told + [talk.closing()]
    }[0]
  }

  @Test func aWarningIsToldOnceWithItsRankAndOthersAreCounted() throws {
    let told = try told([
      [[], ["a.png: damaged"], ["b.png: damaged"], ["a.png: damaged"]],
      [["c.png: damaged"], [], ["a.png: damaged", "c.png: damaged"], []],
      [[], ["few images"], [], []],
    ])
    #expect(
      told == [
        ["rank 1 on host h0 (and 1 more): a.png: damaged", "rank 2 on host h1: b.png: damaged"],
        [], [],
        [
          "1 more time on other processes: few images",
          "1 more time on other processes: a.png: damaged",
          "1 more time on other processes: c.png: damaged",
        ],
      ])
  }

  @Test func eachRankHasALog() throws {
    let folder = try TestSupport.TemporaryFolder()
    let told = try told(
      [[["slow disk"], ["a.png: damaged"]], [[], []]], keepsLogs: true, in: folder.path)
    #expect(told[0] == ["rank 1 on host h0: a.png: damaged"])
    let logs = try (0..<2).map {
      try String(contentsOfFile: "\(folder.path)/ranks/rank-\($0).log", encoding: .utf8)
    }
    #expect(logs[0].contains("warning: slow disk") && !logs[0].contains("a.png"))
    #expect(logs[1].contains("warning: a.png: damaged"))
    for log in logs {
      #expect(log.contains("note: iteration 1: 0.250 s, data wait 50 %"), "\(log)")
      #expect(log.contains("few images"))
    }
  }

  @Test func whatRank0DidNotGetIsHandedOut() throws {
    let left = try ThreadWorld.run(2) { world in
      let talk = RankTalk(world)
      talk.see(.warning("found by all"))
      talk.see(.starting(at: 0))
      talk.see(.warning("disk"))
      talk.see(.note("a note"))
      return talk.takeWarnings()
    }
    #expect(left == [[], ["disk"]])
  }
}
