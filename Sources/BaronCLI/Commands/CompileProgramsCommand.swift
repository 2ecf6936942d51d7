import ArgumentParser
import Distribution
import Formats
import Foundation
import KernelLibrary
import OpenCL

/// `baron compile-programs`: a helper of a command that compiles, started by that command.
struct CompileProgramsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile-programs",
    abstract: "Compile the programs that another command names and leave them in its cache.",
    shouldDisplay: false)

  @Option var device: String

  @Option var cache: String

  func run() throws {
    let context = try Context(
      device: try Device.choose(device), cache: ProgramCache(folder: cache))
    // What does not compile here is told where it is needed.
    ProgramHelpers.serve { try? KernelLibrary.store($0, context: context) }
  }
}

extension Context {
  /// Processes that compile beside a run: one per core, but four keep up with any step.
  static let usualJobs = min(Cores.usable, 4)
  /// What each takes of a GPU's memory at most.
  private static let memoryOfJob = 1 << 30

  /// Processes that compile before a run: on every core, as far as the GPU's memory goes.
  private var jobsAhead: Int { max(1, min(Cores.usable, device.memoryInBytes / Self.memoryOfJob)) }

  private static let program = try? FileManager.default.destinationOfSymbolicLink(
    atPath: "/proc/self/exe")

  /// Lets other processes of this program compile for the cache.
  ///
  /// - Parameter jobs: Processes that compile at the same time; 1 compiles all here, nil takes as many
  ///   as there is use for.
  func compileInParallel(jobs: Int? = nil) {
    let jobs = jobs ?? (device.compilesForBinaries ? Self.usualJobs : jobsAhead)
    guard jobs > 1, let cache, let program = Self.program else { return }
    helpers = ProgramHelpers(
      executable: program,
      arguments: ["compile-programs", "--device", "\(device.index)", "--cache", cache.folder],
      // A helper is none of the processes that a launcher has started.
      environment: ProcessInfo.processInfo.environment.filter { !Launch.isMark($0.key) },
      // While they compile for binaries this process compiles as well, else it waits for them.
      limit: device.compilesForBinaries ? jobs - 1 : jobs)
  }

  /// Lets another process of this program try what a driver may not survive, on devices that have
  /// such a choice.
  func tryElsewhere() {
    guard family == .nvidia, let program = Self.program else { return }
    trials = TrialHelper(
      executable: program,
      arguments: ["try-variants", "--device", "\(device.index)", "--family", family.rawValue]
        + (cache.map { ["--cache", $0.folder] } ?? []))
  }
}
