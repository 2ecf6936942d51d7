import Distribution
import Tensors

/// Adds up the gradients of all processes (spec distributed 5).
final class GradientExchange {
  private let world: any World
  /// The gradients on the host; their memory is used again.
  private var floats: [Float] = []

  /// Floats of one sum: small sums let those of other threads pass.
  private static let piece = 1 << 18

  init(_ world: any World) { self.world = world }

  /// Which parameters a gradient has reached in any process.
  ///
  /// - Parameters:
  ///   - reached: A flag for each parameter; changes in place.
  ///   - iteration: The step.
  /// - Throws: `WorldError`.
  func unite(_ reached: inout [Bool], iteration: Int) throws {
    var words = [UInt64](repeating: 0, count: reached.count.dividedUp(by: 64))
    for (index, isReached) in reached.enumerated() where isReached {
      words[index / 64] |= 1 << UInt64(index % 64)
    }
    try world.union(&words, Exchange("reached parameters", iteration))
    reached = reached.indices.map { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
  }

  /// Replaces gradients by their sum over processes.
  ///
  /// - Parameters:
  ///   - gradients: An arena, 0 where this process has no gradient; changes in place.
  ///   - iteration: The step.
  /// - Throws: `WorldError` or `OpenCLError`.
  func sum(_ gradients: Tensor, iteration: Int) throws {
    if floats.count != gradients.count { floats = [Float](repeating: 0, count: gradients.count) }
    try floats.withUnsafeMutableBytes { bytes in
      try gradients.stream.queue.read(gradients.buffer, into: bytes)
      let values = bytes.bindMemory(to: Float.self)
      for first in stride(from: 0, to: values.count, by: Self.piece) {
        let part = UnsafeMutableBufferPointer(
          rebasing: values[first..<min(first + Self.piece, values.count)])
        try world.sum(part, Exchange("gradients", iteration), on: .gradients)
      }
      try gradients.overwrite(withBytes: UnsafeRawBufferPointer(bytes))
    }
  }
}
