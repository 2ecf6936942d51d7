import ArgumentParser
import Distribution
import Formats
import Foundation
import OpenCL
import Training

/// Runs a command on all processes that a launcher has started, so that they end together and one
/// of them speaks.
enum RankSession {
  /// Enters the world, runs a command in it and leaves it.
  ///
  /// - Parameter body: The command.
  /// - Throws: `LaunchError`; what `body` throws, on rank 0 where all ranks have the same error and an
  ///   `ExitCode` on the others.
  static func run(_ body: (any World) throws -> Void) throws {
    let world: any World
    do {
      world = try Launch.world()
    } catch {
      // Processes that do not know each other cannot choose one to speak: one a machine does.
      let launch = Launch(environment: ProcessInfo.processInfo.environment)
      guard launch?.nodeRank ?? 0 == 0 else { throw ExitCode(1) }
      throw error
    }
    guard world.size > 1 else { return try body(world) }
    StopSignals.expectEcho()
    do {
      try body(world)
    } catch {
      return try end(error, in: world)
    }
    try world.close()
  }

  /// Ends the ranks: together where all have the same error, else all others with this one.
  private static func end(_ error: any Error, in world: any World) throws {
    if let code = error as? ExitCode {
      try world.close()
      // A launcher tells of the first process that fails, and kills the others.
      if world.rank == 0 || code.rawValue != 130 { throw code }
      return
    }
    guard let code = sharedCode(of: error) else {
      Console.fail("\(name(of: world)): \(error)")
      return world.abort(code: code(of: error))
    }
    // What rank 0 has told already is not told again. It tells it before the others go: a launcher
    // kills the rest when the first one ends with an error.
    let text = "\(error)"
    if world.rank == 0, !text.isEmpty { Console.fail(text) }
    try world.close()
    throw ExitCode(code)
  }

  /// Runs what tells its errors itself, so that ranks agree upon its exit code.
  ///
  /// - Parameters:
  ///   - world: The ranks.
  ///   - body: Tells what is wrong and throws an `ExitCode`.
  static func telling<Value>(in world: any World, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let code as ExitCode where world.size > 1 {
      throw AgreedError(text: "", code: code.rawValue)
    }
  }

  /// Runs what many steps are made in, while a watchdog of each rank looks after it.
  ///
  /// - Parameters:
  ///   - world: The ranks.
  ///   - limit: Seconds without progress after which the run is ended; 0 for never.
  ///   - body: Makes the steps.
  static func watching(_ world: any World, limit: Double, _ body: () throws -> Void) throws {
    guard world.size > 1 else { return try body() }
    var settings = Watchdog.Settings()
    settings.limit = limit
    let watchdog = try Watchdog(
      world, settings: settings,
      activity: {
        Watchdog.Activity(
          beats: ProgramCount.compiled.load(ordering: .relaxed), phase: Activity.current?.text)
      },
      tell: { verdict in
        switch verdict {
        case .warn(let text): Console.warn(text)
        case .goesOn(let text): Console.note(text)
        case .end(let text):
          Console.fail("\(text); --continue or --resume goes on from the last checkpoint")
        }
      })
    // Nothing may be on its way when the world is closed; an error of one rank ends it at once.
    defer { watchdog.stop() }
    try body()
  }

  /// What a rank is called.
  static func name(of world: any World) -> String { "rank \(world.rank) on host \(world.host)" }

  /// The exit code of an error that all ranks have, nil of one that may be this rank's alone.
  private static func sharedCode(of error: any Error) -> Int32? {
    switch error {
    case let error as AgreedError: error.code
    case is TrainingError: 1
    case let error as WorldError:
      if case .mixed = error { Watchdog.code } else { nil }
    default: nil
    }
  }

  /// The exit code of an error: 75 where a new start may help.
  static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as AgreedError: error.code
    case let error as WorldError:
      if case .aborted(let code) = error { code } else { Watchdog.code }
    case let error as OpenCLError: error.isDeviceLost ? Watchdog.code : 1
    default: BaronProgram.exitCode(for: error).rawValue
    }
  }
}
