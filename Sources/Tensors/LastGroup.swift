import Formats
import OpenCL
import Synchronization

/// What the last of a launch's work-groups to end needs in order to add up what the others wrote
/// (`Common/LastGroup.clh`), so that no other launch has to.
final class LastGroup {
  private let queue: CommandQueue
  private var buffer: Buffer?
  private var capacity = 0

  /// For launches on a queue.
  ///
  /// - Parameter queue: The queue.
  init(queue: CommandQueue) { self.queue = queue }

  /// Counters that are 0 before and after each launch.
  ///
  /// - Parameter count: How many the launch needs.
  /// - Returns: At least so many ints, for launches on the queue alone.
  /// - Throws: `OpenCLError` when memory is short.
  func counters(_ count: Int) throws -> Buffer {
    if let buffer, count <= capacity { return buffer }
    capacity = max(2 * count, 1024)
    let new = try queue.allocate(bytes: 4 * capacity, label: "counters of work-groups")
    try queue.fill(new, pattern: 0)
    buffer = new
    return new
  }
}

extension LastGroup {
  /// The least compute capability whose fences order what whole work-groups wrote.
  private static let leastCapability = 70
  /// What is wrong by device; empty when nothing is.
  private static let faults = Mutex<[Int: String]>([:])

  /// What adds up on a stream's device, if it is known to and does so rightly; a device that fails gets
  /// one line on standard error.
  ///
  /// - Parameter stream: The stream, on which nothing is added up in this way so far.
  /// - Returns: nil where another launch has to.
  static func usable(on stream: ComputeStream) -> LastGroup? {
    let device = stream.device
    guard stream.family == .nvidia, (device.computeCapability ?? 0) >= leastCapability else {
      return nil
    }
    let candidate = LastGroup(queue: stream.queue)
    let fault =
      faults.withLock { $0[device.index] } ?? candidate.fault(on: stream) ?? ""
    let isNew = faults.withLock { $0.updateValue(fault, forKey: device.index) == nil }
    guard !fault.isEmpty else { return candidate }
    if isNew {
      Console.warn(
        "\(device.name): the last work-group does not add up what the others wrote, another launch "
          + "does: \(fault)")
    }
    return nil
  }

  /// Adds up by the last group what another launch adds up too, and compares.
  ///
  /// - Parameter stream: Where to run.
  /// - Returns: What is wrong, in one line; nil when nothing is.
  func fault(on stream: ComputeStream) -> String? {
    do {
      return try stream.withoutGradients {
        let wanted = try Self.statistics(on: stream)
        // A group that reads too early may be lucky once.
        for _ in 0..<4 {
          let found = try stream.adding(by: self) { try Self.statistics(on: stream) }
          for (found, wanted) in zip(found, wanted) where !(abs(found - wanted) <= 1e-4) {
            return "a sum is \(found), not \(wanted); update the driver"
          }
        }
        return nil
      }
    } catch {
      return TrialFault.line(error)
    }
  }

  /// The statistics of a drawn map of several slabs, as batch normalisation carries them on.
  private static func statistics(on stream: ComputeStream) throws -> [Float] {
    let (rows, channels) = (20_000, 320)
    var random = CounterRandom(seed: 1)
    let map = try Tensor(
      random.floats(rows * channels), shape: [rows, channels], on: stream, label: "last group trial"
    )
    func parameter(_ value: Float) throws -> Tensor {
      try Tensor(repeating: value, shape: [channels], on: stream, label: "last group trial")
    }
    let (mean, variance) = (try parameter(0), try parameter(0))
    _ = try map.batchNorm(
      weight: try parameter(1), bias: try parameter(0), runningMean: mean,
      runningVariance: variance, momentum: 1)
    return try mean.floats() + variance.floats()
  }
}
