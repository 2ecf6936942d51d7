import ArgumentParser
import KernelLibrary
import OpenCL
import Tensors

/// `baron try-variants`: a helper of a command that trains or detects, started by that command.
struct TryVariantsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "try-variants",
    abstract: "Try variants of kernels that another command names, and answer.",
    shouldDisplay: false)

  @Option var device: String

  @Option var family: String

  @Option var cache: String?

  func run() throws {
    let context = try Context(
      device: try Device.choose(device), family: DeviceFamily(rawValue: family),
      cache: cache.map { ProgramCache(folder: $0) })
    VariantTrials.serve(on: context)
  }
}
