import Distribution
import Formats
import Foundation
import OpenCL

extension DeviceOption {
  /// A context on the device of one of several ranks.
  ///
  /// - Parameters:
  ///   - world: The ranks; each of a machine gets a device of its own.
  ///   - shares: Whether GPUs may be shared.
  ///   - threads: How many threads of a rank read pictures; nil says nothing about cores.
  ///   - tell: Gets warnings and notes, on rank 0.
  /// - Returns: The context, and on rank 0 the facts of all ranks.
  /// - Throws: `AgreedError`, or alone what ``makeContext(isTuned:)`` throws; `WorldError`.
  func makeContext(
    in world: any World, shares: Bool, threads: Int?, tell: (String) -> Void
  ) throws -> (context: Context, ranks: [RankFacts]) {
    let (context, own) = try Agreement.together("device", in: world) {
      let context: Context
      let choices: Int
      if world.size > 1 {
        let choice = try DeviceSurvey().choose(wanted?.text, number: world.node.rank)
        context = try makeContext(on: choice.device)
        choices = choice.of
      } else {
        context = try makeContext()
        choices = 1
      }
      return (context, RankFacts(world, device: context.device, choices: choices))
    }
    let all = try RankFacts.gathered(own, in: world)
    guard world.size > 1 else { return (context, all) }
    _ = try Agreement.onRank0("devices", in: world) {
      if !shares, let fault = RankFacts.fault(of: all) { throw AgreedError(text: fault, code: 1) }
    }
    if let threads {
      let launch = Launch(environment: ProcessInfo.processInfo.environment)
      for remark in RankFacts.remarks(on: all, threads: threads, launch: launch) { tell(remark) }
    }
    return (context, all)
  }
}
