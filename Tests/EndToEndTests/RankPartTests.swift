import ArgumentParser
import Distribution
import Formats
import Foundation
import OpenCL
import TestSupport
import Testing

@testable import BaronCLI

/// What commands do as one of several processes, and what they see of the cores.
@Suite(
  "Parts of several processes",
  .enabled(if: BaronProcess.path != nil, "the program beside the tests is missing"))
struct RankPartTests {
  private static let launchers: [[String: String]] = [
    ["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "RANK"],
    ["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "RANK", "PMI_SIZE": "2", "PMI_RANK": "RANK"],
    [
      "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0", "PMI_SIZE": "2", "PMI_RANK": "RANK",
      "MPI_LOCALRANKID": "RANK", "MPI_LOCALNRANKS": "2",
    ],
    ["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "RANK"],
  ]

  private func run(
    _ words: [String], rank: Int, by launcher: [String: String]
  ) throws -> BaronProcess.Result {
    try BaronProcess(
      words, environment: launcher.mapValues { $0 == "RANK" ? "\(rank)" : $0 }
    ).finish()
  }

  @Test("a command for one process is refused once", arguments: launchers)
  func alone(launcher: [String: String]) throws {
    for words in [
      ["clip-train", "no-such.yaml", "--run", "x"], ["evaluate", "--checkpoint", "x"],
      ["detect", "x.jpg", "--checkpoint", "x", "--vocabulary", "a"],
    ] {
      let told = try run(words, rank: 0, by: launcher)
      expectError(told, "\(words[0]) runs on one process, but ", " started 2; start one")
      #expect(told.output.isEmpty)
      let other = try run(words, rank: 1, by: launcher)
      #expect(other.status == 0 && other.output.isEmpty && other.errors.isEmpty)
      // What the line says lets each copy do its work.
      let marks = launcher.keys.filter { $0.hasSuffix("_SIZE") || $0 == "SLURM_STEP_NUM_TASKS" }
      #expect(marks.allSatisfy { told.errors.contains("-u \($0)") }, "\(told.errors)")
      let copy = try run(words, rank: 1, by: launcher.filter { !marks.contains($0.key) })
      #expect(copy.status != 0 && !copy.errors.contains("runs on one process"))
    }
  }

  @Test("rank 0 speaks for all", arguments: launchers)
  func first(launcher: [String: String]) throws {
    for words in [["config", "list"], ["check", "no-such.yaml"]] {
      let other = try run(words, rank: 1, by: launcher)
      #expect(other.status == 0 && other.output.isEmpty && other.errors.isEmpty)
    }
    #expect(try run(["config", "list"], rank: 0, by: launcher).output.contains("ov-coco-fpn-kd"))
    expectError(try run(["check", "no-such.yaml"], rank: 0, by: launcher), "no-such.yaml")
  }

  @Test func processesThatCannotTrainAreNotCounted() throws {
    let show = ["config", "show", "ov-coco-fpn-kd"]
    expectError(try run(show, rank: 0, by: Self.launchers[0]), "srun --mpi=pmix")
    for launcher in Self.launchers.dropFirst() {
      let shown = try run(show, rank: 0, by: launcher)
      #expect(shown.status == 0 && shown.output.hasPrefix("# 2 replicas on 2 processes"))
    }
  }

  @Test func everyCommandHasAPart() throws {
    #expect(RankPart(of: TrainCommand()) == .together && RankPart(of: RanksCommand()) == .together)
    #expect(RankPart(of: DevicesCommand()) == .each && RankPart(of: CheckCommand()) == .first)
    #expect(RankPart(of: EvaluateCommand()) == .alone && RankPart(of: DemoCommand()) == .alone)
    #expect(RankPart(of: SplitCommand.COCO()) == .alone)
    // Help is for everybody.
    #expect(RankPart(of: BaronProgram()) == .each)
  }

  @Test func aBoundProcessKnowsItsCores() throws {
    let taskset = "/usr/bin/taskset"
    guard FileManager.default.isExecutableFile(atPath: taskset) else { return }
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let allowed = try #require(status.firstMatch(of: /Cpus_allowed_list:\s*(\d+)/)).1
    let result = try BaronProcess(
      ["-c", "\(allowed)", try #require(BaronProcess.path), "ranks", "--largest", "1"],
      program: taskset
    ).finish()
    #expect(result.status == 0, "\(result.errors)")
    let row = result.output.split(separator: "\n").first { $0.hasPrefix("   0  ") } ?? ""
    #expect(row.contains(try Regex("  1 +\(Cores.all)  -")), "\(result.output)")
  }

  @Test func tooFewCoresAreToldWithTheLaunchersRemedy() throws {
    var facts = RankFacts(Alone(), device: try Device.choose("cpu"), choices: 1)
    (facts.host, facts.nodes, facts.cores, facts.allCores) = ("h", 8, 1, 96)
    func remark(_ launcher: [String: String]) -> String? {
      let launch = Launch(environment: launcher.mapValues { $0 == "RANK" ? "0" : $0 })
      return RankFacts.remarks(on: [facts], threads: 8, launch: launch).first
    }
    let start =
      "rank 0 on host h may use 1 of 96 cores, but data.threads + 2 are 10 threads; start "
    #expect(remark(Self.launchers[0]) == start + "with srun --cpus-per-task=12")
    #expect(remark(Self.launchers[2]) == start + "with -bind-to none, or -bind-to core:12")
    #expect(
      remark(Self.launchers[3]) == start + "with --bind-to none, or --map-by ppr:8:node:PE=12")
    facts.cores = 12
    #expect(remark(Self.launchers[0])?.contains("may use") != true)
  }
}
